"""What the tests of the ClickHouse stage write, ask, and put in its way."""

import http.server
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from canary.clock import Line, SystemClock
from canary.edges.clickhouse import ClickHouseStage
from canary.sandbox.ports import free_port as free_port
from canary.values import Wanted

EVENT = "ingestion_canary"
PASSWORD = "pass:word"
LINE = Line(SystemClock())
MakeStage = Callable[..., ClickHouseStage]


def wanted(number: int = 0) -> Wanted:
    return Wanted(uuid.uuid4(), LINE.now(), EVENT, f"c-{number}")


def row(one: Wanted, **changed: object) -> dict[str, object]:
    return {
        "uuid": str(one.id),
        "event": one.event,
        "properties": "{}",
        "timestamp": one.sent_at,
        "_timestamp": one.sent_at,
        "team_id": 3,
        "distinct_id": one.distinct_id,
        **changed,
    }


@contextmanager
def in_front(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def readonly(target: str, extra: str) -> type[http.server.BaseHTTPRequestHandler]:
    """A server whose profile says what `extra` says, with readonly=1."""
    return passing_on(target, lambda _: f"{extra}readonly=1")


def passing_on(target: str, extra: Callable[[str], str]) -> type[http.server.BaseHTTPRequestHandler]:
    """Passes questions on, with what `extra` adds to each path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {k: v for k, v in self.headers.items() if k in ("Authorization", "Content-Type")}
            url = f"{target}{self.path}&{extra(self.path)}"
            request = urllib.request.Request(url, data=body or None, headers=headers)
            with urllib.request.urlopen(request, timeout=5) as answer:
                content = answer.read()
                self.send_response(200)
                for name, value in answer.headers.items():
                    if name.lower().startswith("x-clickhouse"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = _forward  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


class Page(http.server.BaseHTTPRequestHandler):
    """A web server that is no ClickHouse."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "19")
        self.end_headers()
        self.wfile.write(b"<html>hello</html>\n")

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
