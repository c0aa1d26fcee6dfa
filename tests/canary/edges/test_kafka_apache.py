"""What only a real Apache Kafka can show: batches of many records in every codec, and transactions."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from kafka import KafkaProducer

from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Settings
from canary.identity import Mint, Verifier
from canary.values import Look, Marks, Resume
from tests.contract.topic_labs import KAFKA, Real, apache, real

pytestmark = pytest.mark.reference

SECRET = b"a secret of the tests"
MARKS = Marks(Verifier(SECRET, ["tests"]).recognises, "ingestion_canary", "canary-")
LINE = Line(SystemClock())
MINT = Mint(SECRET, "tests")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with real(apache, tmp_path_factory.mktemp("kafka"), KAFKA) as broker:
        yield broker


@pytest.fixture(params=["kafka-python", "librdkafka"])
def edge(lab: Real, request: pytest.FixtureRequest) -> Iterator[Callable[[str, int], KafkaStage]]:
    opened: list[KafkaStage] = []

    def opened_on(topic: str, partitions: int) -> KafkaStage:
        lab.make(topic, partitions)
        wait = timedelta(milliseconds=100)
        settings = Settings("raw", (lab.address,), topic, wait=wait, client=request.param)
        stage = KafkaStage(settings, marks=MARKS, now=LINE.now, resume=Resume())
        opened.append(stage)
        looks(stage, lambda look: len(look.coverage) == partitions)
        return stage

    yield opened_on
    for stage in opened:
        stage.close()


def looks(stage: KafkaStage, enough: Callable[[Look], bool]) -> list[Look]:
    found: list[Look] = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found.append(stage.look(()))
        assert not [note for note in found[-1].notes if "librdkafka" in note]  # it never gave up
        if enough(found[-1]):
            return found
    raise AssertionError(f"not within 20 s; the last look was {found[-1]}")


def canary() -> tuple[uuid.UUID, bytes]:
    one = MINT.mint(LINE.now())
    return one, json.dumps(
        {"uuid": str(one), "event": "ingestion_canary", "distinct_id": "canary-1"}
    ).encode()


def name() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_batches_of_many_records_are_read_in_every_codec(
    lab: Real, edge: Callable[[str, int], KafkaStage], codec: str
) -> None:
    """Of thousands of records in big packed batches over eight partitions, each canary is found once."""
    topic, wanted = name(), set()
    stage = edge(topic, 8)
    producer: Any = KafkaProducer(bootstrap_servers=lab.inside, linger_ms=50, compression_type=codec)
    for number in range(4000):
        if number % 100 == 0:
            one, value = canary()
            wanted.add(one)
        else:
            value = b'{"event":"other","text":"%d"}' % number
        producer.send(topic, partition=number % 8, value=value)
    producer.flush()
    producer.close()
    written = LINE.now()
    read = looks(stage, lambda look: bool(look.coverage) and min(c.until for c in look.coverage) >= written)

    assert sorted(s.id for look in read for s in look.sightings) == sorted(wanted)
    assert sum(look.counts.get("records_read", 0) for look in read) == 4000


def test_aborted_records_are_never_seen_and_open_ones_hold_coverage(
    lab: Real, edge: Callable[[str, int], KafkaStage]
) -> None:
    """A record counts when its transaction commits; until then coverage does not pass it."""
    topic = name()
    stage = edge(topic, 1)
    producer: Any = KafkaProducer(bootstrap_servers=lab.inside, transactional_id=name(), linger_ms=0)
    producer.init_transactions()
    aborted, committed = canary(), canary()
    producer.begin_transaction()
    producer.send(topic, value=aborted[1]).get(10)
    producer.abort_transaction()
    producer.begin_transaction()
    producer.send(topic, value=committed[1]).get(10)
    written = LINE.now()
    for _ in range(8):
        look = stage.look(())
        assert not look.sightings
        assert all(c.until <= written for c in look.coverage)
    producer.commit_transaction()
    producer.close()

    read = looks(stage, lambda look: bool(look.coverage) and look.coverage[0].until > written)

    assert [s.id for look in read for s in look.sightings] == [committed[0]]


def test_a_restart_of_the_broker_is_got_over(lab: Real, edge: Callable[[str, int], KafkaStage]) -> None:
    """Reading goes on by itself from where it was, with one interval of coverage throughout."""
    topic = name()
    stage = edge(topic, 2)
    before = {(c.partition, c.since) for c in stage.look(()).coverage}
    lab.down()
    looks(stage, lambda look: bool(look.blind))
    lab.heal()
    one, value = canary()
    lab.write((topic, 1), key=None, value=value)

    read = looks(stage, lambda look: bool(look.sightings))
    read += looks(stage, lambda look: not look.blind)  # the other partition may come to life a moment later

    assert [s.id for look in read for s in look.sightings] == [one]
    assert {(c.partition, c.since) for look in read for c in look.coverage} == before
