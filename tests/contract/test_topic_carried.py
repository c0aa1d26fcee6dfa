"""What a topic edge promises when librdkafka is at fault: the other client reads, and nothing is lost."""

import struct
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import crc32c
import pytest
from kafka.protocol.producer import ProduceRequest
from kafka.record.default_records import DefaultRecordBatchBuilder

from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Settings
from canary.edges.kafka.carrier import Carrier, Haul
from canary.edges.kafka.client import Access, Bell, Client, TroubleError
from canary.edges.kafka.requests import Place
from canary.identity import Mint, Verifier
from canary.values import Look, Marks, Resume
from tests.contract.topic_bench import Bench
from tests.contract.topic_labs import TANSU, Real, Stage, real, tansu

pytestmark = pytest.mark.sandbox
SECRET = b"a secret of the tests"


@dataclass(slots=True)
class Faulty:
    """librdkafka with a fault: what it takes goes through `spoil`."""

    carrier: Carrier
    spoil: Callable[[Mapping[Place, Haul]], Mapping[Place, Haul]]
    trouble: str = field(default="", init=False)

    def assign(self, offsets: Mapping[Place, int]) -> None:
        self.carrier.assign(offsets)

    def take(self, wait: float) -> Mapping[Place, Haul]:
        return self.spoil(self.carrier.take(wait))

    def close(self) -> None:
        self.carrier.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    state: Path = tmp_path_factory.mktemp("broker")
    with real(tansu, state, TANSU) as broker:
        yield broker


@pytest.fixture
def bench(lab: Real) -> Iterator[Bench]:
    topic = f"t{uuid.uuid4().hex[:8]}"
    lab.make(topic, 4)
    settings = Settings(
        "raw",
        (lab.address,),
        topic,
        timeout=timedelta(seconds=1),
        wait=timedelta(milliseconds=100),
        client="librdkafka",
    )
    marks = Marks(Verifier(SECRET, ["tests"]).recognises, "ingestion_canary", "canary-")
    made = Bench(lab, Line(SystemClock()), Mint(SECRET, "tests"), settings, marks, opened=[])
    yield made
    for stage in made.opened:
        stage.close()


def faulty(bench: Bench, spoil: Callable[[Mapping[Place, Haul]], Mapping[Place, Haul]]) -> KafkaStage:
    made = KafkaStage(
        bench.settings,
        marks=bench.marks,
        now=bench.line.now,
        resume=Resume(),
        source=lambda settings: Faulty(Carrier(settings), spoil),
    )
    bench.opened.append(made)
    return made


def told(bench: Bench, stage: Stage) -> list[str]:
    """Write canaries and read to behind them, each once and without a gap; return what a person hears."""
    looks = _until(stage, lambda look: len(look.coverage) == 4)
    began = looks[-1]
    written = [bench.canary((bench.topic, number % 4))[0] for number in range(12)]
    at = bench.line.now()
    looks += _until(stage, lambda look: len(look.coverage) == 4 and all(c.until >= at for c in look.coverage))
    assert sorted(item.id for look in looks for item in look.sightings) == sorted(written)
    assert [c.since for c in looks[-1].coverage] == [c.since for c in began.coverage]
    return [note for look in looks for note in look.notes]


def _until(stage: Stage, enough: Callable[[Look], bool]) -> list[Look]:
    looks: list[Look] = []
    for _ in range(200):
        looks.append(stage.look(()))
        if enough(looks[-1]):
            return looks
    raise AssertionError(f"the last look was {looks[-1]}")


def test_what_cannot_be_unpacked_is_read_with_the_other_client(bench: Bench) -> None:
    """From what is confirmed on: each canary once, no gap, and the fault is told."""

    def broken(hauls: Mapping[Place, Haul]) -> Mapping[Place, Haul]:
        return {place: replace(haul, fault="Bad compression") for place, haul in hauls.items()}

    notes = told(bench, faulty(bench, broken))
    assert len(notes) == 1
    assert "Bad compression" in notes[0]
    assert "kafka-python reads it" in notes[0]


@pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
def test_a_batch_that_does_not_unpack_is_a_gap_with_either_client(
    lab: Real, bench: Bench, client: str
) -> None:
    """What stands before and behind it is read; it is counted, and coverage begins anew behind it."""
    stage = bench.stage(client=client)
    began = _until(stage, lambda look: len(look.coverage) == 4)[-1]
    for spoiled in (False, True, False):
        _append(lab, bench.topic, _packed(spoiled=spoiled))
    at = bench.line.now()
    looks = _until(stage, lambda look: len(look.coverage) == 4 and all(c.until >= at for c in look.coverage))
    counts = Counter[str]()
    for look in looks:
        counts.update(look.counts)
    first, *others = sorted(looks[-1].coverage, key=lambda c: c.partition)
    assert (counts["records_read"], counts["broken_batch"], first.next_offset) == (6, 1, 9)
    before = {c.partition: c.since for c in began.coverage}
    assert first.since > before[0]
    assert all(c.since == before[c.partition] for c in others)
    assert any("failed" in note for look in looks for note in look.notes) is (client == "librdkafka")


@pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
def test_a_checksum_that_is_wrong_blinds_with_either_client(lab: Real, bench: Bench, client: str) -> None:
    """What stands before it is read; then the stage is blind, and covers nothing behind it. A consumer that
    waits before it has not come to the end of the topic."""
    stage = bench.stage(client=client, next_group="movers")
    _until(stage, lambda look: len(look.coverage) == 4)
    _append(lab, bench.topic, _packed(spoiled=False))
    looks = _until(stage, lambda look: any(c.next_offset == 3 for c in look.coverage))
    lab.commit("movers", (bench.topic, 0), 3)
    _append(lab, bench.topic, _packed(spoiled=False, summed=False))
    looks += _until(stage, lambda look: bool(look.blind))
    blind = _until(stage, lambda look: any(p.committed == 3 for p in look.positions))
    assert {p.end for look in blind for p in look.positions if p.committed == 3} == {6}
    assert looks[-1].blind == (
        f"topic {bench.topic}, partition 0: the record batch at offset 3 is corrupt: its checksum is wrong"
    )
    assert sum(look.counts.get("records_read", 0) for look in looks) == 3
    assert max(c.next_offset for look in looks for c in look.coverage) == 3


def _packed(*, spoiled: bool, summed: bool = True) -> bytes:
    """Three records in one batch; spoiled, its gzip is none inside; not `summed`, its checksum is wrong."""
    builder: Any = DefaultRecordBatchBuilder(2, 1, 0, -1, -1, -1, 10_000)
    for number in range(3):
        builder.append(number, timestamp=1_700_000_000_000, key=b"k", value=b"{}" * 20, headers=[])
    data = bytearray(builder.build())
    if spoiled:
        data[73:-8] = bytes(byte ^ 0x5A for byte in data[73:-8])
    struct.pack_into(">I", data, 17, crc32c.crc32c(bytes(data[21:])) ^ (not summed))
    return bytes(data)


def _append(lab: Real, topic: str, batch: bytes) -> None:
    kind: Any = ProduceRequest.TopicProduceData
    part = kind.PartitionProduceData(index=0, records=batch)
    wanted = [kind(name=topic, partition_data=[part])]
    request = ProduceRequest(
        transactional_id=None, acks=-1, timeout_ms=5000, topic_data=wanted, max_version=8
    )
    client = Client(Access((lab.inside,), "tests", 5.0), Bell())
    until = time.monotonic() + 10
    try:
        answer: Any = client.ask(client.send, request, client.ask(client.connect, until=until), until=until)
    finally:
        client.close()
    assert answer.responses[0].partition_responses[0].error_code == 0


def test_records_that_do_not_come_are_fetched(bench: Bench) -> None:
    """A leader has them and librdkafka brings none, for so many time-outs: it is at fault."""
    notes = told(bench, faulty(bench, lambda _: {}))
    assert len(notes) == 1
    assert "no record within 5 s" in notes[0]


def test_trouble_after_some_records_is_got_over(bench: Bench) -> None:
    """What was carried, and not yet confirmed, is read again and told once."""
    taken = 0

    def dies(hauls: Mapping[Place, Haul]) -> Mapping[Place, Haul]:
        nonlocal taken
        taken += sum(len(haul.records) for haul in hauls.values())
        if taken >= 3:
            raise TroubleError("it died")
        return hauls

    notes = told(bench, faulty(bench, dies))
    assert len(notes) == 1
    assert "it died" in notes[0]


def test_settings_that_it_does_not_take_are_told(bench: Bench) -> None:
    """The stage is read all the same."""
    bench.settings = replace(bench.settings, partition_bytes=2_000_000_000)
    stage = bench.stage()
    notes = told(bench, stage)
    assert len(notes) == 1
    assert "librdkafka cannot begin" in notes[0]


def test_ends_of_partitions_are_no_records(bench: Bench) -> None:
    """A source that works gives nothing back, and says nothing."""
    notes = told(bench, faulty(bench, lambda hauls: hauls))
    assert notes == []
