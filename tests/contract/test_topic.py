"""What every topic edge promises, tried on the fake, on the sandbox's broker and on a real Apache Kafka."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from canary.clock import Line, SystemClock
from canary.edges.kafka import Settings
from canary.identity import Mint, Verifier
from canary.values import Look, Marks, Resume, Sighting
from tests.contract.topic_labs import KAFKA, TANSU, Fake, Lab, Place, Stage, apache, real, tansu

SECRET = b"a secret of the tests"


@pytest.fixture(
    scope="module",
    params=[
        "fake",
        pytest.param("tansu", marks=pytest.mark.sandbox),
        pytest.param("kafka", marks=pytest.mark.reference),
    ],
)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    state: Path = tmp_path_factory.mktemp("broker")
    if request.param == "fake":
        yield Fake()
    elif request.param == "tansu":
        with real(tansu, state, TANSU) as broker:
            yield broker
    else:
        with real(apache, state, KAFKA) as broker:
            yield broker


@dataclass(slots=True)
class Bench:
    """One topic of four partitions and the stages that look at it."""

    lab: Lab
    line: Line
    mint: Mint
    settings: Settings
    marks: Marks
    opened: list[Stage]

    def stage(self, *, resume: Resume | None = None, **changes: object) -> Stage:
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        made = self.lab.stage(settings, marks=self.marks, now=self.line.now, resume=resume or Resume())
        self.opened.append(made)
        return made

    def canary(self, place: Place | None = None, *, key: bytes | None = None) -> tuple[uuid.UUID, int]:
        """Write one as PostHog's ingress does; return its id and its offset."""
        one = self.mint.mint(self.line.now())
        inner = {
            "event": "ingestion_canary",
            "timestamp": "2026-01-02T03:04:05Z",
            "properties": {"canary_id": str(one), "text": 'a "quoted" text, é, 🐤'},
        }
        outer = {"uuid": str(one), "distinct_id": "canary-1", "data": json.dumps(inner)}
        value = json.dumps(outer).encode()
        return one, self.lab.write(place or (self.topic, 0), key=key, value=value)

    @property
    def topic(self) -> str:
        return self.settings.topic

    def skip_without(self, ability: str) -> None:
        if ability not in self.lab.can:
            pytest.skip(f"this broker cannot {ability}")


@pytest.fixture
def bench(lab: Lab) -> Iterator[Bench]:
    verifier = Verifier(SECRET, ["tests"])
    topic = f"t{uuid.uuid4().hex[:8]}"
    lab.make(topic, 4)
    made = Bench(
        lab=lab,
        line=Line(SystemClock()),
        mint=Mint(SECRET, "tests"),
        settings=Settings("raw", (lab.address,), topic, wait=timedelta(milliseconds=100)),
        marks=Marks(verifier.recognises, "ingestion_canary", "canary-"),
        opened=[],
    )
    yield made
    lab.heal()
    for stage in made.opened:
        stage.close()


def until(stage: Stage, enough: Callable[[Look], bool], *, within: float = 20.0) -> list[Look]:
    """Look until something is so; return all looks."""
    looks: list[Look] = []
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        looks.append(stage.look(()))
        if enough(looks[-1]):
            return looks
    raise AssertionError(f"not within {within} s; the last look was {looks[-1]}")


def clear(look: Look) -> bool:
    """Every partition is read; a topic just made may lack a leader for a moment."""
    return not look.blind and len({c.partition for c in look.coverage}) == look.partitions


def found(looks: list[Look]) -> list[Sighting]:
    return [sighting for look in looks for sighting in look.sightings]


def until_found(stage: Stage, *ids: uuid.UUID) -> list[Look]:
    seen: set[uuid.UUID] = set()

    def all_there(look: Look) -> bool:
        seen.update(sighting.id for sighting in look.sightings)
        return seen >= set(ids)

    return until(stage, all_there)


def covers(looks: list[Look], place: Place) -> tuple[list[object], list[object]]:
    items = [c for look in looks for c in look.coverage if (c.place, c.partition) == place]
    return [c.since for c in items], [c.until for c in items]


def resume_of(look: Look) -> Resume:
    return Resume({(c.place, c.partition): (c.next_offset, c.until) for c in look.coverage})


def test_a_canary_is_seen_with_its_place_and_content(bench: Bench) -> None:
    """A canary written after the start is seen where it stands, with what stood in it."""
    stage = bench.stage()
    until(stage, clear)
    before = bench.line.now()
    one, offset = bench.canary((bench.topic, 2))

    (sighting,) = found(until_found(stage, one))

    assert (sighting.id, sighting.stage, sighting.side) == (one, "raw", "")
    assert (sighting.place, sighting.partition, sighting.offset) == (bench.topic, 2, offset)
    assert sighting.content is not None
    assert (sighting.content.event, sighting.content.distinct_id) == ("ingestion_canary", "canary-1")
    assert sighting.content.properties == {"canary_id": str(one), "text": 'a "quoted" text, é, 🐤'}
    assert sighting.at is not None
    assert abs(sighting.at - before) < timedelta(seconds=5)
    assert sighting.not_before is not None
    assert sighting.not_before <= sighting.seen_at <= bench.line.now()


def test_what_was_there_before_the_start_is_not_read(bench: Bench) -> None:
    """Without offsets to resume from, reading begins at the end."""
    bench.canary()
    stage = bench.stage()
    until(stage, clear)
    one, _ = bench.canary()

    assert [item.id for item in found(until_found(stage, one))] == [one]


def test_coverage_grows_from_the_start_and_names_every_partition(bench: Bench) -> None:
    """All partitions are covered since the start, each look further, never past its own end."""
    stage = bench.stage()
    start = bench.line.now()
    looks = [*until(stage, clear), *(stage.look(()) for _ in range(3))]

    assert looks[-1].partitions == 4
    for partition in range(4):
        since, ends = covers(looks, (bench.topic, partition))
        assert len(set(since)) == 1
        assert since[0] >= start  # type: ignore[operator]
        assert ends == sorted(ends)  # type: ignore[type-var]
        assert ends[-1] > ends[0]  # type: ignore[operator]
        assert ends[-1] <= looks[-1].ended_at  # type: ignore[operator]


def test_a_canary_not_seen_before_the_coverage_passes_it_was_not_there(bench: Bench) -> None:
    """When coverage has passed the moment a write was answered, the canary has been seen."""
    stage = bench.stage()
    until(stage, clear)
    seen: set[uuid.UUID] = set()
    for number in range(20):
        one, _ = bench.canary((bench.topic, number % 4))
        written = bench.line.now()
        while True:
            look = stage.look(())
            seen.update(sighting.id for sighting in look.sightings)
            _, ends = covers([look], (bench.topic, number % 4))
            if ends and ends[0] >= written:  # type: ignore[operator]
                break
        assert one in seen


def test_reading_resumes_where_it_stopped(bench: Bench) -> None:
    """What is written while nobody reads is seen after a restart, and coverage has no gap."""
    first = bench.stage()
    looks = until(first, clear)
    first.close()
    one, _ = bench.canary((bench.topic, 1))
    second = bench.stage(resume=resume_of(looks[-1]))

    again = until_found(second, one)

    _, ends = covers(looks, (bench.topic, 1))
    since, _ = covers(again, (bench.topic, 1))
    assert [item.id for item in found(again)] == [one]
    assert since[-1] == ends[-1]


def test_garbage_is_counted_and_passed_over(bench: Bench) -> None:
    """Records that cannot be read as canaries cost nothing but a count."""
    stage = bench.stage()
    until(stage, clear)
    place = (bench.topic, 0)
    deep = b'{"event":"ingestion_canary","x":' + b"[" * 100_000
    garbage = [
        None,
        b"",
        b"\xff\xfe",
        b'{"ingestion_canary',
        b'["ingestion_canary"]',
        deep,
        b"ingestion_canary\xff",
    ]
    for value in garbage:
        bench.lab.write(place, key=b"k", value=value)
    one, _ = bench.canary(place)

    looks = until_found(stage, one)

    counts = {name for look in looks for name in look.counts}
    assert [item.id for item in found(looks)] == [one]
    assert {"null_value", "unparsable", "not_an_object", "nested_too_deep"} <= counts
    assert sum(look.counts.get("records_read", 0) for look in looks) == len(garbage) + 1


def test_what_claims_to_be_a_canary_is_told(bench: Bench) -> None:
    """A forged canary is a sighting like any other: who reads on decides whether it is foreign."""
    stage = bench.stage()
    until(stage, clear)
    forged = uuid.uuid4()
    value = json.dumps({"uuid": str(forged), "event": "ingestion_canary"}).encode()
    bench.lab.write((bench.topic, 3), key=None, value=value)

    assert [item.id for item in found(until_found(stage, forged))] == [forged]


def test_side_places_are_read_and_named(bench: Bench) -> None:
    """A canary in an alternate or a dead letter topic says so, with the reason where there is one."""
    alternate, letters = f"{bench.topic}_overflow", f"{bench.topic}_dlq"
    bench.lab.make(alternate, 1)
    bench.lab.make(letters, 1)
    stage = bench.stage(alternates=(alternate,), dead_letters=(letters,))
    until(stage, clear)
    one, _ = bench.canary((alternate, 0))
    two = bench.mint.mint(bench.line.now())
    headers = [("dlq_reason", b"too <big>"), ("uuid", str(two).encode())]
    bench.lab.write((letters, 0), key=None, value=b"{}", headers=headers)

    seen = {item.id: item for item in found(until_found(stage, one, two))}

    assert (seen[one].side, seen[one].place, seen[one].reason) == ("alternate", alternate, "")
    assert (seen[two].side, seen[two].place, seen[two].reason) == ("dead_letter", letters, "too <big>")


def test_positions_of_the_next_group_are_read(bench: Bench) -> None:
    """The committed offset of the next stage's group is told per partition, None where it never committed."""
    group = f"g{uuid.uuid4().hex[:6]}"
    stage = bench.stage(next_group=group)
    until(stage, clear)
    bench.canary((bench.topic, 1))
    bench.lab.commit(group, (bench.topic, 1), 1)

    def committed(look: Look) -> bool:
        return any((p.partition, p.committed, p.end) == (1, 1, 1) for p in look.positions)

    look = until(stage, committed)[-1]

    assert look.positions_unreadable == ""
    assert {p.partition: p.committed for p in look.positions} == {0: None, 1: 1, 2: None, 3: None}
    assert {p.log_start for p in look.positions} == {0}


def test_without_a_group_positions_are_unreadable(bench: Bench) -> None:
    """Nobody said which consumer group reads this topic: that is told, not guessed."""
    look = until(bench.stage(), clear)[-1]

    assert not look.positions
    assert "no consumer group" in look.positions_unreadable


def test_a_missing_topic_makes_the_stage_blind_until_it_is_there(bench: Bench) -> None:
    """A topic that does not exist is named; it is not made; when it comes it is read from its beginning."""
    missing = f"{bench.topic}_later"
    stage = bench.stage(topic=missing)
    for _ in range(3):
        look = stage.look(())
        assert f"topic {missing} does not exist" in look.blind
    bench.lab.make(missing, 1)
    one, _ = bench.canary((missing, 0))

    assert [item.id for item in found(until_found(stage, one))] == [one]


def test_added_partitions_are_read_from_their_beginning(bench: Bench) -> None:
    """Partitions added while reading are found, noted, and covered as far back as the others."""
    bench.skip_without("grow")
    stage = bench.stage()
    looks = until(stage, clear)
    bench.lab.make(bench.topic, 6)
    one, _ = bench.canary((bench.topic, 5))

    more = until_found(stage, one)

    since, _ = covers(looks, (bench.topic, 0))
    later, _ = covers(more, (bench.topic, 5))
    assert more[-1].partitions == 6
    assert later[-1] == since[0]


def test_a_topic_made_again_is_read_from_its_beginning(bench: Bench) -> None:
    """A new topic under the old name starts anew, whatever offsets were kept of the old one."""
    bench.skip_without("remake")
    stage = bench.stage()
    until(stage, clear)
    first = [bench.canary()[0] for _ in range(3)]
    until_found(stage, *first)
    bench.lab.remake(bench.topic, 4)
    again = [bench.canary()[0] for _ in range(5)]

    looks = until_found(stage, *again)
    notes = [note for look in (*looks, *until(stage, clear)) for note in look.notes]

    assert [item.id for item in found(looks)] == again
    assert any("made again" in note for note in notes)


def test_what_retention_removed_unread_is_never_covered(bench: Bench) -> None:
    """When retention passes the reader, the lost records are counted and coverage has a gap."""
    bench.skip_without("expire")
    stage = bench.stage()
    looks = until(stage, clear)
    stage.close()
    for _ in range(4):
        bench.canary()
    bench.lab.expire((bench.topic, 0), 3)
    again = bench.stage(resume=resume_of(looks[-1]))

    more = until(again, clear)
    more += [again.look(()) for _ in range(2)]

    _, ends = covers(looks, (bench.topic, 0))
    since, _ = covers(more, (bench.topic, 0))
    last = next(c for c in more[-1].coverage if c.partition == 0)
    assert since[-1] > ends[-1]  # type: ignore[operator]
    assert last.expired == 3
    assert sum(look.counts.get("expired", 0) for look in more) == 3
    assert len(found(more)) == 1


@pytest.mark.parametrize("fault", ["freeze", "down"])
def test_an_outage_is_blindness_and_leaves_no_gap(bench: Bench, fault: str) -> None:
    """While the broker does not answer, looks return soon and are blind; then all is read, without a gap."""
    bench.skip_without("fault")
    stage = bench.stage()
    looks = until(stage, clear)
    (bench.lab.freeze if fault == "freeze" else bench.lab.down)()
    for _ in range(3):
        began = time.monotonic()
        look = until(stage, lambda look: bool(look.blind), within=4)[-1]
        assert time.monotonic() - began < 3.5
        assert not look.coverage
        assert "\n" not in look.blind
    bench.lab.heal()
    one, _ = bench.canary()

    more = until_found(stage, one)

    since, _ = covers(looks, (bench.topic, 0))
    later, _ = covers([*more, *until(stage, clear)], (bench.topic, 0))
    assert later[-1] == since[0]


def test_closing_is_prompt_while_the_broker_is_frozen(bench: Bench) -> None:
    """A frozen broker does not hold up an exit, not even out of a look that waits for it."""
    bench.skip_without("fault")
    stage = bench.stage()
    until(stage, clear)
    bench.lab.freeze()
    looking = threading.Thread(target=stage.look, args=((),))
    looking.start()
    time.sleep(0.3)
    began = time.monotonic()
    stage.close()
    looking.join(5)

    assert time.monotonic() - began < 2
    assert not looking.is_alive()


def test_a_look_can_be_interrupted(bench: Bench) -> None:
    """A look that waits for records ends when it is told to."""
    stage = bench.stage(wait=timedelta(seconds=1.5))
    until(stage, clear)
    timer = threading.Timer(0.1, stage.interrupt)
    timer.start()
    began = time.monotonic()
    stage.look(())

    assert time.monotonic() - began < 1.2
    timer.join()


def test_a_closed_stage_is_blind(bench: Bench) -> None:
    """Looking after the close is told, not raised."""
    stage = bench.stage()
    stage.close()
    stage.close()

    assert stage.look(()).blind
