"""An ingress that answers badly, or not at all, or with malice: on the wire, with real sockets."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from reconcile.outcome import Receipt
from tests.contract.fake_ingress import (
    OK,
    Behaviour,
    answer,
    drips,
    fake_ingress,
    floods,
    half_closes,
    hangs_up,
    resets,
    says,
    silent,
)
from tests.contract.ingress_kit import SHORT, TOKEN, Maker, canary, making_ingresses, told

ingress = pytest.fixture(making_ingresses)


NO_ANSWER: dict[str, tuple[Behaviour, ...]] = {
    "silence": (silent,),
    "closed": (hangs_up,),
    "half closed": (half_closes,),
    "reset": (resets,),
    "a dripping head": (drips(OK),),
    "endless headers": (floods(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 200 + b"\r\n"),),
    "an endless header": (floods(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),),
    "endless interim answers": (floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 40_000),),
    "endless early hints": (floods(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 40_000),),
    "a garbage status line": (says(b"\x00\xff\x16\x03 nonsense\r\n\r\n"),),
    "an impossible status": (says(b"HTTP/1.1 2000 OK\r\n\r\n"),),
    "another protocol": (says(b"SSH-2.0-OpenSSH_9.6\r\n", then_close=True),),
    "half a status line": (says(b"HTTP/1.1 20", then_close=True),),
    "half a head": (says(b"HTTP/1.1 200 OK\r\nContent-Le", then_close=False),),
}


@pytest.mark.parametrize("behaviour", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_no_readable_answer_is_unknown_and_in_time(ingress: Maker, behaviour: tuple[Behaviour, ...]) -> None:
    """Whatever the other side does, the post ends within its deadline, is sent once, and claims nothing."""
    with fake_ingress(*behaviour) as fake:
        began = time.monotonic()
        said = ingress(fake.url).post([canary()])
        took = time.monotonic() - began
        assert len(fake.posted) == 1
    told(said)
    assert (said.receipt, said.status, said.tries) == (Receipt.UNKNOWN, None, 1)
    assert said.detail.startswith("sent, but no answer")
    assert took < SHORT.total_seconds() + 0.5


CUT_SHORT: dict[str, Behaviour] = {
    "dripping body": drips(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", every=0),
    "short body": says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nx", then_close=True),
    "endless body": floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000),
    "huge length": says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nx", then_close=True),
    "bad chunks": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", then_close=True),
    "negative chunk": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx", then_close=True),
    "huge chunk": says(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\nx", then_close=True
    ),
}


@pytest.mark.parametrize("behaviour", CUT_SHORT.values(), ids=CUT_SHORT.keys())
def test_a_heard_head_counts_whatever_its_body_does(ingress: Maker, behaviour: Behaviour) -> None:
    """A 200 was said; the connection with the rest of the answer in it is never used again."""
    with fake_ingress(behaviour, says(OK)) as fake:
        one = ingress(fake.url)
        began = time.monotonic()
        first, second = one.post([canary()]), one.post([canary()])
        assert time.monotonic() - began < SHORT.total_seconds() + 0.5
        assert [posted.connection for posted in fake.posted] == [1, 2]
    told(first)
    assert (first.receipt, first.status) == (Receipt.ACCEPTED, 200)
    assert "did not come whole" in first.detail
    assert second.detail == "200 OK"


def test_a_server_that_does_not_read_is_unknown(ingress: Maker) -> None:
    """A body that fits into nobody's buffers is cut off at the deadline."""
    with fake_ingress(silent, unread=True) as fake:
        event = replace(canary(), properties={"x": "y" * 20_000_000})
        began = time.monotonic()
        said = ingress(fake.url, gzip=False).post([event])
        assert time.monotonic() - began < 2
    assert said.receipt is Receipt.UNKNOWN
    assert said.detail.startswith("sent, but no answer: while sending")


def test_an_answer_given_before_the_body_was_read_is_heard(ingress: Maker) -> None:
    """A server that refuses an event for its size answers, and closes, while it is still being sent."""
    too_big = answer("413 Payload Too Large", b"too big", "Connection: close")
    with fake_ingress(says(too_big, then_close=True), unread=True) as fake:
        said = ingress(fake.url, gzip=False, timeout=timedelta(seconds=2)).post(
            [canary() for _ in range(6000)]
        )
    assert (said.receipt, said.status) in {(Receipt.REFUSED, 413), (Receipt.UNKNOWN, None)}


def test_an_answer_nobody_asked_for_is_not_taken_for_the_next(ingress: Maker) -> None:
    """A second answer in the same breath does not acknowledge the next canary."""
    with fake_ingress(says(OK + OK), says(answer("400 Bad Request"))) as fake:
        one = ingress(fake.url)
        assert one.post([canary()]).status == 200
        assert one.post([canary()]).status == 400


HOSTILE = "\x1b[31mred\x07\r\u202egnp\u2028 " + TOKEN


@pytest.mark.parametrize(
    "said",
    [
        answer("400 " + "b\xe4d \x9b\x1b[2J", HOSTILE.encode()),
        answer("400 Bad", b"\xff\xfe" * 300),
        answer("302 Found", b"", f"Location: https://u:{TOKEN}@evil.example/{TOKEN}?{TOKEN}"),
        answer(f"403 {TOKEN}", b""),
        answer("400 Bad", b"x" * 195 + TOKEN.encode()),
    ],
)
def test_what_is_heard_is_made_safe(ingress: Maker, said: bytes) -> None:
    """One short line without control characters, reversed text or the token, whatever the ingress says."""
    with fake_ingress(says(said)) as fake:
        heard = ingress(fake.url).post([canary()])
    told(heard)
    assert not set(heard.detail) & set("\x1b\x07\r\n\u202e\u2028")
    assert TOKEN[:8] not in heard.detail
    assert heard.receipt is Receipt.REFUSED
