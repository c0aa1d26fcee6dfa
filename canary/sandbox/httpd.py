"""A small threaded HTTP/1.1 server behind a gate: what the sandbox's servers have in common."""

import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from canary.sandbox.gate import Down, Gate, Throttled
from canary.sandbox.ports import HOST, free_port

_LOG = logging.getLogger(__name__)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_RETRY_AFTER = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request with its body read; header names are in lower case."""

    method: str
    path: str
    args: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back; Content-Length is added on the way out."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def form_fields(request: Request) -> dict[str, str]:
    """The text fields of a multipart or url-encoded body; nothing for any other body."""
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    if not content_type.startswith("multipart/form-data"):
        return {}
    head = b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
    fields = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + request.body).iter_parts():
        value = part.get_payload(decode=True)
        if isinstance(value, bytes):
            fields[str(part.get_param("name", header="content-disposition"))] = value.decode()
    return fields


Answer = Callable[[Request], Response]
"""Answers one request; raises Down where the connection should be reset instead."""


@dataclass(frozen=True, slots=True)
class _Rules:
    answer: Answer
    gate: Gate
    throttled: bytes
    ungated: frozenset[str]


class HttpServer:
    """Listens on this machine only; can be stopped and started again on the same port.

    `throttled` is the body of its 429s; the paths in `ungated` are answered whatever the gate says.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        gate: Gate,
        port: int = 0,
        name: str = "http",
        throttled: bytes = b"slow down\n",
        ungated: frozenset[str] = frozenset(),
    ) -> None:
        self._rules = _Rules(answer, gate, throttled, ungated)
        self._name = name
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Return when connections are accepted."""
        self._port = self._port or free_port()
        server = _Server((HOST, self._port), self._rules)
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.1,), name=f"{self._name}:{self._port}", daemon=True
        )
        self._thread.start()

    def stop(self, *, within: timedelta = timedelta(seconds=3)) -> None:
        """Close the port and every connection, and wait for their threads; does nothing when not started."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        server.shutdown()
        server.server_close()
        thread.join()
        server.hang_up(within)


class _Server(ThreadingHTTPServer):
    """Remembers its connections, so that stopping can end those which are kept alive."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], rules: _Rules) -> None:
        self.rules = rules
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="connection", daemon=True
        )
        with self._lock:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: object) -> None:
        """Close without a farewell where the gate was down, so that the caller sees a reset."""
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.pop(request, None)
        if request.fileno() >= 0 and not request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):
            super().shutdown_request(request)
        else:
            self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A caller that goes away is none of our business; anything else is a fault of ours."""
        _LOG.debug("connection of %s ended", client_address, exc_info=True)

    def hang_up(self, within: timedelta) -> None:
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                _LOG.debug("a connection was closed already")
        deadline = time.monotonic() + within.total_seconds()
        for thread in connections.values():
            thread.join(max(0.0, deadline - time.monotonic()))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server

    def do_POST(self) -> None:
        rules = self.server.rules
        try:
            if urlsplit(self.path).path not in rules.ungated:
                rules.gate.enter()
            answer = rules.answer(self._request())
        except Throttled:
            self._body()
            answer = Response(429, rules.throttled, _RETRY_AFTER)
        except Down:
            self._reset()
            return
        self._send(answer)

    do_GET = do_HEAD = do_PUT = do_POST  # noqa: N815 - http.server's names

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=parts.path,
            args=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
        )

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def _send(self, answer: Response) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        _LOG.debug(format, *args)
