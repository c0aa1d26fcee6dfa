"""Reading a Prometheus endpoint: a real exposition, and whatever else may answer."""

import http.server
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from canary.counted import CounterTroubleError
from canary.edges.prometheus import Endpoint
from canary.edges.prometheus.scrape import MOST, parsed
from tests.canary.edges.clickhouse.bench import free_port, in_front

NAMES = frozenset({"capture_events_received_total", "capture_events_dropped_total"})


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[Endpoint]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with in_front(Handler) as address:
        made = Endpoint(f"{address}/metrics", names=NAMES, cause="cause", timeout=timedelta(seconds=2))
        yield made
        made.close()


def exposition() -> bytes:
    registry = CollectorRegistry()
    Counter("capture_events_received", "x", registry=registry).inc(12)
    dropped = Counter("capture_events_dropped", "x", ["cause", "shard"], registry=registry)
    dropped.labels("over_quota", "1").inc(3)
    dropped.labels("over_quota", "2").inc(4)
    Gauge("process_start_time_seconds", "x", registry=registry).set(1234.5)
    Counter("another", "x", registry=registry).inc(99)
    return generate_latest(registry)


def test_the_counters_asked_for_are_read_and_added_up_by_cause() -> None:
    """Over all other labels; the process's birth beside them; nothing else."""
    with answering(exposition()) as endpoint:
        found = endpoint.read()

    assert found.values == {
        (endpoint.url, "capture_events_received_total", ""): 12.0,
        (endpoint.url, "capture_events_dropped_total", "over_quota"): 7.0,
    }
    assert found.born == 1234.5


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"no", 503, "answers 503"),
        (b"<html>\n", 200, "is no Prometheus endpoint"),
        (b'a_total{x="1 2\n', 200, "is no Prometheus endpoint"),
        (b"#" * (MOST + 2), 200, "more than"),
    ],
    ids=["refused", "a page", "cut", "enormous"],
)
def test_what_is_no_exposition_is_told_and_not_guessed_at(body: bytes, status: int, words: str) -> None:
    """One line says what it was."""
    with answering(body, status) as endpoint, pytest.raises(CounterTroubleError, match=words):
        endpoint.read()


def test_a_replica_that_is_away_is_told() -> None:
    """Within its time."""
    away = Endpoint(
        f"http://127.0.0.1:{free_port()}/metrics", names=NAMES, cause="cause", timeout=timedelta(seconds=1)
    )

    with pytest.raises(CounterTroubleError, match=r"127\.0\.0\.1"):
        away.read()


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but its own trouble is raised."""
    try:
        found = parsed(text, url="http://a", names=NAMES, cause="cause")
    except CounterTroubleError:
        return
    assert all(value >= 0 for value in found.values.values())
