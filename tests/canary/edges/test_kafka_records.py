"""Records of every shape on a real Apache Kafka: huge ones, empty ones, and what a log cleaner leaves."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Settings
from canary.identity import Mint, Verifier
from canary.values import Look, Marks, Resume
from tests.kafka_nodes import Node, nodes

pytestmark = pytest.mark.reference

SECRET = b"a secret of the tests"
MARKS = Marks(Verifier(SECRET, ["tests"]).recognises, "ingestion_canary", "canary-")
LINE = Line(SystemClock())
MINT = Mint(SECRET, "tests")
HUGE = 10_000_000
ROOM = 12_000_000
SETTINGS = {
    "message.max.bytes": str(ROOM),
    "log.cleaner.backoff.ms": "200",
    "log.initial.task.delay.ms": "200",
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with nodes(tmp_path_factory.mktemp("records"), [SETTINGS]) as [one]:
        yield one


@pytest.fixture(scope="module")
def producer(node: Node) -> Iterator[Any]:
    made: Any = KafkaProducer(
        bootstrap_servers=node.address, proxy_url="direct://", linger_ms=0, max_request_size=ROOM
    )
    yield made
    made.close(timeout=2)


@pytest.fixture(params=["kafka-python", "librdkafka"])
def topic(node: Node, request: pytest.FixtureRequest) -> Iterator[Callable[..., tuple[str, KafkaStage]]]:
    """Makes a topic of one partition, and a stage that has begun to read it, or that `resumes` later."""
    opened: list[KafkaStage] = []

    def reader(name: str, resume: Resume) -> KafkaStage:
        wait = timedelta(milliseconds=100)
        settings = Settings("raw", (node.address,), name, wait=wait, client=request.param)
        opened.append(KafkaStage(settings, marks=MARKS, now=LINE.now, resume=resume))
        return opened[-1]

    def made(*, resumes: tuple[str, Resume] | None = None, **configs: str) -> tuple[str, KafkaStage]:
        if resumes is not None:
            return resumes[0], reader(*resumes)
        name = f"t{uuid.uuid4().hex[:8]}"
        told = {key.replace("_", "."): value for key, value in configs.items()}
        admin: Any = KafkaAdminClient(bootstrap_servers=node.address, proxy_url="direct://")
        admin.create_topics([NewTopic(name, 1, 1, topic_configs=told)])
        admin.close()
        stage = reader(name, Resume())
        looks(stage, lambda look: len(look.coverage) == 1)
        return name, stage

    yield made
    for stage in opened:
        stage.close()


def looks(stage: KafkaStage, enough: Callable[[Look], bool]) -> list[Look]:
    found: list[Look] = []
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        found.append(stage.look(()))
        assert not [note for note in found[-1].notes if "librdkafka" in note]  # it never gave up
        if enough(found[-1]):
            return found
    raise AssertionError(f"not within 40 s; the last look was {found[-1]}")


def covered(stage: KafkaStage) -> list[Look]:
    """Read on until all that has been written by now is read."""
    written = LINE.now()
    return looks(stage, lambda look: bool(look.coverage) and look.coverage[0].until >= written)


def canary(**more: object) -> tuple[uuid.UUID, bytes]:
    one = MINT.mint(LINE.now())
    value = {"uuid": str(one), "event": "ingestion_canary", "distinct_id": "canary-1", **more}
    return one, json.dumps(value).encode()


def test_records_of_ten_megabytes_are_read_and_passed(
    producer: Any, topic: Callable[..., tuple[str, KafkaStage]]
) -> None:
    """Far more than one fetch asks for: a huge event of somebody else, a huge canary, and one behind them."""
    name, stage = topic(max_message_bytes=str(ROOM))
    huge, behind = canary(padding="x" * HUGE), canary()
    for value in (b'{"event":"other","text":"' + b"y" * HUGE + b'"}', huge[1], behind[1]):
        producer.send(name, value=value).get(30)
    read = covered(stage)
    assert [s.id for look in read for s in look.sightings] == [huge[0], behind[0]]
    assert sum(look.counts.get("records_read", 0) for look in read) == 3
    assert [look.blind for look in read if look.blind] == []


def test_null_and_empty_values_are_counted_and_passed(
    producer: Any, topic: Callable[..., tuple[str, KafkaStage]]
) -> None:
    """A tombstone under a canary's id is that canary, without content; others are nobody's."""
    name, stage = topic()
    tombstone, behind = canary(), canary()
    for key, value in (
        (b"", b""),
        (b"k", None),
        (str(tombstone[0]).encode(), None),
        (None, behind[1]),
    ):
        producer.send(name, key=key, value=value).get(10)
    read = covered(stage)
    seen = [s for look in read for s in look.sightings]
    assert [s.id for s in seen] == [tombstone[0], behind[0]]
    assert [s.content is None for s in seen] == [True, False]
    assert sum(look.counts.get("null_value", 0) for look in read) == 2
    assert sum(look.counts.get("records_read", 0) for look in read) == 4


def test_what_a_log_cleaner_removed_is_a_hole_and_no_loss(
    node: Node, producer: Any, topic: Callable[..., tuple[str, KafkaStage]]
) -> None:
    """Of a compacted topic the reader, come late, sees what is left, without a gap in what it has covered."""
    name, stage = topic(cleanup_policy="compact", segment_ms="200", min_cleanable_dirty_ratio="0.01")
    (begun,) = stage.look(()).coverage
    stage.close()
    wanted = []
    for number in range(60):
        one, value = canary()
        if number % 10 == 0:
            wanted.append(one)
        key = str(one).encode() if number % 10 == 0 else b"the same"
        producer.send(name, key=key, value=value if number % 10 == 0 else b'{"event":"other"}').get(10)
    left = _cleaned(node, name, producer)
    resume = Resume({(name, 0): (begun.next_offset, begun.until)})
    read = covered(topic(resumes=(name, resume))[1])
    assert [s.id for look in read for s in look.sightings] == wanted
    assert sum(look.counts.get("records_read", 0) for look in read) <= left + 2
    assert {(c.since, c.expired) for look in read for c in look.coverage} == {(begun.until, 0)}
    assert [note for look in read for note in look.notes] == []


def _cleaned(node: Node, name: str, producer: Any) -> int:
    """Wait until the cleaner has come by; how many records are left. A write now and then rolls segments."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        producer.send(name, key=b"the same", value=b'{"event":"other"}').get(10)
        left = _count(node, name)
        if left < 30:
            return left
        time.sleep(0.5)
    raise AssertionError(f"the log cleaner did not come within 60 s ({left} records are left)")


def _count(node: Node, name: str) -> int:
    place = TopicPartition(name, 0)
    consumer: Any = KafkaConsumer(bootstrap_servers=node.address, proxy_url="direct://", group_id=None)
    try:
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end, count = consumer.end_offsets([place])[place], 0
        while consumer.position(place) < end:
            count += sum(len(records) for records in consumer.poll(500).values())
        return count
    finally:
        consumer.close()
