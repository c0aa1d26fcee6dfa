"""The daemon among bad files, full disks, garbage, stepped clocks and topics that forgot."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from bench.running import Running, configuration, daemon
from canary.sandbox.handle import Handle
from canary.sandbox.kafka_clients import PROCESSED, RAW
from canary.sandbox.ports import free_port
from tests.e2e.checking import peace
from tests.e2e.daemons import keys, load, ready, told, trouble, unbalanced, works

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(240)]

GROUPS = {"clickhouse-ingestion": RAW, "group1": PROCESSED, "group1_recent": PROCESSED}
"""Who consumes which topic, in the order of the pipeline."""

GARBAGE = (b"", b"\xff\xfe\x00", b"{", b"[" * 5000, b"null", b"17", b'{"uuid": 5}', os.urandom(2000))


@pytest.fixture
def pipeline(sandbox: Handle) -> Iterator[Handle]:
    """A pipeline at peace."""
    peace(sandbox)
    yield sandbox
    sandbox.heal()


def _ended(config: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "canary", "run", "--config", str(config), "--quiet"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_second_process_on_the_ledger_is_refused(pipeline: Handle) -> None:
    """The first goes on; the second says who has the ledger, and ends with 73."""
    first = load("shared")
    with daemon(pipeline, first) as running:
        assert works(running)
        second = _ended(configuration(pipeline, first, free_port()))
        assert second.returncode == 73, second.stderr
        assert "Traceback" not in second.stderr
        assert works(running)


def test_an_unreadable_ledger_is_named_and_left_alone(pipeline: Handle) -> None:
    """Exit code 73, the file is named, and not one byte of it changes."""
    wrong = load("wrong")
    file = pipeline.dir / "wrong.db"
    file.write_bytes(b"this is no database at all " * 400)
    ended = _ended(configuration(pipeline, wrong, free_port()))
    assert ended.returncode == 73, ended.stderr
    assert "wrong.db" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert file.read_bytes() == b"this is no database at all " * 400


def test_secrets_that_vanish_end_no_worker(pipeline: Handle) -> None:
    """Without the password the table is blind, and again read when it is back; no thread ends meanwhile."""
    files = [pipeline.dir / name for name in ("ch-password", "slack-token")]
    with daemon(pipeline, load("secrets")) as running:
        assert works(running)
        for file in files:
            file.rename(file.with_suffix(".away"))
        blind = running.until(lambda: "events: " in running.get("/readyz"), within=20)
        for file in files:
            file.with_suffix(".away").rename(file)
        assert blind
        assert works(running)
        assert ready(running)
        assert running.metric("outcomes_total", outcome="lost") == 0
        assert running.get("/healthz") == "ok\n"


def test_garbage_is_counted_and_skipped(pipeline: Handle) -> None:
    """Whatever stands in the topics is counted by stage and reason; canaries go on arriving."""
    with daemon(pipeline, load("garbage")) as running:
        assert works(running)
        before = {name: running.metric("unparsable_total", stage=name) for name in ("raw", "processed")}
        for topic in (RAW, PROCESSED):
            _produce(pipeline, topic)
        for name, count in before.items():
            assert running.until(
                lambda name=name, count=count: running.metric("unparsable_total", stage=name) >= count + 4,  # type: ignore[misc]
                within=20,
            )
        assert works(running, 20)
        assert trouble(running) == {}


def _produce(pipeline: Handle, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=pipeline.state["kafka_direct"], linger_ms=0)
    try:
        for value in GARBAGE:
            producer.send(topic, value=value, key=b"canary-garbage").get(timeout=10)
    finally:
        producer.close()


def test_a_full_disk_stops_the_sending_and_nothing_else(pipeline: Handle) -> None:
    """When the ledger cannot grow nothing is sent, following goes on, Slack is told, and it ends well."""
    said = told(pipeline)
    with daemon(pipeline, load("full")) as running:
        assert works(running)
        _limit_files(running, 0)
        assert running.until(lambda: running.metric("not_sent_total", reason="ledger") > 0, within=30)
        sent, read = running.metric("sent_total"), running.metric("read_total", unit="queries")
        assert running.until(lambda: bool(said.about("edger")), within=30)
        assert running.until(lambda: running.metric("read_total", unit="queries") > read, within=20)
        assert running.metric("sent_total") == sent
        _limit_files(running, resource.RLIM_INFINITY)
        assert works(running)
        assert running.metric("outcomes_total", outcome="lost") == 0
        assert running.get("/healthz") == "ok\n"


def _limit_files(running: Running, size: int) -> None:
    _, hard = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.reference
def test_stopped_longer_than_retention(kafka_sandbox: Handle) -> None:
    """What the topics forgot while the daemon was stopped is never called lost."""
    peace(kafka_sandbox)
    with daemon(kafka_sandbox, load("retention")) as running:
        assert works(running)
        running.process.kill()
        running.process.wait()
    _forget(kafka_sandbox)
    with daemon(kafka_sandbox, load("retention")) as again:
        assert works(again, 40)
        assert again.metric("outcomes_total", outcome="lost") == 0
        assert [key for key in keys(again) if key.startswith("lost")] == []
        assert unbalanced(again.status()) == []


@pytest.mark.reference
def test_a_broker_that_dies_loses_no_canary(kafka_sandbox: Handle) -> None:
    """Killed and started again on what it left on disk: blind meanwhile, nothing lost, and on with it."""
    peace(kafka_sandbox)
    with daemon(kafka_sandbox, load("dead-broker")) as running:
        assert works(running)
        kafka_sandbox.fault("down", at="raw")
        assert running.until(lambda: "raw: " in running.get("/readyz"), within=20)
        kafka_sandbox.heal()
        assert ready(running)
        assert works(running, 20)
        assert running.metric("outcomes_total", outcome="lost") == 0
        assert [key for key in keys(running) if key.startswith("lost")] == []
        assert unbalanced(running.status()) == []
    peace(kafka_sandbox)


def _forget(pipeline: Handle) -> None:
    """Remove what every consumer has passed, once all have passed all: what nobody read would be lost."""
    admin = KafkaAdminClient(bootstrap_servers=pipeline.state["kafka_direct"])
    numbers = range(pipeline.state["partitions"])
    places = {topic: [TopicPartition(topic, number) for number in numbers] for topic in (RAW, PROCESSED)}
    try:
        for group, topic in GROUPS.items():
            _passed(admin, group, places[topic])
        admin.delete_records(dict.fromkeys([*places[RAW], *places[PROCESSED]], -1))
    finally:
        admin.close()


def _passed(admin: Any, group: str, places: list[TopicPartition]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ends = admin.list_partition_offsets(dict.fromkeys(places, -1))
        passed = admin.list_group_offsets({group: places})[group]
        if all(
            place in passed and passed[place].offset >= ends[place].offset
            for place in places
            if ends[place].offset
        ):
            return
        time.sleep(0.2)
    raise AssertionError(f"{group} has not passed all: {passed} of {ends}")
