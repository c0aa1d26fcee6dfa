"""An ingress made of a raw socket: it says exactly the bytes it is told to, when it is told to."""

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"Ok"}'


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Posted:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    raw: bytes
    connection: int

    @property
    def json(self) -> Any:
        zipped = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.raw) if zipped else self.raw)


Behaviour = Callable[[socket.socket], None]


def says(data: bytes, *, then_close: bool = False) -> Behaviour:
    """Answer with these bytes."""

    def act(sock: socket.socket) -> None:
        sock.sendall(data)
        if then_close:
            sock.close()

    return act


def drips(data: bytes, *, every: float = 0.05) -> Behaviour:
    """Say it one byte at a time."""

    def act(sock: socket.socket) -> None:
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(every)

    return act


def floods(head: bytes, more: bytes, times: int = 4000) -> Behaviour:
    """Say something that does not end."""

    def act(sock: socket.socket) -> None:
        sock.sendall(head)
        for _ in range(times):
            sock.sendall(more)

    return act


def silent(sock: socket.socket) -> None:
    """Say nothing and keep the connection."""


def hangs_up(sock: socket.socket) -> None:
    """Close without a word."""
    sock.close()


def half_closes(sock: socket.socket) -> None:
    """Say no more, but keep listening."""
    sock.shutdown(socket.SHUT_WR)


def resets(sock: socket.socket) -> None:
    """Reset the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@dataclass
class FakeIngress:
    """Behaves as scripted, one behaviour a request, the last one for ever."""

    script: Sequence[Behaviour]
    port: int = 0
    tls: ssl.SSLContext | None = None
    unread: bool = False
    connections: int = 0
    posted: list[Posted] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def hang_up(self) -> None:
        """Close every connection from this side, as a server does with those that idle."""
        with self._lock:
            connections, self._open = self._open, []
        for sock in connections:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError, EOFError):
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._open.append(sock)
            while True:
                posted = Posted("", {}, b"", number) if self.unread else _read(sock, number)
                with self._lock:
                    behaviour = self.script[min(len(self.posted), len(self.script) - 1)]
                    self.posted.append(posted)
                behaviour(sock)
                if self.unread:
                    return


def _read(sock: socket.socket, number: int) -> Posted:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += _more(sock)
    return Posted(first.split(" ")[1], headers, body, number)


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise EOFError
    return data


@contextmanager
def fake_ingress(
    *script: Behaviour, tls: ssl.SSLContext | None = None, unread: bool = False, port: int = 0
) -> Iterator[FakeIngress]:
    """Listens on this machine until the block ends. `unread` acts before anything is read."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        fake = FakeIngress(script or (says(OK),), listener.getsockname()[1], tls, unread)
        thread = threading.Thread(target=fake.accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            fake.hang_up()
