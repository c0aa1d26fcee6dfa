"""The bytes of a post: PostHog's capture shapes, and any JSON by template."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from canary.edges.http import HttpIngress, Settings
from canary.edges.http.shape import PostHogShape, TemplateShape
from canary.values import Event
from tests.contract.fake_ingress import fake_ingress

AT = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)
SENT = datetime(2026, 7, 1, 12, 0, 1, tzinfo=UTC)
ONE = Event(UUID(int=7), "ingestion_canary", "d-1", AT, {"a": "ü", "n": 2**53 + 1})
TWO = Event(UUID(int=8), "ingestion_canary", "d-2", AT, {"a": "{token}"})


def body(shape: PostHogShape | TemplateShape, *events: Event) -> Any:
    return json.loads(shape.body(events, token="phc_x", sent_at=SENT))


def test_one_event_as_capture_takes_it() -> None:
    """All at the top level, with one name for the token (capture refuses two)."""
    assert body(PostHogShape(""), ONE) == {
        "api_key": "phc_x",
        "uuid": "00000000-0000-0000-0000-000000000007",
        "event": "ingestion_canary",
        "distinct_id": "d-1",
        "timestamp": "2026-07-01T12:00:00.123Z",
        "properties": {"a": "ü", "n": 2**53 + 1},
    }


def test_a_batch_as_capture_takes_it() -> None:
    """The token once, the events with their own uuid and time, and when all were sent."""
    posted = body(PostHogShape(""), ONE, TWO)
    assert (posted["api_key"], posted["historical_migration"]) == ("phc_x", False)
    assert posted["sent_at"] == "2026-07-01T12:00:01.000Z"
    assert [event["uuid"][-1] for event in posted["batch"]] == ["7", "8"]
    assert all("api_key" not in event for event in posted["batch"])


@pytest.mark.parametrize(
    ("url", "count", "path"),
    [
        ("", 1, "/i/v0/e"),
        ("/", 2, "/batch"),
        ("/e", 1, "/e"),
        ("/capture/", 1, "/capture/"),
        ("/batch/", 1, "/batch/"),
        ("/ingest/é?x=1&y=ü", 2, "/ingest/%C3%A9?x=1&y=%C3%BC"),
    ],
)
def test_where_it_is_posted_to(url: str, count: int, path: str) -> None:
    """PostHog's own paths where none is given; else the one that is, whatever it is."""
    with fake_ingress() as fake:
        ingress = HttpIngress(Settings(fake.url + url, lambda: "phc_x"), now=lambda: SENT)
        ingress.post([ONE, TWO][:count])
        assert fake.posted[0].path == path
        assert ("batch" in fake.posted[0].json) is (count > 1 or "batch" in path)
        ingress.close()


def test_any_json_by_template() -> None:
    """Whole strings become values, parts of strings become text, and values are never templates."""
    template = json.dumps(
        {
            "meta": {"id": "{id}", "ms": "{timestamp_ms}", "who": ["{event}/{distinct_id}"], "v": 1},
            "data": "{properties}",
            "key": "k={token}",
            "as_text": "p={properties}",
            "other": "{what}",
        }
    )
    shape = TemplateShape("/in", template=template, batch_template=None)
    posted = body(shape, TWO)
    assert posted["meta"] == {
        "id": str(TWO.id),
        "ms": 1782907200123,
        "who": ["ingestion_canary/d-2"],
        "v": 1,
    }
    assert posted["data"] == {"a": "{token}"}
    assert (posted["key"], posted["other"]) == ("k=phc_x", "{what}")
    assert shape.path(1) == shape.path(9) == "/in"


def test_several_by_template() -> None:
    """An array, or wherever the batch's template wants it."""
    template = '{"i": "{id}"}'
    array = body(TemplateShape("", template=template, batch_template=None), ONE, TWO)
    assert array == [{"i": str(ONE.id)}, {"i": str(TWO.id)}]
    wrapped = TemplateShape("", template=template, batch_template='{"at": "{sent_at}", "all": "{events}"}')
    assert body(wrapped, ONE) == {"at": "2026-07-01T12:00:01.000Z", "all": [{"i": str(ONE.id)}]}


def test_the_default_template_carries_all() -> None:
    """Without a template everything that is compared later is sent."""
    posted = body(TemplateShape("", template=None, batch_template=None), ONE)
    assert posted.keys() == {"id", "event", "distinct_id", "timestamp", "properties"}
    assert posted["properties"] == dict(ONE.properties)


def test_headers_may_carry_the_token() -> None:
    """The token is filled in as it is at that moment, and given headers win over ours."""
    with fake_ingress() as fake:
        headers = {"Authorization": "Bearer {token}", "content-type": "application/cloudevents+json"}
        settings = Settings(fake.url, lambda: "phc_x\n", preset="generic", headers=lambda: headers)
        ingress = HttpIngress(settings, now=lambda: SENT)
        ingress.post([ONE])
        ingress.close()
    assert fake.posted[0].headers["authorization"] == "Bearer phc_x"
    assert fake.posted[0].headers["content-type"] == "application/cloudevents+json"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "ftp://x"}, "probes.url: must be http"),
        ({"url": "http://"}, "probes.url: must be http"),
        ({"url": "http://x:99999"}, "probes.url: Port out of range"),
        ({"url": "http://[::1"}, "probes.url: "),
        ({"url": "http://me:secret-word@x"}, "probes.url: must not hold a user or password"),
        ({"url": "http://ü..x"}, "probes.url: not a host name"),
        ({"headers": lambda: {"X\r\nY": "1"}}, "probes.headers: not a name"),
        ({"headers": lambda: {"Content-Length": "1"}}, "probes.headers: not a name"),
        ({"headers": lambda: {"X": "a\r\nb"}}, "probes.headers.X: must be printable ASCII"),
        ({"preset": "generic", "template": "{"}, "probes.template: must be JSON"),
        ({"preset": "generic", "template": '{"a": "{event}"}'}, "probes.template: must hold {id}"),
        ({"preset": "generic", "batch_template": "{}"}, "probes.batch_template: must hold {events}"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(settings: dict[str, Any], words: str) -> None:
    """Before anything is sent, with the path of the setting and without secrets."""
    with pytest.raises(ValueError, match="probes") as fault:
        HttpIngress(Settings(**{"url": "http://x", "token": lambda: "t", **settings}), now=lambda: SENT)
    assert words in str(fault.value)
    assert "secret-word" not in str(fault.value)
