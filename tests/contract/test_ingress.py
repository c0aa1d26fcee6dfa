"""What an HTTP ingress may do to a canary, and what is said of it: on the wire, with real sockets."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime
from uuid import UUID

import pytest

from canary.edges.http import HttpIngress, Settings
from canary.sandbox.ports import free_port
from canary.values import Answer
from reconcile.outcome import Receipt
from tests.contract.fake_ingress import (
    OK,
    answer,
    fake_ingress,
    hangs_up,
    says,
    silent,
)
from tests.contract.ingress_kit import TOKEN, Maker, canary, making_ingresses, now, told

ingress = pytest.fixture(making_ingresses)


@pytest.mark.parametrize(
    ("status", "receipt"),
    [
        ("200 OK", Receipt.ACCEPTED),
        ("202 Accepted", Receipt.ACCEPTED),
        ("204 No Content", Receipt.ACCEPTED),
        ("301 Moved Permanently", Receipt.REFUSED),
        ("307 Temporary Redirect", Receipt.REFUSED),
        ("400 Bad Request", Receipt.REFUSED),
        ("401 Unauthorized", Receipt.REFUSED),
        ("413 Payload Too Large", Receipt.REFUSED),
        ("500 Internal Server Error", Receipt.UNKNOWN),
        ("502 Bad Gateway", Receipt.UNKNOWN),
        ("503 Service Unavailable", Receipt.UNKNOWN),
        ("504 Gateway Timeout", Receipt.UNKNOWN),
        ("101 Switching Protocols", Receipt.UNKNOWN),
        ("799 Whatever", Receipt.UNKNOWN),
    ],
)
def test_what_each_status_means(ingress: Maker, status: str, receipt: Receipt) -> None:
    """One try each: what was refused or is unknown is never sent again."""
    with fake_ingress(says(answer(status))) as fake:
        said = ingress(fake.url).post([canary()])
    told(said)
    assert (said.receipt, said.status, said.tries) == (receipt, int(status[:3]), 1)
    assert said.detail.startswith(status)
    assert len(fake.posted) == 1


def test_an_interim_answer_is_not_the_answer(ingress: Maker) -> None:
    """100 and 103 are passed over, also when the answer comes in the same packet."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    with fake_ingress(says(interim + answer("400 Bad Request"))) as fake:
        assert ingress(fake.url).post([canary()]).status == 400


@pytest.mark.parametrize("status", ["429 Too Many Requests", "408 Request Timeout"])
def test_told_to_come_back_it_comes_back_with_the_same_id(ingress: Maker, status: str) -> None:
    """Of several tries one that was accepted counts."""
    with fake_ingress(says(answer(status, b"", "Retry-After: 0")), says(OK)) as fake:
        event = canary()
        said = ingress(fake.url).post([event])
    told(said)
    assert (said.receipt, said.status, said.tries) == (Receipt.ACCEPTED, 200, 2)
    assert said.detail == f"{status[:3]}, then 200 OK"
    assert [UUID(posted.json["uuid"]) for posted in fake.posted] == [event.id] * 2


def test_only_throttled_is_refused(ingress: Maker) -> None:
    """After so many tries nothing was taken, and that is sure."""
    with fake_ingress(says(answer("429 Too Many Requests", b"", "Retry-After: 0"))) as fake:
        said = ingress(fake.url, tries=3).post([canary()])
    assert (said.receipt, said.tries, len(fake.posted)) == (Receipt.REFUSED, 3, 3)


def test_an_unknown_try_after_a_throttled_one_is_the_last(ingress: Maker) -> None:
    """What may have been taken is not sent again, and makes the whole unknown."""
    with fake_ingress(says(answer("429 Slow Down", b"", "Retry-After: 0")), hangs_up, says(OK)) as fake:
        said = ingress(fake.url).post([canary()])
    assert (said.receipt, said.status, said.tries, len(fake.posted)) == (Receipt.UNKNOWN, None, 2, 2)


@pytest.mark.parametrize("after", ["3600", "999999999999999", "date"])
def test_patience_has_an_end(ingress: Maker, after: str) -> None:
    """Asked to come back later than it may wait, it does not wait at all."""
    after = format_datetime(now() + timedelta(hours=1)) if after == "date" else after
    with fake_ingress(says(answer("429 Slow Down", b"", f"Retry-After: {after}"))) as fake:
        began = time.monotonic()
        said = ingress(fake.url, patience=timedelta(seconds=0.2)).post([canary()])
        assert time.monotonic() - began < 1
    assert (said.receipt, said.tries) == (Receipt.REFUSED, 1)


def test_retry_after_is_honoured(ingress: Maker) -> None:
    """A second asked for is a second waited, and the clock starts at the first byte of the first try."""
    with fake_ingress(says(answer("429 Slow Down", b"", "Retry-After: 1")), says(OK)) as fake:
        said = ingress(fake.url).post([canary()])
    assert said.answered_at - said.started_at >= timedelta(seconds=1)


def test_nothing_listening_is_refused(ingress: Maker) -> None:
    """Nothing was sent, so nothing was taken."""
    port = free_port()
    said = ingress(f"http://127.0.0.1:{port}").post([canary()])
    told(said)
    assert (said.receipt, said.status, said.tries) == (Receipt.REFUSED, None, 3)
    assert said.detail == "not sent: connecting: Connection refused"


def test_an_ingress_that_restarts_gets_the_canary_a_moment_later(ingress: Maker) -> None:
    """Nobody was there to take it, so it is sent again; the clock starts when it first went out."""
    port = free_port()
    began = now()
    posts = ThreadPoolExecutor(1).submit(ingress(f"http://127.0.0.1:{port}", tries=5).post, [canary()])
    time.sleep(0.4)
    with fake_ingress(says(OK), port=port) as fake:
        said = posts.result(timeout=5)
        assert len(fake.posted) == 1
    told(said)
    assert said.receipt is Receipt.ACCEPTED
    assert said.started_at - began >= timedelta(seconds=0.4)
    assert said.detail == "no connection, " * (said.tries - 1) + "then 200 OK"


def test_a_name_that_does_not_exist_is_refused(ingress: Maker) -> None:
    """The reserved name never resolves, and the lookup keeps to the deadline."""
    said = ingress("http://nowhere.invalid").post([canary()])
    told(said)
    assert said.receipt is Receipt.REFUSED
    assert said.detail.startswith("not sent: connecting: ")


def test_a_name_is_looked_up(ingress: Maker) -> None:
    """A host name works as an address does."""
    with fake_ingress() as fake:
        assert ingress(f"http://localhost:{fake.port}").post([canary()]).receipt is Receipt.ACCEPTED
    assert fake.posted[0].headers["host"] == f"localhost:{fake.port}"


def test_a_connection_is_kept_for_its_lane(ingress: Maker) -> None:
    """One connection a lane, however many posts."""
    with fake_ingress() as fake:
        one = ingress(fake.url)
        for lane in (0, 0, 1, 1, 0):
            assert one.post([canary()], lane).receipt is Receipt.ACCEPTED
    assert [posted.connection for posted in fake.posted] == [1, 1, 2, 2, 1]


def test_a_connection_is_renewed_in_time(ingress: Maker) -> None:
    """A new one looks the name up again: an ingress that moved is followed."""
    with fake_ingress() as fake:
        one = ingress(fake.url, renew=timedelta(0))
        for _ in range(3):
            one.post([canary()])
    assert fake.connections == 3


def test_a_connection_the_server_closed_is_noticed_before_anything_is_sent(ingress: Maker) -> None:
    """An idle connection that the server closed costs no canary."""
    with fake_ingress() as fake:
        one = ingress(fake.url)
        for _ in range(5):
            assert one.post([canary()]).receipt is Receipt.ACCEPTED
            fake.hang_up()
            time.sleep(0.02)
    assert fake.connections == 5


def test_closing_wakes_a_post_and_refuses_the_next(ingress: Maker) -> None:
    """The program's end does not wait for an ingress that does not answer."""
    with fake_ingress(silent) as fake:
        one = ingress(fake.url, timeout=timedelta(seconds=30))
        said: list[Answer] = []
        thread = threading.Thread(target=lambda: said.append(one.post([canary()])), daemon=True)
        thread.start()
        while not fake.posted:
            time.sleep(0.01)
        one.close()
        thread.join(2)
    assert [each.receipt for each in said] == [Receipt.UNKNOWN]
    after = one.post([canary()])
    assert (after.receipt, after.detail) == (Receipt.REFUSED, "not sent: this program is ending")


def test_a_redirect_is_named_not_followed(ingress: Maker) -> None:
    """A person sees where it leads, without what may be secret in it."""
    with fake_ingress(
        says(answer("308 Permanent Redirect", b"", "Location: https://eu.example/e?t=1"))
    ) as fake:
        said = ingress(fake.url).post([canary()])
    assert said.detail == "308 Permanent Redirect: redirects are not followed (to eu.example)"
    assert len(fake.posted) == 1


def test_refusals_say_why(ingress: Maker) -> None:
    """The ingress's own words are kept."""
    with fake_ingress(says(answer("401 Unauthorized", b"event submitted without an api_key"))) as fake:
        said = ingress(fake.url).post([canary()])
    assert said.detail == "401 Unauthorized: event submitted without an api_key"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"status": "Ok", "quota_limited": ["events"]}', "200 OK: quota limited (events)"),
        (b'{"quotaLimited": true}', "200 OK: quota limited (True)"),
        (b'{"status": "Ok", "quota_limited": []}', "200 OK"),
        (b'["quota_limited"]', "200 OK"),
        (b'{"quota_limited"', "200 OK"),
    ],
)
def test_a_good_answer_that_names_a_quota_is_told_so(ingress: Maker, body: bytes, told: str) -> None:
    """It was accepted all the same: what was promised is owed."""
    with fake_ingress(says(answer("200 OK", body))) as fake:
        said = ingress(fake.url).post([canary()])
    assert (said.receipt, said.detail) == (Receipt.ACCEPTED, told)


def test_a_token_that_cannot_be_read_sends_nothing() -> None:
    """A secret file that is gone is named; no post goes out without a token."""

    def gone() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    with fake_ingress() as fake:
        said = HttpIngress(Settings(fake.url, gone), now=now).post([canary()])
    told(said)
    assert said.receipt is Receipt.REFUSED
    assert "the token or the headers cannot be read" in said.detail
    assert fake.posted == []


def test_nothing_secret_is_shown() -> None:
    """Settings can be logged."""
    settings = Settings("http://x", lambda: TOKEN, headers=lambda: {"Authorization": "Bearer hidden-thing"})
    assert "hidden-thing" not in repr(settings)
    assert TOKEN not in repr(settings)


def test_what_is_posted_is_what_was_made(ingress: Maker) -> None:
    """Through gzip and JSON the content comes out as it went in."""
    event = canary()
    for gzip in (True, False):
        with fake_ingress() as fake:
            ingress(fake.url, gzip=gzip).post([event])
        (posted,) = fake.posted
        assert posted.json["properties"] == json.loads(json.dumps(dict(event.properties)))
        assert posted.headers["content-type"] == "application/json"
        assert (posted.headers.get("content-encoding") == "gzip") is gzip
