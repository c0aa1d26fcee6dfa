"""`canary trace` over a whole pipeline: real events, stored, dropped at a hop, dead-lettered, waiting."""

import contextlib
import io
import json
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.request import Request, urlopen

import pytest
from kafka import KafkaProducer

from canary.cli.main import invoke
from canary.sandbox.handle import Handle
from tests.e2e.checking import Ran, peace

pytestmark = pytest.mark.sandbox
WITHIN = 60.0


@pytest.fixture(
    scope="module", params=["sandbox", pytest.param("kafka_sandbox", marks=pytest.mark.reference)]
)
def whole(request: pytest.FixtureRequest) -> Handle:
    """One pipeline after the other."""
    running = request.getfixturevalue(request.param)
    assert isinstance(running, Handle)
    return running


@pytest.fixture
def pipeline(whole: Handle) -> Iterator[Handle]:
    """A pipeline at peace."""
    peace(whole)
    yield whole
    whole.heal()


def event(*, version: int = 7) -> uuid.UUID:
    """A real client's id."""
    if version == 4:
        return uuid.uuid4()
    random = int.from_bytes(os.urandom(10), "big")
    stamp = int(time.time() * 1000) << 80
    return uuid.UUID(int=stamp | 7 << 76 | (random >> 64 & 0xFFF) << 64 | 2 << 62 | random & (1 << 62) - 1)


def send(pipeline: Handle, id_: uuid.UUID) -> None:
    body = {
        "api_key": "phc_sandbox",
        "uuid": str(id_),
        "event": "purchase",
        "distinct_id": "user-1",
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"secret_of_a_customer": "hunter2"},
    }
    request = Request(
        f"{pipeline.ingress_url}/i/v0/e/", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=5) as answer:
        assert answer.status == 200


def trace(pipeline: Handle, *arguments: str) -> Ran:
    """The command, in this process."""
    out, err, started = io.StringIO(), io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = invoke(["trace", *arguments, "--config", str(pipeline.config_path)])
    return Ran(code, out.getvalue(), err.getvalue(), time.monotonic() - started)


def traced(
    pipeline: Handle, id_: object, *arguments: str, until: int | None = None, seen: str | None = None
) -> Ran:
    """The command's answer; asked again while it is not yet that of `until`, or not yet `seen` so far."""
    deadline = time.monotonic() + WITHIN
    while True:
        ran = trace(pipeline, str(id_), "--output", "json", *arguments)
        last = ran.report["last_seen"]
        there = until in (None, ran.code) and (seen is None or (bool(last) and last["stage"] == seen))
        if there or time.monotonic() > deadline:
            return ran


@pytest.mark.parametrize("version", [7, 4])
def test_a_stored_event_is_seen_all_the_way(pipeline: Handle, version: int) -> None:
    """Every stage shows it, with or without a time in its id; nothing of what it carries is shown."""
    id_ = event(version=version)
    send(pipeline, id_)

    ran = traced(pipeline, id_, until=0)

    report = ran.report
    shown = {(one["stage"], one["side"]) for one in report["places"] if one["finds"]}
    assert (ran.code, report["state"]) == (0, "stored")
    assert {("raw", None), ("processed", None), ("events", None)} <= shown
    assert "hunter2" not in ran.stdout + ran.stderr
    assert "hunter2" in traced(pipeline, id_, "--show-payload").stdout


@pytest.mark.parametrize(
    ("at", "hop"), [("processed", ("raw", "processed")), ("events", ("processed", "events"))]
)
def test_a_dropped_event_is_lost_at_the_hop_where_it_was_dropped(
    pipeline: Handle, at: str, hop: tuple[str, str]
) -> None:
    """The last place that shows it, and the consumer that passed it."""
    before = len(pipeline.struck())
    pipeline.fault("drop", at=at, count=1)
    id_ = event()
    send(pipeline, id_)

    ran = traced(pipeline, id_, until=2)

    report = ran.report
    assert [line["uuid"] for line in pipeline.struck()[before:]] == [str(id_)]
    assert (ran.code, report["state"]) == (2, "lost"), report["why"]
    assert (report["hop"]["from"], report["hop"]["to"]) == hop
    assert report["last_seen"]["stage"] == hop[0]
    assert "has finished with" in report["why"]


def test_an_event_behind_a_stopped_consumer_waits(pipeline: Handle) -> None:
    """A backlog is no loss, however long it lasts."""
    pipeline.fault("stop", at="events")
    id_ = event()
    send(pipeline, id_)

    ran = traced(pipeline, id_, seen="processed")

    assert (ran.code, ran.report["state"]) == (1, "waiting"), ran.report["why"]
    assert ran.report["last_seen"]["stage"] == "processed"
    pipeline.heal()
    assert traced(pipeline, id_, until=0).code == 0


def test_a_dead_letter_tells_who_set_it_aside_and_why(pipeline: Handle) -> None:
    """A record that the workers cannot parse: its reason, step and time come from its headers."""
    id_ = event()
    broken = json.dumps(
        {"uuid": str(id_), "distinct_id": "user-1", "data": "{cut", "now": "2026-01-01T00:00:00Z"}
    )
    producer = KafkaProducer(bootstrap_servers=pipeline.state["kafka_direct"], linger_ms=0)
    producer.send("events_plugin_ingestion", key=b"user-1", value=broken.encode()).get(10)
    producer.close()

    ran = traced(pipeline, id_, until=2)

    report = ran.report
    assert (ran.code, report["state"]) == (2, "dead_lettered"), report["why"]
    letter = next(one for one in report["places"] if one["side"] == "dead_letter")
    facts = letter["finds"][0]["facts"]
    assert facts["dlq_step"] == "parse"
    assert facts["dlq_reason"]
    assert facts["dlq_timestamp"]


def test_a_blind_stage_leaves_it_open(pipeline: Handle) -> None:
    """Where the table cannot be read nobody can tell, and nothing is called lost."""
    id_ = event()
    send(pipeline, id_)
    assert traced(pipeline, id_, until=0).code == 0
    pipeline.fault("blind", at="events")

    ran = traced(pipeline, id_)

    assert (ran.code, ran.report["state"]) == (3, "unknown")
    assert "events could not be searched" in ran.report["why"]


def test_an_event_that_never_was_is_not_called_lost(pipeline: Handle) -> None:
    """Nobody knows that it was ever sent."""
    assert traced(pipeline, event()).code == 3


def test_what_is_no_id_is_refused(pipeline: Handle) -> None:
    """Exit 64 and what was wrong, for the id and for the time."""
    bad = trace(pipeline, "not-an-id")
    late = trace(pipeline, str(event()), "--around", "yesterday")

    assert (bad.code, late.code) == (64, 64)
    assert 'must be a UUID (got "not-an-id")' in bad.stderr
    assert "--around: must be a time" in late.stderr
