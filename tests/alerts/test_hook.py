"""Through a generic webhook: signed as Standard Webhooks are, with a body that programs can rely on."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError
from alerts.hook import HookSender, signature
from alerts.links import Links
from alerts.payload import encoded, message_id, payload
from alerts.posting import Call
from canary.sandbox.httpd import Response
from tests.alerts import ways

T0 = datetime(2026, 1, 1, tzinfo=UTC)
CONTENT = Condition(
    "lost:a->b", Severity.PAGE, "lost 3", (("sent", "60"),), "a --X--> b", ("explain 1",), 3, ("1",)
)
NOTICE = Notice("1.1", 1, 1, Kind.OPENED, CONTENT, T0, T0)
CALL = Call("webhook", timedelta(seconds=20))


def key(text: str) -> str:
    """A key as it is configured."""
    return "whsec_" + base64.b64encode(text.encode()).decode()


@pytest.fixture
def served() -> Iterator[tuple[ways.Front, str]]:
    """A receiver that says yes."""
    with ways.served(lambda _: Response(202)) as found:
        yield found


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the Standard Webhooks libraries gives the signature that they give."""
    secret = base64.b64decode("plJ3nmyCDGBKInavdOK15jsl")
    body = b'{"event_type":"ping","data":{"success":true}}'
    signed = signature(secret, "msg_loFOjxBNrRLzqYUf", "1731705121", body)
    assert signed == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_every_try_has_the_same_id_and_a_time_of_its_own(served: tuple[ways.Front, str]) -> None:
    """The receiver knows a repeat by its id and what is old by its time; two keys give two signatures."""
    front, url = served
    times = iter([1000.0, 2000.9])
    keys = f"{key('a' * 24)} {key('b' * 24)}"
    one = HookSender(lambda: url, keys=lambda: keys, call=CALL, seconds=lambda: next(times))
    one.send(NOTICE, None)
    one.send(replace(NOTICE, repeat=True), None)
    first, second = (request.headers for request in front.passed)
    assert first["webhook-id"] == second["webhook-id"] == message_id(NOTICE)
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1000", "2000")
    body = front.passed[1].body
    expected = [signature(k * 24, message_id(NOTICE), "2000", body) for k in (b"a", b"b")]
    assert second["webhook-signature"].split(" ") == expected
    assert second["content-type"] == "application/json"


def test_the_body_is_as_documented() -> None:
    """All keys, whatever the notice; a change here is a change of the schema."""
    made = payload(
        replace(NOTICE, kind=Kind.SUMMARY, covers=((7, Kind.STILL),)), Links(runbook="https://r/{kind}")
    )
    assert made == {
        "type": "incident.summary",
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "data": {
            "schema": 1,
            "id": "1767225600000000-1.1",
            "incident": 1,
            "sequence": 1,
            "key": "lost:a->b",
            "severity": "page",
            "title": "lost 3",
            "facts": [{"name": "sent", "value": "60"}],
            "diagram": "a --X--> b",
            "commands": ["explain 1"],
            "ids": ["1"],
            "count": 3,
            "worst": 0,
            "amended": [],
            "opened_at": "2026-01-01T00:00:00.000000Z",
            "ended_at": None,
            "covers": [{"incident": 7, "kind": "still"}],
            "links": {"runbook": "https://r/lost"},
            "repeat": False,
        },
    }


@given(st.text(), st.text())
def test_any_text_goes_through_as_it_is(title: str, value: str) -> None:
    """One line of ASCII, which reads back as what was put in, lone surrogates included."""
    content = replace(CONTENT, title=title, facts=((value, title),))
    line = encoded(replace(NOTICE, content=content), Links())
    data = json.loads(line)["data"]
    assert b"\n" not in line
    assert (data["title"], data["facts"]) == (title, [{"name": value, "value": title}])


@pytest.mark.parametrize(
    "bad", ["", "whsec_", "whsec_kurz", key("short"), f"{key('a' * 24)} x", key("a" * 65)]
)
def test_a_key_that_is_none_is_named_and_not_shown(bad: str) -> None:
    """A person must put it right; nothing is posted unsigned."""
    one = HookSender(lambda: "http://127.0.0.1:9/", keys=lambda: bad, call=CALL)
    with pytest.raises(DeliveryError, match=r"^webhook\.secret: must be") as caught:
        one.send(NOTICE, None)
    assert caught.value.broken
    assert one.check() == [caught.value.reason]
    assert bad in ("", "whsec_") or bad not in caught.value.reason


@pytest.mark.parametrize(
    ("status", "permanent", "uncertain", "broken"),
    [
        (302, False, False, True),
        (400, True, False, False),
        (401, False, False, True),
        (404, False, False, True),
        (410, False, False, True),
        (413, True, False, False),
        (500, False, True, False),
        (503, False, True, False),
    ],
)
def test_what_a_status_means(
    served: tuple[ways.Front, str], status: int, permanent: bool, uncertain: bool, broken: bool
) -> None:
    """Refusals are final, failures may have worked, and a wrong address waits for a person."""
    front, url = served
    front.answers["broken"], front.kind = (status, b"secret words"), "broken"
    with pytest.raises(DeliveryError) as caught:
        HookSender(lambda: url, keys=lambda: key("a" * 24), call=CALL).send(NOTICE, None)
    error = caught.value
    assert (error.permanent, error.uncertain, error.broken) == (permanent, uncertain, broken)
    assert "secret words" not in error.reason


def test_nobody_there_is_certain() -> None:
    """A refused connection has surely not delivered anything."""
    one = HookSender(lambda: "http://127.0.0.1:9/", keys=lambda: key("a" * 24), call=CALL)
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        one.send(NOTICE, None)
    assert not caught.value.uncertain
