"""What every topic edge promises of its looks, on the fake, the sandbox's broker and a real Apache Kafka."""

import json
import uuid
from datetime import timedelta

from canary.values import Look
from tests.contract.topic_bench import Bench, clear, covers, found, resume_of, until, until_found


def test_a_canary_is_seen_with_its_place_and_content(bench: Bench) -> None:
    """A canary written after the start is seen where it stands, with what stood in it."""
    stage = bench.stage()
    until(stage, clear)
    before = bench.line.now()
    one, offset = bench.canary((bench.topic, 2))
    written = bench.line.now()

    (sighting,) = found(until_found(stage, one))

    assert (sighting.id, sighting.stage, sighting.side) == (one, "raw", "")
    assert (sighting.place, sighting.partition, sighting.offset) == (bench.topic, 2, offset)
    assert sighting.content is not None
    assert (sighting.content.event, sighting.content.distinct_id) == ("ingestion_canary", "canary-1")
    assert sighting.content.properties == {"canary_id": str(one), "text": 'a "quoted" text, é, 🐤'}
    assert sighting.at is not None
    assert before - timedelta(seconds=1) <= sighting.at <= written + timedelta(seconds=1)
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
    looks = [look for _ in range(4) for look in until(stage, clear)]

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
