"""Gaps in tiered storage, on a real Apache Kafka with the stand-in of its own tests: another folder."""

import json
import os
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from canary.clock import Line, SystemClock
from canary.edges.kafka import Settings, TopicAudit
from canary.traffic import Holds
from reconcile.offsets import Range
from tests.kafka_nodes import Node, jar_of_tests, nodes

pytestmark = pytest.mark.reference

LINE = Line(SystemClock())
TOPIC = "tiered"
COUNT = 250
ROOMY = "x" * 9_000
"""So that a segment, a megabyte at least, is full after some 110 records."""

REMOTE = {
    "remote.log.storage.system.enable": "true",
    "remote.log.manager.task.interval.ms": "200",
    "remote.log.storage.manager.class.name": "org.apache.kafka.server.log.remote.storage.LocalTieredStorage",
    "remote.log.metadata.manager.listener.name": "CLIENT",
    "rlmm.config.remote.log.metadata.topic.replication.factor": "1",
    "rlmm.config.remote.log.metadata.topic.num.partitions": "1",
    "remote.fetch.max.wait.ms": "200",
    "log.retention.check.interval.ms": "200",
    "log.initial.task.delay.ms": "200",
}


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Where the segments go."""
    return tmp_path / "remote"


@pytest.fixture
def node(tmp_path: Path, remote: Path) -> Iterator[Node]:
    jar = jar_of_tests("kafka-storage")
    extra = {"remote.log.storage.manager.class.path": str(jar), "rsm.config.dir": str(remote)}
    with nodes(tmp_path, [REMOTE | extra]) as [one]:
        yield one


@pytest.fixture
def edge(node: Node) -> Iterator[TopicAudit]:
    admin: Any = KafkaAdminClient(bootstrap_servers=node.address)
    settings = {"remote.storage.enable": "true", "local.retention.bytes": "1", "segment.bytes": "1048576"}
    admin.create_topics([NewTopic(TOPIC, 1, 1, topic_configs=settings)])
    admin.close()
    producer: Any = KafkaProducer(bootstrap_servers=node.address, linger_ms=5)
    for number in range(COUNT):
        event = {"uuid": str(uuid.UUID(int=number)), "event": "plain", "roomy": ROOMY}
        producer.send(TOPIC, json.dumps(event).encode(), partition=0)
    producer.close()
    settings_of = Settings("raw", (node.address,), TOPIC, timeout=timedelta(seconds=10))
    made = TopicAudit(settings_of, ids=("uuid",), now=LINE.now)
    yield made
    made.close()


def tiered(edge: TopicAudit) -> int:
    """Where tiered storage ends, once all full segments are there."""
    until = time.monotonic() + 30
    while (local := edge.state().logs[0].local) < COUNT // 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    return local


def read(edge: TopicAudit, *gaps: Range) -> Any:
    until = LINE.now() + timedelta(seconds=20)
    return edge.read(gaps, holds=Holds(), payloads=False, until=until)


def test_what_tiered_storage_does_not_bring_is_not_read(edge: TopicAudit, remote: Path) -> None:
    """It brings what is asked for; where it hangs, its broker answers with nothing, again and again."""
    local = tiered(edge)
    gap, there = Range(0, 100, 103), Range(0, COUNT - 1, COUNT)
    brought = read(edge, gap)
    for log in remote.rglob("*.log"):
        log.unlink()
        os.mkfifo(log)  # whoever opens it waits for a writer
    hung = read(edge, gap)
    beside = read(edge, there)

    assert gap.end < local <= there.start
    assert ([m.offset for m in brought.messages], brought.unread) == ([100, 101, 102], "")
    assert (hung.read, hung.unread) == ([], f"topic {TOPIC}, partition 0's tiered storage does not answer")
    assert ([m.offset for m in beside.messages], beside.unread) == ([COUNT - 1], "")
