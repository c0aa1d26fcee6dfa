"""What the short way reads of an answer is what http.client reads of it; whatever is odd is left to that."""

import http.client
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.edges.http.plain import plain

VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
NAME = st.sampled_from(
    ["Server", "x-a", "X-A", "Content-Type", "retry-after", "Content-Length", "connection"]
)
HEADERS = st.lists(st.tuples(NAME, VISIBLE | st.sampled_from(["keep-alive", "close", "5"])), max_size=5)
SIMPLE = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\n\r\nok"


class _Heard:
    """What http.client takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def makefile(self, *_: object) -> io.BytesIO:
        return self._file


def _by_the_library(data: bytes) -> http.client.HTTPResponse:
    heard: Any = _Heard(data)
    response = http.client.HTTPResponse(heard, method="POST")
    response.begin()
    return response


@given(
    st.integers(200, 599), VISIBLE, HEADERS, st.binary(max_size=30), st.sampled_from(["\r\n", "\n", "\r\n "])
)
def test_what_is_taken_is_what_the_library_takes(
    status: int, reason: str, headers: list[tuple[str, str]], body: bytes, end: str
) -> None:
    """Status, reason, headers, the body and whether the connection stays: none differs."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    lines.insert(1, f"content-length: {len(body)}")
    data = (end.join(lines) + "\r\n\r\n").encode() + body
    found = plain(data)
    if found is None:
        return
    told = _by_the_library(data)
    assert (found.status, found.reason) == (told.status, told.reason)
    assert dict(found.headers) == {name.lower(): value for name, value in told.headers.items()}
    assert told.length == found.body
    assert not told.will_close
    assert data[found.head : found.head + found.body] == told.read()


def test_the_usual_answer_is_taken() -> None:
    """Or nothing would be won."""
    found = plain(SIMPLE)
    assert found is not None
    assert (found.status, found.reason, found.headers["server"]) == (200, "OK", "s")
    assert SIMPLE[found.head :] == b"ok"


@pytest.mark.parametrize("cut", range(len(SIMPLE) - 2))
def test_a_head_that_is_not_whole_is_left(cut: int) -> None:
    """Its rest is still to come."""
    assert plain(SIMPLE[:cut]) is None


@pytest.mark.parametrize(
    "line",
    [
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Content-Length: 2",
        b"Content-Length: -1",
        b"Server: another",
        b" folded: on",
        b"no colon",
        b"umlaut: \xc3\xbc",
        b"tab:\tafter",
    ],
)
def test_what_is_odd_is_left_to_the_library(line: bytes) -> None:
    """So is every interim answer, and each that has no body by its status."""
    assert plain(SIMPLE.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")) is None
    for status in (b"100", b"204", b"304"):
        assert plain(SIMPLE.replace(b"200", status)) is None
    assert plain(SIMPLE.replace(b"HTTP/1.1", b"HTTP/1.0")) is None
