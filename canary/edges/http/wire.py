"""One HTTP connection that keeps to one deadline for all it does, whatever the other side does."""

import http.client
import io
import ipaddress
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from canary.edges.http.plain import Plain, plain

MAX_BYTES = 256 * 1024
"""An answer longer than this, head and body, is not read to its end."""

MAX_BODY = 64 * 1024
_SLICE = 16 * 1024
_INTERIM = (102, 103)


class Unsent(Exception):  # noqa: N818 - reads as what happened
    """Nothing left this machine, or nothing that the other side could have taken for a request."""


class Unconnected(Unsent):
    """There was nobody to send it to; a moment later there may be."""


class Unanswered(Exception):  # noqa: N818
    """The request went out, whole or in part, and no answer came back that can be read."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. `body` is empty where it did not come whole; `again` tells that the connection can stay."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    again: bool


class Resolver:
    """Looks one name up, in a thread: the system's resolver knows no deadline. One lookup at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._lock = threading.Lock()
        self._running: _Lookup | None = None
        self._numeric = _is_address(host)

    def addresses(self, deadline: float) -> list[tuple[Any, ...]]:
        """Fresh addresses, in the order in which they should be tried."""
        if self._numeric:
            return list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM))
        with self._lock:
            lookup = self._running
            if lookup is None or lookup.done.is_set():
                lookup = self._running = _Lookup(self._host, self._port)
        if not lookup.done.wait(max(0.0, deadline - time.monotonic())):
            raise TimeoutError("the name was not resolved in time")
        if lookup.error is not None:
            raise OSError(f"name not found: {lookup.error}")
        return lookup.found


class _Lookup:
    def __init__(self, host: str, port: int) -> None:
        self.done = threading.Event()
        self.found: list[tuple[Any, ...]] = []
        self.error: str | None = None
        threading.Thread(target=self._run, args=(host, port), daemon=True, name="resolve").start()

    def _run(self, host: str, port: int) -> None:
        try:
            self.found = list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            self.error = told(error)
        finally:
            self.done.set()


class Wire:
    """A connected socket, spoken through http.client; made by `connect`."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._left = MAX_BYTES
        self._out: list[bytes] = []
        self._fresh = self._clean = True
        self._reader = _Kept(_Reader(self), _SLICE)
        self.born = time.monotonic()

    @property
    def usable(self) -> bool:
        """Whether it can be posted on: the last answer came whole, and the other side is silent and there."""
        if not self._clean or self._sock.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return not poll.poll(0)

    def exchange(
        self, target: str, *, host: str, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> Heard:
        """Post, and read the answer; Unsent or Unanswered when there is none."""
        self._deadline, self._left, self._out = deadline, MAX_BYTES, []
        self._reader = _Kept(_Reader(self), _SLICE)  # what is left of an earlier answer is nobody's
        connection = http.client.HTTPConnection(host)
        connection.auto_open = 0
        connection.sock = self
        try:
            connection.request("POST", target, body=body, headers=dict(headers))
        except (ValueError, http.client.HTTPException) as error:
            raise Unsent(f"the request cannot be written: {type(error).__name__}") from None
        self._clean = False
        self._flush()
        heard = self._answer()
        self._fresh, self._clean = False, heard.again
        return heard

    def abort(self) -> None:
        """Wake whoever waits on it."""
        with suppress(OSError):
            # not SSLSocket's own, which lets a send that runs at this moment go out in plain text
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Let it go. Also called by http.client, which takes this for a socket."""
        self._sock.close()

    def sendall(self, data: bytes) -> None:
        """Collects: head and body leave together, once both are known to be valid."""
        self._out.append(data)

    def makefile(self, *_: object) -> io.BufferedReader:
        """For http.client. One for the whole exchange: an interim answer must not take the next along."""
        return self._reader

    def receive(self, buffer: memoryview) -> int:
        """Read what there is, within what is left of time and bytes."""
        if self._left <= 0:
            raise OSError(f"the answer is longer than {MAX_BYTES} bytes")
        self._sock.settimeout(self._remaining())
        got = self._sock.recv_into(buffer[: min(len(buffer), self._left)])
        self._left -= got
        return got

    def _remaining(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left

    def _flush(self) -> None:
        view = memoryview(b"".join(self._out))
        try:
            while view:
                self._sock.settimeout(self._remaining())
                view = view[self._sock.send(view[:_SLICE]) :]
        except (BrokenPipeError, ConnectionResetError):
            return  # it may have answered before it closed (413, 401): what it said is still to be read
        except OSError as error:
            raise Unanswered(f"while sending: {told(error)}") from None

    def _answer(self) -> Heard:
        try:
            head = plain(self._reader.peek())
            if head is not None and head.body < MAX_BODY:
                return self._plain(head)
            response = http.client.HTTPResponse(self, method="POST")  # type: ignore[arg-type]
            response.begin()
            while response.status in _INTERIM:
                response = http.client.HTTPResponse(self, method="POST")  # type: ignore[arg-type]
                response.begin()
        except ssl.SSLError as error:
            if self._fresh and _about_our_certificate(error):
                raise Unsent(f"TLS: {told(error)}") from None
            raise Unanswered(told(error)) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(told(error)) from None
        try:
            body = response.read(MAX_BODY)
            whole = response.length in (0, None) and len(body) < MAX_BODY
        except (OSError, ValueError, http.client.HTTPException):  # ValueError: a chunk of negative size
            body, whole = b"", False
        headers = {name.lower(): value for name, value in response.headers.items()}
        again = whole and not response.will_close
        return Heard(response.status, response.reason, headers, body if whole else b"", whole, again)

    def _plain(self, head: Plain) -> Heard:
        self._reader.read(head.head)
        try:
            body = self._reader.read(head.body)
        except OSError:
            body = b""
        whole = len(body) == head.body
        return Heard(head.status, head.reason, head.headers, body if whole else b"", whole, whole)


class _Reader(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.receive(memoryview(buffer))


class _Kept(io.BufferedReader):
    """Stays open when http.client closes what it has read an answer from."""

    def close(self) -> None:
        pass


def connect(resolver: Resolver, *, tls: ssl.SSLContext | None, host: str, deadline: float) -> Wire:
    """A new connection to the first address that takes it; Unsent when none does."""
    try:
        sock = _connected(resolver.addresses(deadline), deadline)
    except OSError as error:
        raise Unconnected(f"connecting: {told(error)}") from None
    if tls is None:
        return Wire(sock, deadline)
    try:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        return Wire(tls.wrap_socket(sock, server_hostname=host), deadline)
    except (OSError, ValueError) as error:
        sock.close()
        raise Unsent(f"TLS: {told(error)}") from None


def _connected(addresses: list[tuple[Any, ...]], deadline: float) -> socket.socket:
    last: OSError = OSError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - index)
        if share <= 0:
            raise TimeoutError("no connection in time")
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(share)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    raise last


def told(error: Exception) -> str:
    """What a transport's error says, without numbers of lines and errors."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return str(error) if not error.errno and "timed out" not in str(error) else "timed out"
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed without an answer"
    if isinstance(error, http.client.HTTPException):
        return f"not an HTTP answer ({type(error).__name__})"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _about_our_certificate(error: ssl.SSLError) -> bool:
    """TLS 1.3 servers judge our certificate after we have begun to send, and read no byte if they refuse."""
    reason = error.reason or ""
    return "ALERT" in reason and any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE"))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
