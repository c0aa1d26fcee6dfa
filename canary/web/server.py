"""Serves metrics, health and the status page on a thread of its own, from memory alone."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from canary.web.page import render

READ_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Where answers come from. Each returns at once, whatever else is down."""

    registry: CollectorRegistry
    status: Callable[[], dict[str, Any]]
    unhealthy: Callable[[], list[str]]
    unready: Callable[[], list[str]]


class WebServer:
    """The monitor's own windows."""

    def __init__(self, host: str, port: int, sources: Sources) -> None:
        """Binds at once; raises OSError where the address is taken."""

        class Handler(_Handler):
            answers = sources

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="web", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    answers: Sources
    timeout = READ_TIMEOUT
    wbufsize = -1  # head and body in one packet: the second of two waits 40 ms for the first one's receipt
    disable_nagle_algorithm = True
    server_version = "ingestion-canary"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._send(200, kind, encode(self.answers.registry))
        elif path == "/healthz":
            self._told(self.answers.unhealthy())
        elif path == "/readyz":
            self._told(self.answers.unready())
        elif path == "/status":
            self._send(200, "application/json", json.dumps(self.answers.status()).encode())
        elif path == "/":
            self._send(200, "text/html; charset=utf-8", render(self.answers.status()).encode())
        else:
            self._send(404, "text/plain; charset=utf-8", b"/ /status /metrics /healthz /readyz\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _told(self, problems: list[str]) -> None:
        text = "".join(f"{problem}\n" for problem in problems) or "ok\n"
        self._send(503 if problems else 200, "text/plain; charset=utf-8", text.encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are nobody's news."""
