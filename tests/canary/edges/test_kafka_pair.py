"""Two real brokers: reading goes on through changes of leader, and from the follower in our rack."""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Settings
from canary.edges.kafka.stage import ClientName
from canary.identity import Mint, Verifier
from canary.values import Look, Marks, Resume
from tests.kafka_nodes import Node, nodes

pytestmark = pytest.mark.reference

SECRET = b"a secret of the tests"
MARKS = Marks(Verifier(SECRET, ["tests"]).recognises, "ingestion_canary", "canary-")
LINE = Line(SystemClock())
MINT = Mint(SECRET, "tests")
SELECTOR = "org.apache.kafka.common.replica.RackAwareReplicaSelector"


class Pair:
    """Two brokers in racks a and b, and what is written to them."""

    def __init__(self, both: list[Node]) -> None:
        self.first, self.second = both
        self._direct = {"bootstrap_servers": self.first.address, "proxy_url": "direct://"}
        self.admin: Any = KafkaAdminClient(**self._direct)
        self.producer: Any = self._producer()

    def _producer(self) -> Any:
        return KafkaProducer(**self._direct, linger_ms=0, request_timeout_ms=3000)

    def write_anew(self, topic: str, count: int) -> set[uuid.UUID]:
        """As a producer that knows nothing of what was there before."""
        self.producer.close(timeout=2)
        self.producer = self._producer()
        return self.write(topic, count)

    def make(self, *, leader: int, alone: bool = False) -> str:
        topic = f"t{uuid.uuid4().hex[:8]}"
        replicas = [leader] if alone else [leader, 3 - leader]
        self.admin.create_topics([NewTopic(topic, replica_assignments={0: replicas, 1: replicas})])
        self.whole(topic, len(replicas))
        return topic

    def whole(self, topic: str, replicas: int = 2) -> None:
        """Wait until all replicas of every partition are in step, and lead."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            parts = [p for item in self.admin.describe_topics([topic]) for p in item["partitions"]]
            led = all(part["leader_id"] >= 0 for part in parts)
            if led and len(parts) == 2 and all(len(part["isr_nodes"]) == replicas for part in parts):
                return
            time.sleep(0.2)
        raise AssertionError(f"{topic} did not become whole: {parts}")

    def write(self, topic: str, count: int) -> set[uuid.UUID]:
        ids: set[uuid.UUID] = set()
        for number in range(count):
            one = MINT.mint(LINE.now())
            value = {"uuid": str(one), "event": "ingestion_canary", "distinct_id": "canary-1"}
            self.producer.send(topic, partition=number % 2, value=json.dumps(value).encode())
            ids.add(one)
        self.producer.flush(60)
        return ids


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    racks = [{"broker.rack": rack, "replica.selector.class": SELECTOR} for rack in "ab"]
    with nodes(tmp_path_factory.mktemp("pair"), racks) as both:
        made = Pair(both)
        yield made
        made.producer.close(timeout=2)
        made.admin.close()


@pytest.fixture
def edge(pair: Pair) -> Iterator[Callable[..., KafkaStage]]:
    opened: list[KafkaStage] = []

    def opened_on(topic: str, *, rack: str | None = None, client: ClientName = "kafka-python") -> KafkaStage:
        both = (pair.first.address, pair.second.address)
        settings = Settings("raw", both if rack is None else both[:1], topic, rack=rack or "", client=client)
        stage = KafkaStage(settings, marks=MARKS, now=LINE.now, resume=Resume())
        opened.append(stage)
        looks(stage, lambda look: len(look.coverage) == 2)
        return stage

    yield opened_on
    for stage in opened:
        stage.close()


def looks(stage: KafkaStage, enough: Callable[[Look], bool], *, within: float = 40.0) -> list[Look]:
    found: list[Look] = []
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found.append(stage.look(()))
        if enough(found[-1]):
            return found
    raise AssertionError(f"not within {within:g} s; the last look was {found[-1]}")


def reached(moment: datetime) -> Callable[[Look], bool]:
    return lambda look: bool(look.coverage) and min(c.until for c in look.coverage) >= moment


def assert_whole(read: list[Look], ids: set[uuid.UUID], *, before: Look) -> None:
    """Each canary was seen once, and coverage is one interval throughout, with nothing expired."""
    assert sorted(s.id for look in read for s in look.sightings) == sorted(ids)
    since = {c.partition: c.since for c in before.coverage}
    assert all(c.since == since[c.partition] and not c.expired for look in read for c in look.coverage)
    assert [note for look in read for note in look.notes] == []


def test_the_leader_dies_and_comes_back(pair: Pair, edge: Callable[..., KafkaStage]) -> None:
    """Looks go on when the leader is killed, and when leadership moves back: nothing missed or expired."""
    topic = pair.make(leader=2)
    stage = edge(topic)
    before = stage.look(())
    ids = pair.write(topic, 10)
    read = looks(stage, reached(LINE.now()))
    pair.second.child.stop()
    ids |= pair.write(topic, 10)
    read += looks(stage, reached(LINE.now()))
    pair.second.start()
    pair.whole(topic)
    pair.admin.elect_leaders(0, {topic: [0, 1]})
    ids |= pair.write(topic, 10)
    read += looks(stage, reached(LINE.now()))

    assert_whole(read, ids, before=before)


def test_the_leader_freezes(pair: Pair, edge: Callable[..., KafkaStage]) -> None:
    """A leader that hangs is replaced, and thawed later: nothing missed or expired."""
    topic = pair.make(leader=2)
    stage = edge(topic)
    before = stage.look(())
    pair.second.child.freeze()
    try:
        ids = pair.write(topic, 10)
        read = looks(stage, reached(LINE.now()))
    finally:
        pair.second.child.thaw()
    pair.whole(topic)
    ids |= pair.write(topic, 10)
    read += looks(stage, reached(LINE.now()))

    assert_whole(read, ids, before=before)
    for look in read:
        assert look.ended_at - look.started_at < timedelta(seconds=4)


def test_a_log_that_lost_its_end_and_grew_again_is_read_from_there(
    pair: Pair, edge: Callable[..., KafkaStage], tmp_path: Path
) -> None:
    """What stands at rewritten offsets is read, with a gap: what stood there before says nothing of it."""
    topic = pair.make(leader=2, alone=True)
    stages = [edge(topic), edge(topic, client="librdkafka")]
    pair.write(topic, 4)
    for stage in stages:
        looks(stage, reached(LINE.now()))
    logs = [pair.second.folder / "data" / f"{topic}-{part}" for part in range(2)]
    for log in logs:
        shutil.copytree(log, tmp_path / log.name)
    pair.write(topic, 8)
    for stage in stages:
        looks(stage, reached(LINE.now()))
    lost_at = LINE.now()
    pair.second.child.stop()
    for log in logs:
        shutil.rmtree(log)
        shutil.copytree(tmp_path / log.name, log)
    pair.second.start()
    pair.whole(topic, 1)
    ids = pair.write_anew(topic, 30)

    for stage in stages:
        read = looks(stage, reached(LINE.now()))
        assert sorted(s.id for look in read for s in look.sightings) == sorted(ids)
        assert all(c.since > lost_at for c in read[-1].coverage)
        notes = {note for look in read for note in look.notes}
        assert notes == {f"topic {topic}, partition {n}: the cluster lost the end of its log" for n in (0, 1)}


def connections(node: Node) -> int:
    """How many this process has to one broker."""
    own = psutil.Process(os.getpid()).net_connections("tcp")
    return sum(bool(c.raddr) and c.raddr.port == node.port and c.status == "ESTABLISHED" for c in own)


def test_no_broker_has_the_only_word_on_who_leads(pair: Pair, edge: Callable[..., KafkaStage]) -> None:
    """One that is cut off holds itself to be the leader: those that lead nothing are asked as well."""
    topic, others = pair.make(leader=1, alone=True), connections(pair.second)
    stage = edge(topic)

    looks(stage, lambda _: connections(pair.second) > others, within=10)


@pytest.mark.parametrize("rack", ["a", "b"])
def test_the_replica_in_our_rack_is_read(pair: Pair, edge: Callable[..., KafkaStage], rack: str) -> None:
    """With the follower's rack it is read and still covers up to now; with the leader's it is left alone."""
    topic = pair.make(leader=1)
    pair.write(topic, 2)
    others = connections(pair.second)
    stage = edge(topic, rack=rack)
    before = stage.look(())
    ids, read = set[uuid.UUID](), list[Look]()
    for _ in range(5):
        ids |= pair.write(topic, 2)
        read += looks(stage, reached(LINE.now()))

    assert_whole(read, ids, before=before)
    assert not any(look.blind for look in read)
    assert (connections(pair.second) > others) == (rack == "b")


def test_a_follower_that_dies_or_freezes_is_left(pair: Pair, edge: Callable[..., KafkaStage]) -> None:
    """Without its follower the edge reads on from the leader, without a gap and without a blind look."""
    topic = pair.make(leader=1)
    frozen, killed = edge(topic, rack="b"), edge(topic, rack="b")
    before = [frozen.look(()), killed.look(())]
    pair.second.child.freeze()
    ids = pair.write(topic, 10)
    first = looks(frozen, reached(LINE.now()))
    pair.second.child.thaw()
    pair.second.child.stop()
    ids |= pair.write(topic, 10)
    first += looks(frozen, reached(LINE.now()))
    second = looks(killed, reached(LINE.now()))
    pair.second.start()
    pair.whole(topic)

    assert_whole(first, ids, before=before[0])
    assert_whole(second, ids, before=before[1])
    assert not any(look.blind for look in first + second)
