"""What a topic edge promises when librdkafka is at fault: the other client reads, and nothing is lost."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Settings
from canary.edges.kafka.carrier import Carrier, Haul
from canary.edges.kafka.client import TroubleError
from canary.edges.kafka.requests import Place
from canary.identity import Mint, Verifier
from canary.values import Look, Marks, Resume
from tests.contract.topic_bench import Bench
from tests.contract.topic_labs import TANSU, Real, real, tansu

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


def told(bench: Bench, stage: KafkaStage) -> tuple[list[uuid.UUID], list[str]]:
    """Write canaries and read to behind them, without a gap: what was seen, and what a person hears."""
    looks: list[Look] = []

    def until(enough: Callable[[Look], bool]) -> Look:
        for _ in range(200):
            looks.append(stage.look(()))
            if enough(looks[-1]):
                return looks[-1]
        raise AssertionError(f"the last look was {looks[-1]}")

    began = until(lambda look: len(look.coverage) == 4)
    written = [bench.canary((bench.topic, number % 4))[0] for number in range(12)]
    at = bench.line.now()
    ended = until(lambda look: len(look.coverage) == 4 and all(c.until >= at for c in look.coverage))
    assert sorted(item.id for look in looks for item in look.sightings) == sorted(written)
    assert [c.since for c in ended.coverage] == [c.since for c in began.coverage]
    return written, [note for look in looks for note in look.notes]


def test_what_cannot_be_unpacked_is_read_with_the_other_client(bench: Bench) -> None:
    """From what is confirmed on: each canary once, no gap, and the fault is told."""

    def broken(hauls: Mapping[Place, Haul]) -> Mapping[Place, Haul]:
        return {place: replace(haul, fault="Bad compression") for place, haul in hauls.items()}

    _, notes = told(bench, faulty(bench, broken))
    assert len(notes) == 1
    assert "Bad compression" in notes[0]
    assert "kafka-python reads it" in notes[0]


def test_records_that_do_not_come_are_fetched(bench: Bench) -> None:
    """A leader has them and librdkafka brings none, for so many time-outs: it is at fault."""
    _, notes = told(bench, faulty(bench, lambda _: {}))
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

    _, notes = told(bench, faulty(bench, dies))
    assert len(notes) == 1
    assert "it died" in notes[0]


def test_settings_that_it_does_not_take_are_told(bench: Bench) -> None:
    """The stage is read all the same."""
    bench.settings = replace(bench.settings, partition_bytes=2_000_000_000)
    stage = bench.stage()
    assert isinstance(stage, KafkaStage)
    _, notes = told(bench, stage)
    assert len(notes) == 1
    assert "librdkafka cannot begin" in notes[0]


def test_ends_of_partitions_are_no_records(bench: Bench) -> None:
    """A source that works gives nothing back, and says nothing."""
    _, notes = told(bench, faulty(bench, lambda hauls: hauls))
    assert notes == []
