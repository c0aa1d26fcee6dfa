"""Whatever an ingress answers: it ends in a receipt with words that can be shown, and never raises."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.edges.http import HttpIngress, Settings
from canary.event import Payload
from canary.identity import Mint
from reconcile.outcome import Receipt
from tests.fuzz.food import fuzzed, mutated

SECRET = b"a secret of at least thirty-two bytes"
TOKEN = "phc_do_not_show_me"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = Payload(SECRET, "p").event(Mint(SECRET, "p").mint(NOW), distinct_id="canary-p-0", sent_at=NOW)
BODY = f'{{"status": 1, "echo": "{TOKEN}"}}'.encode()
HEADERS = (
    b"",
    b"Retry-After: 1\r\n",
    b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
    b"Retry-After: -1e999\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Type: text/html; charset=\xff\r\n",
    b"Connection: close\r\n",
    b"X: " + b"y" * 70_000 + b"\r\n",
)
CODES = (
    "200",
    "204",
    "100",
    "102",
    "301",
    "400",
    "401",
    "413",
    "429",
    "500",
    "503",
    "599",
    "999",
    "0200",
    "-1",
    "2e2",
)
ANSWERS = st.builds(
    lambda code, reason, headers: (
        b"HTTP/1.1 %s %s\r\n%sContent-Length: %d\r\n\r\n%s"
        % (code.encode(), reason, b"".join(headers), len(BODY), BODY)
    ),
    st.sampled_from(CODES),
    st.sampled_from([b"OK", b"", b"\xff\xfe", b"\x1b[31mred", TOKEN.encode()]),
    st.lists(st.sampled_from(HEADERS), max_size=2),
)


class Answering:
    """A server that says what it was told to say to each connection, and hangs up."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.answer = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                try:
                    while (heard := connection.recv(65536)) and b"canary-p-0" not in heard:
                        pass
                    connection.sendall(self.answer)
                except OSError:
                    continue

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Answering]:
    made = Answering()
    yield made
    made.close()


@pytest.fixture(scope="module")
def ingress(server: Answering) -> Iterator[HttpIngress]:
    settings = Settings(server.url, lambda: TOKEN, timeout=timedelta(seconds=2), gzip=False, tries=1)
    made = HttpIngress(settings, now=lambda: datetime.now(UTC))
    yield made
    made.close()


@fuzzed
@given(answer=ANSWERS.flatmap(mutated) | ANSWERS | st.binary(max_size=80))
def test_an_answer(server: Answering, ingress: HttpIngress, answer: bytes) -> None:
    """What cannot be read is unknown; a receipt needs a status line; nothing secret is said.

    On a starved machine the time may be over before anything was sent: that is refused, and said so."""
    server.answer = answer
    said = ingress.post([EVENT])
    assert said.started_at <= said.answered_at
    assert said.receipt in Receipt
    assert said.detail
    assert said.detail.isprintable()
    assert len(said.detail) <= 200
    assert TOKEN not in said.detail
    if b"HTTP/1." not in answer:
        assert said.status is None
        assert (said.receipt is Receipt.REFUSED) == said.detail.startswith("not sent: ")
        assert said.receipt is not Receipt.ACCEPTED
    if said.receipt is Receipt.ACCEPTED:
        assert said.status is not None
        assert 200 <= said.status < 300
