"""`canary audit` on a whole pipeline: what the faults did to the traffic, and nothing else."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from bench.running import daemon
from canary.sandbox.handle import Handle
from tests.e2e.checking import Ran, canary, peace
from tests.e2e.daemons import load, told

pytestmark = pytest.mark.sandbox

WITHIN = 120.0


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
    peace(whole)
    yield whole
    whole.heal()


@pytest.fixture
def config(pipeline: Handle) -> Path:
    """The table has no partitions, its sibling has."""
    return pipeline.config_path


def by_offset(pipeline: Handle) -> Path:
    """The sibling itself as the table under audit."""
    text = pipeline.config_path.read_text()
    text = text.replace('"events"\nmatch', '"events_recent"\nmatch').replace('"group1"', '"group1_recent"')
    file = pipeline.dir / "audit-by-offset.toml"
    file.write_text("\n".join(line for line in text.splitlines() if not line.startswith("siblings")))
    return file


def send(pipeline: Handle, count: int) -> list[str]:
    """Real events, none of them a canary, and their ids."""
    now = datetime.now(UTC).isoformat()
    ids = [str(uuid.uuid4()) for _ in range(count)]
    batch = [
        {"event": "real", "uuid": one, "distinct_id": one, "timestamp": now, "properties": {}} for one in ids
    ]
    body = json.dumps({"api_key": "phc_sandbox", "batch": batch}).encode()
    request = Request(f"{pipeline.ingress_url}/batch/", body, {"Content-Type": "application/json"})
    with build_opener(ProxyHandler({})).open(request, timeout=5) as answer:
        assert answer.status == 200
    return ids


def audit(config: Path, since: datetime, *arguments: str) -> Ran:
    times = ("--from", since.isoformat(), "--to", datetime.now(UTC).isoformat())
    return canary("audit", "--config", str(config), *times, "--output", "json", *arguments)


def audited(
    config: Path, since: datetime, enough: Callable[[dict[str, Any]], bool]
) -> tuple[int, dict[str, Any]]:
    """Audit until something is so of what is found."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        ran = audit(config, since)
        [found] = ran.report["audits"]
        if enough(found):
            return ran.code, dict(found)
    raise AssertionError(f"not within {WITHIN:.0f} s: {ran.stdout}")


def settled(config: Path, since: datetime, appended: int) -> tuple[int, dict[str, Any]]:
    """The audit once the topic has so many events and the consumer has passed all of them."""
    return audited(
        config, since, lambda found: found["appended"] >= appended and not found["counts"]["queued"]
    )


def counts(found: dict[str, Any]) -> dict[str, int]:
    return {name: number for name, number in found["counts"].items() if number}


def struck(pipeline: Handle, ids: Sequence[str]) -> list[str]:
    return [line["uuid"] for line in pipeline.struck() if line["uuid"] in ids]


def test_sound_traffic_is_all_accounted_for(pipeline: Handle, config: Path) -> None:
    """Exit code 0, by either method."""
    since = datetime.now(UTC)
    send(pipeline, 60)

    for file, method in ((config, "sibling"), (by_offset(pipeline), "offset")):
        code, found = settled(file, since, 60)
        assert (code, counts(found)) == (0, {"stored": 60})
        assert found["method"]["name"] == method


def test_lost_events_are_named(pipeline: Handle, config: Path) -> None:
    """Exactly those that the fault took: their ids, where they are in Kafka, and whose they were."""
    since = datetime.now(UTC)
    pipeline.fault("drop", at="events", count=7)
    ids = send(pipeline, 60)
    code, found = settled(config, since, 60)

    assert (code, counts(found)) == (2, {"stored": 53, "lost": 7})
    assert sorted(found["lost"]["first_ids"]) == sorted(struck(pipeline, ids))
    assert found["lost"]["events"] == {"real": 7}
    assert "payload" not in json.dumps(found)


def test_copies_are_findings_and_no_loss(pipeline: Handle, config: Path) -> None:
    """By whether a merge will remove them."""
    since = datetime.now(UTC)
    pipeline.fault("duplicate", at="events", count=4)
    send(pipeline, 30)
    code, found = settled(config, since, 30)

    assert (code, counts(found)) == (1, {"stored": 30})
    assert (found["twice"]["mergeable"], found["twice"]["permanent"]) == (4, 0)


def test_a_backlog_is_no_loss(pipeline: Handle, config: Path) -> None:
    """All of it is queued while the consumer is stopped, and stored after it went on."""
    since = datetime.now(UTC)
    pipeline.fault("stop", at="events")
    send(pipeline, 20)
    code, behind = audited(config, since, lambda found: found["appended"] >= 20)
    assert (code, counts(behind)) == (0, {"queued": 20})
    pipeline.heal()
    code, found = settled(config, since, 20)

    assert (code, counts(found)) == (0, {"stored": 20})


def test_a_table_that_cannot_be_asked_is_told(pipeline: Handle, config: Path) -> None:
    """Could not judge, with the reason; and a stage that is none is a wrong command line."""
    pipeline.fault("blind", at="events", how="refuse")
    ran = audit(config, datetime.now(UTC))

    assert ran.code == 3
    assert ran.report["blind"][0]["stage"] == "events"
    assert canary("audit", "--config", str(config), "--stage", "raw").code == 64


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_daemon_audits_by_itself(pipeline: Handle) -> None:
    """Real events that were dropped are counted, paged with what to replay, and kept in the ledger."""
    said = told(pipeline)
    with daemon(pipeline, load("audits", rate=1, enabled="true")) as running:
        assert running.until(lambda: running.metric("audit_windows_total") >= 1, within=60)
        pipeline.fault("drop", at="events", count=6)
        send(pipeline, 40)
        assert running.until(lambda: running.metric("audit_events_total", fate="lost") >= 6, within=60)
        assert running.until(lambda: bool(said.about("real events lost")), within=20)
        assert running.metric("audit_events_total", fate="lost") == 6
        assert running.metric("audit_unbalanced") == 0
    file = pipeline.dir / "audits.toml"
    kept = canary("audit", "--kept", "--from", "10m", "--config", str(file), "--output", "json").report
    assert sum(window["real"].get("lost", 0) for window in kept["windows"]) == 6
    assert sum(window["canaries"]["sent"] for window in kept["windows"]) > 0
    assert {window["unbalanced"] for window in kept["windows"]} == {0}
    hops = [hop for window in kept["windows"] for hop in window["path"]]
    assert {hop["hop"] for hop in hops} == {"ingress->raw", "raw->processed", "processed->events"}
    assert {hop["canaries"]["left"] for hop in hops} == {0}
