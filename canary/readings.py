"""What is known of one stage: what was read of it when, how far its consumer has come, why it is blind."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from canary.values import Coverage, Look, Position, Skew
from reconcile.coverage import Interval, all_covered_until, common, covered_until, extended, kept

ENDS_EVERY = timedelta(seconds=5)
ENDS_KEPT = 24
"""Two minutes of them."""
VISITED = timedelta(hours=1)
FORGET_EVERY = timedelta(seconds=5)

NOT_READ = "not read yet"

Place = tuple[str, int]
"""A topic and one of its partitions."""


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A stage as the watch knows it: its name, whether it is a topic, and what it may be read through."""

    name: str
    topic: bool
    place: str = ""
    others: tuple[str, ...] = ()
    """Topics beside `place` through which an event may lawfully pass: they must be read as well."""
    system: str = ""
    """What it is a part of (a cluster, a server): stages of one system are gone together."""
    through_distributed: bool = False
    """Rows reach this table through a Distributed one: a committed position alone proves no insert."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Passed (by the consumer, or `expired`: by retention before it), still queued, or (none) unknown."""

    passed_at: datetime | None = None
    expired: bool = False
    queued_at: datetime | None = None


@dataclass(slots=True)
class Progress:
    """How one partition's consumer advanced: committed offsets and when each was first seen."""

    committed: list[int] = field(default_factory=list)
    first_seen: list[datetime] = field(default_factory=list)
    log_start: int | None = None
    removed: list[tuple[int, datetime]] = field(default_factory=list)
    end: int | None = None
    read_at: datetime | None = None
    ends: list[tuple[datetime, int]] = field(default_factory=list)

    def learn(self, position: Position) -> bool:
        """Take one reading in; True where it tells something new."""
        self.end, self.read_at = position.end, position.read_at
        self._note_end(position)
        start = position.log_start
        moved = start is not None and start != self.log_start
        if start is not None and moved:
            self.log_start = start
            self.removed.append((start, position.read_at))
        committed = position.committed if position.committed is not None else -1
        set_back = bool(self.committed) and committed < self.committed[-1]
        if set_back:  # a replay: it will come by again
            keep = bisect_right(self.committed, committed)
            del self.committed[keep:], self.first_seen[keep:]
        if not self.committed or committed > self.committed[-1]:
            self.committed.append(committed)
            self.first_seen.append(position.read_at)
            return True
        return moved or set_back

    def _note_end(self, position: Position) -> None:
        """Where the topic ended, now and then over the last minutes: how fast it grows."""
        if position.end is None or (self.ends and position.read_at - self.ends[-1][0] < ENDS_EVERY):
            return
        if self.ends and position.end < self.ends[-1][1]:  # made again
            self.ends.clear()
        self.ends.append((position.read_at, position.end))
        del self.ends[:-ENDS_KEPT]

    def finished(self, end: int) -> bool:
        """Whether nothing below `end` is left to do: passed, or removed before anybody came."""
        return max(self.committed[-1] if self.committed else -1, self.log_start or 0) >= end

    def standing(self, offset: int, since: datetime) -> "Standing":
        """Where the consumer stands to a record appended after `since`.

        A position beyond it that was there before it was sent belongs to a topic made again, and says
        nothing about this record.
        """
        index = bisect_right(self.committed, offset)
        passed = self.first_seen[index] if index < len(self.committed) else None
        gone = next((at for start, at in self.removed if start > offset and at >= since), None)
        if gone is not None and (passed is None or gone < passed):
            return Standing(passed_at=gone, expired=True)
        if passed is not None:
            return Standing(passed_at=passed) if passed >= since else Standing()
        return Standing(queued_at=self.read_at)

    def forget(self, before: datetime) -> None:
        """Drop readings that no open canary can ask for, the newest of each kind aside."""
        keep = max(bisect_right(self.first_seen, before) - 1, 0)
        del self.committed[:keep], self.first_seen[:keep]
        self.removed = [item for item in self.removed if item[1] >= before] or self.removed[-1:]


class Reading:
    """Everything learned about one stage. Not locked: its owner is."""

    def __init__(self, spec: StageSpec) -> None:
        self.spec = spec
        self._places = (spec.place, *spec.others)
        self.intervals: dict[Place, tuple[Interval, ...]] = {}
        self.progress: dict[Place, Progress] = {}
        self.partitions: int | None = None
        self.gone: dict[Place, datetime] = {}
        self.blind = NOT_READ
        self.positions_unreadable = NOT_READ
        self.last_read_at: datetime | None = None
        self.positions_at: datetime | None = None
        self.drained: list[tuple[datetime, datetime]] = []
        self._ends: tuple[datetime, dict[Place, int]] | None = None
        self._span: Interval | None = None  # all partitions' latest intervals have this in common
        self.skew: Skew | None = None
        self.mode = ""
        self._visited: dict[int, datetime] = {}
        self._forgotten: datetime | None = None
        self.queue_at: datetime | None = None
        self.flushes: list[datetime] = []

    @property
    def begun(self) -> bool:
        """Whether reading has begun, or is known to be impossible."""
        if self.blind:
            return self.blind != NOT_READ
        return bool(self.intervals) or not self.spec.topic

    def learn(self, look: Look) -> list[Position]:
        """Take a look in; return the positions that are news and belong into the ledger."""
        self.blind = look.blind
        if not look.blind:
            self.last_read_at = look.started_at
        if look.partitions is not None and look.partitions != self.partitions:
            self.partitions, self._span = look.partitions, None
        self.skew = look.skew or self.skew
        self.mode = look.reading
        self._visited.update(
            (item.partition, item.seen_at)
            for item in look.sightings
            if item.partition is not None and item.place == self.spec.place
        )
        if look.queue is not None:
            self.queue_at, files = look.queue
            if not files:
                self.flushes.append(self.queue_at)
        for item in look.coverage:
            self.cover(item)
        self._note_gone(look)
        self.positions_unreadable = look.positions_unreadable
        news = [item for item in look.positions if self._progress(item).learn(item)]
        if look.positions:
            self._note_drained(look.positions)
        return news

    def _note_gone(self, look: Look) -> None:
        """See which partitions there are no longer, since the topic was made again with fewer.

        They still count for what was sent before that: it may have been in them, and nobody can tell.
        """
        if look.partitions is None or not look.coverage:
            return
        for place, partition in self.intervals:
            if place == self.spec.place and partition >= look.partitions:
                self._span = None
                self.gone.setdefault((place, partition), look.started_at)

    def _note_drained(self, positions: Sequence[Position]) -> None:
        """See whether the consumer has finished all that stood in the topic at an earlier reading."""
        ends = {(item.place, item.partition): item.end for item in positions}
        known = {key: end for key, end in ends.items() if end is not None}
        read_at = max(item.read_at for item in positions)
        if len(known) < len(ends):
            if not self._finished():  # it has more to do, which is all that can be known
                self.positions_at = read_at
            return
        self.positions_at = read_at
        if self._ends is None or any(known.get(key, -1) < end for key, end in self._ends[1].items()):
            self._ends = (self.positions_at, known)
        elif self._finished():
            self.drained.append((self._ends[0], self.positions_at))
            self._ends = (self.positions_at, known)

    def _finished(self) -> bool:
        """Whether the consumer has finished all that is known to have stood in the topic."""
        known = {} if self._ends is None else self._ends[1]
        return all(self.progress[k].finished(end) for k, end in known.items() if k in self.progress)

    def _progress(self, item: Position) -> Progress:
        return self.progress.setdefault((item.place, item.partition), Progress())

    def cover(self, item: Coverage) -> None:
        """Add one partition's interval."""
        key = (item.place, item.partition)
        self._span = None
        self.gone.pop(key, None)
        self.intervals[key] = extended(self.intervals.get(key, ()), Interval(item.since, item.until))

    def restore(self, coverage: Iterable[Coverage], positions: Iterable[Position], *, now: datetime) -> None:
        """What the ledger remembers from before a restart, less what a wrong clock wrote of the future:
        nobody knows when such an interval really ended."""
        for item in coverage:
            if item.until <= now:
                self.cover(item)
        for position in positions:
            self._progress(position).learn(position)

    def covered_until(self, since: datetime) -> datetime | None:
        """Up to when all partitions were read from `since` on (topics only)."""
        if self._span is not None and since >= self._span.since:
            return self._span.until if since <= self._span.until else None
        own = sum(key[0] == self.spec.place and key not in self.gone for key in self.intervals)
        if self.partitions is not None and own < self.partitions:
            return None
        wanted = [
            items
            for key, items in self.intervals.items()
            if key[0] in self._places and (key not in self.gone or since < self.gone[key])
        ]
        if not self.gone:
            self._span = common(wanted)
        return all_covered_until(wanted, since)

    def partition_covered_until(self, key: Place, since: datetime) -> datetime | None:
        """The same for one partition."""
        return covered_until(self.intervals.get(key, ()), since)

    def flushed_after(self, moment: datetime) -> datetime | None:
        """When the queues in front of this table were first seen empty after that time."""
        index = bisect_left(self.flushes, moment)
        return self.flushes[index] if index < len(self.flushes) else None

    def through(self, drained: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
        """What a consumer had finished is through once the queues in front of this table were seen empty."""
        return [(since, at) for since, done in drained if (at := self.flushed_after(done)) is not None]

    def lag(self) -> int | None:
        """Messages that the consumer behind this topic has still to finish; None where unknown."""
        known = self.parts()
        if not known or self.positions_unreadable or any(p.end is None for p in known):
            return None
        return sum(max((p.end or 0) - max(p.committed[-1], p.log_start or 0), 0) for p in known)

    def parts(self) -> list[Progress]:
        """How the consumer stands in the partitions that there are of what is read."""
        there = (p for key, p in self.progress.items() if key[0] in self._places and key not in self.gone)
        return [progress for progress in there if progress.committed]

    def visited(self, now: datetime) -> int:
        """In how many partitions of a topic canaries were seen within the last hour."""
        return sum(now - at <= VISITED for at in self._visited.values())

    def unvisited(self, now: datetime) -> Sequence[int]:
        """The partitions of a topic, as far as they are known, in which none were."""
        seen = {partition for partition, at in self._visited.items() if now - at <= VISITED}
        return sorted(set(range(self.partitions or 0)) - seen)

    def age(self, now: datetime) -> timedelta | None:
        """How long ago this stage was last read up to its end."""
        if not self.spec.topic:
            return now - self.last_read_at if self.last_read_at else None
        if self.mode in ("targeted", "on_demand"):  # not read whole: how long since it could be
            return now - self.last_read_at if self.last_read_at else None
        there = [items for key, items in self.intervals.items() if items and key not in self.gone]
        ends: Sequence[datetime] = [items[-1].until for items in there]
        return now - min(ends) if ends else None

    def forget(self, before: datetime) -> None:
        """Drop what no open canary can ask for, now and then: it is only memory."""
        if self._forgotten is not None and abs(before - self._forgotten) < FORGET_EVERY:
            return
        self._forgotten, self._span = before, None
        for key in [key for key, since in self.gone.items() if since <= before]:
            self.intervals.pop(key, None)
            self.progress.pop(key, None)
            del self.gone[key]
        self.intervals = {key: kept(items, before) for key, items in self.intervals.items()}
        for progress in self.progress.values():
            progress.forget(before)
        keep = max(bisect_right(self.drained, before, key=lambda pair: pair[0]) - 1, 0)
        del self.drained[:keep]
        del self.flushes[: bisect_left(self.flushes, before)]
