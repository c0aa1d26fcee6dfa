"""What a topic edge promises that reads no more than it must, on the sandbox's broker and a real Kafka."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from canary.values import Look, Resume, Wanted
from tests.contract.topic_bench import Bench, covers, found
from tests.contract.topic_labs import Stage

pytestmark = pytest.mark.needs("seek", "whole")  # how much is read is chosen here

LATER = timedelta(hours=1)
"""No search in a test."""


@dataclass(slots=True)
class Seeker:
    """A stage, and who looks at it for the canaries that it has not shown."""

    bench: Bench
    stage: Stage
    wanted: dict[uuid.UUID, Wanted] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)

    def write(self, partition: int, *, aimed: int | None = None, arrived: bool = False) -> uuid.UUID:
        sent_at = self.bench.line.now()
        one, _ = self.bench.canary((self.bench.topic, partition))
        self.wanted[one] = Wanted(one, sent_at, "ingestion_canary", "canary-1", aimed, arrived)
        return one

    def look(self, times: int = 1) -> None:
        """So often with an answer: a machine that is busy may keep one back, which is told and no fault."""
        for _ in range(times):
            look = until(lambda: self.stage.look(list(self.wanted.values())), lambda look: not look.blind)
            self.looks.append(look)
            for item in look.sightings:
                self.wanted.pop(item.id, None)

    def until_seen(self, *ids: uuid.UUID) -> None:
        for _ in range(60):
            if not self.wanted.keys() & set(ids):
                return
            self.look()
        raise AssertionError(f"not seen: {self.wanted.keys() & set(ids)}; the last look was {self.looks[-1]}")

    def read(self) -> int:
        return sum(look.counts.get("records_read", 0) for look in self.looks)


def until(looks: Callable[[], Look], enough: Callable[[Look], bool]) -> Look:
    deadline = time.monotonic() + 60
    while not enough(look := looks()):
        assert time.monotonic() < deadline, look
    return look


def seeker(
    bench: Bench,
    reading: str,
    after: timedelta,
    *,
    resume: Resume | None = None,
    wanted: Sequence[Wanted] = (),
) -> Seeker:
    """Looks until the stage has begun."""
    made = Seeker(bench, bench.stage(reading=reading, seek_after=after, resume=resume))
    made.wanted = {one.id: one for one in wanted}

    def looked() -> Look:
        made.looks.append(made.stage.look(list(wanted)))
        return made.looks[-1]

    until(looked, lambda look: not look.blind and len(look.coverage) == 4)
    return made


def noise(bench: Bench, partition: int, count: int) -> None:
    for _ in range(count):
        bench.lab.write((bench.topic, partition), key=b"k", value=b'{"event":"$pageview"}')


def test_targeted_reading_finds_canaries_where_their_keys_lead(bench: Bench) -> None:
    """Each in its partition; the rest of the topic is not fetched."""
    looker = seeker(bench, "targeted", LATER)
    for partition in range(4):
        noise(bench, partition, 20)
    ids = [looker.write(partition, aimed=partition) for partition in (1, 1, 2)]
    looker.until_seen(*ids)
    assert sorted(item.id for item in found(looker.looks)) == sorted(ids)
    assert {item.partition for item in found(looker.looks)} == {1, 2}
    assert looker.read() <= 3 + 2 * 20  # none of partitions 0 and 3
    assert {look.reading for look in looker.looks} == {"targeted"}


def test_hints_by_time_spare_what_came_before(bench: Bench) -> None:
    """Once the times of some records are known, a hunt begins near the next one."""
    looker = seeker(bench, "targeted", LATER)
    looker.until_seen(*[looker.write(0, aimed=0) for _ in range(6)])
    read = looker.read()
    noise(bench, 0, 300)
    looker.until_seen(looker.write(0, aimed=0))
    assert looker.read() - read < 200


def test_on_demand_reads_nothing_until_a_canary_is_late(bench: Bench) -> None:
    """And then only where its key leads it."""
    looker = seeker(bench, "on_demand", timedelta(seconds=1))
    for partition in range(4):
        noise(bench, partition, 20)
    arrived = looker.write(2, aimed=2, arrived=True)
    looker.look(3)
    assert looker.read() == 0
    late = looker.write(3, aimed=3)
    looker.until_seen(late)
    looker.look(3)
    assert arrived in looker.wanted
    assert looker.read() <= 21


def test_who_is_not_where_the_key_leads_is_searched_everywhere_and_the_keys_are_distrusted(
    bench: Bench,
) -> None:
    """The search begins where the topic stood at the send, and covers it since then."""
    looker = seeker(bench, "targeted", timedelta(seconds=1))
    sent_at = bench.line.now()
    one = looker.write(3, aimed=0)
    looker.until_seen(one)
    looker.look(3)
    since, until = covers(looker.looks[-1:], (bench.topic, 3))
    assert isinstance(since[0], datetime)
    assert isinstance(until[0], datetime)
    assert since[0] <= sent_at < until[0]
    assert sum(look.astray for look in looker.looks) == 1
    assert looker.looks[-1].reading == "full"
    assert any("not in the partitions" in note for look in looker.looks for note in look.notes)


def test_a_canary_that_is_nowhere_is_covered_in_every_partition_since_its_send(bench: Bench) -> None:
    """That is what proves it lost; nothing is covered for it before the search."""
    looker = seeker(bench, "on_demand", timedelta(seconds=1))
    sent_at = bench.line.now()
    missing = bench.mint.mint(sent_at)
    looker.wanted[missing] = Wanted(missing, sent_at, "ingestion_canary", "canary-1", 2)
    looker.look()
    # the machine may come too late to see it
    early = looker.looks[-1].ended_at < sent_at + timedelta(seconds=1)
    assert not (early and _covered(looker.looks[-1:], bench.topic, sent_at))
    noise(bench, 1, 30)
    for _ in range(60):
        looker.look()
        if _covered(looker.looks[-1:], bench.topic, sent_at):
            break
    assert _covered(looker.looks[-1:], bench.topic, sent_at)


def test_a_restart_searches_what_was_sent_before_it(bench: Bench) -> None:
    """What the first run noted of where the topic stood is a floor for the second."""
    first = seeker(bench, "on_demand", timedelta(seconds=1))
    first.look()
    resume = Resume({(c.place, c.partition): (c.next_offset, c.until) for c in first.looks[-1].coverage})
    sent_at = bench.line.now()
    one = first.write(1)
    noise(bench, 1, 10)
    first.stage.close()
    missing = bench.mint.mint(sent_at)  # as long as it is wanted, reading goes on to the end
    wanted = [*first.wanted.values(), Wanted(missing, sent_at, "ingestion_canary", "canary-1", 2)]
    second = seeker(bench, "on_demand", timedelta(seconds=1), resume=resume, wanted=wanted)
    if any(item.id == one for item in found(second.looks)):
        second.wanted.pop(one, None)
    second.until_seen(one)
    for _ in range(60):
        if _covered(second.looks[-1:], bench.topic, sent_at):
            break
        second.look()
    assert _covered(second.looks[-1:], bench.topic, sent_at)


def test_auto_reads_a_quiet_topic_whole(bench: Bench) -> None:
    """Until it is known to be busy."""
    looker = seeker(bench, "auto", LATER)
    noise(bench, 0, 5)
    one = looker.write(1)
    looker.until_seen(one)
    assert {look.reading for look in looker.looks} == {"full"}
    assert replace(looker.looks[-1]).coverage


def _covered(looks: Sequence[Look], topic: str, moment: datetime) -> bool:
    items = [c for look in looks for c in look.coverage if c.place == topic]
    return len(items) == 4 and all(c.since <= moment < c.until for c in items)
