"""A broker in memory and an edge that reads it, for tests of what stands above the edges."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from canary.edges.kafka import Settings
from canary.edges.kafka.batches import Header
from canary.edges.kafka.record import Recogniser, Spot
from canary.values import Coverage, Look, Marks, Now, Position, Resume, Sighting, Wanted

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """One record, shaped as the edge's record reader wants it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    timestamp: int | None = None

    @property
    def size_in_bytes(self) -> int:
        return len(self.key or b"") + len(self.value or b"")


@dataclass(slots=True)
class FakeLog:
    """One partition; `start` is the oldest offset that retention has left."""

    records: list[FakeRecord] = field(default_factory=list)
    start: int = 0

    @property
    def end(self) -> int:
        return self.records[-1].offset + 1 if self.records else self.start


@dataclass(slots=True)
class FakeBroker:
    """Topics by name, and what groups have committed. `frozen` and `down` are faults."""

    topics: dict[str, dict[int, FakeLog]] = field(default_factory=dict)
    generation: Counter[str] = field(default_factory=Counter)
    committed: dict[tuple[str, str, int], int] = field(default_factory=dict)
    frozen: bool = False
    down: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def make(self, topic: str, partitions: int) -> None:
        """A topic, or more partitions for one that is there."""
        logs = self.topics.setdefault(topic, {})
        for partition in range(partitions):
            logs.setdefault(partition, FakeLog())

    def remake(self, topic: str, partitions: int) -> None:
        """The same name, a new topic."""
        self.topics[topic] = {partition: FakeLog() for partition in range(partitions)}
        self.generation[topic] += 1

    def append(
        self,
        place: Place,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        timestamp: int | None = None,
    ) -> int:
        """Write one record; return its offset."""
        with self.changed:
            log = self.topics[place[0]][place[1]]
            at = int(time.time() * 1000) if timestamp is None else timestamp
            log.records.append(FakeRecord(log.end, key, value, headers, at))
            self.changed.notify_all()
            return log.end - 1

    def expire(self, place: Place, before: int) -> None:
        """Retention removes everything below an offset."""
        log = self.topics[place[0]][place[1]]
        log.records = [record for record in log.records if record.offset >= before]
        log.start = before


@dataclass(slots=True)
class _At:
    offset: int
    since: datetime
    until: datetime
    expired: int = 0


class FakeTopic:
    """The edge of a fake broker; same surface and same promises as the real one."""

    def __init__(
        self, broker: FakeBroker, settings: Settings, *, marks: Marks, now: Now, resume: Resume
    ) -> None:
        self.name = settings.name
        self._broker = broker
        self._settings = settings
        self._now = now
        self._resume = resume.offsets
        self._ids = resume.topic_ids
        self._recogniser = Recogniser(marks)
        self._at: dict[Place, _At] = {}
        self._generation: dict[str, int] = {}
        self._met = False
        self._interrupted = False
        self._closed = False

    def look(self, wanted: Sequence[Wanted]) -> Look:  # noqa: ARG002 - a topic is read, not asked
        started = self._now()
        blind = self._blind()
        notes = [] if blind else self._arrange(started)
        found, counts = ([], Counter[str]()) if blind else self._wait_and_read()
        self._interrupted = False
        known = self._settings.topic in self._broker.topics
        return Look(
            stage=self.name,
            started_at=started,
            ended_at=self._now(),
            blind=blind,
            coverage=() if blind else self._coverage(),
            positions=() if blind else self._positions(),
            positions_unreadable=blind or ("" if self._settings.next_group else "no consumer group"),
            sightings=found,
            counts=counts,
            notes=notes,
            partitions=len(self._broker.topics[self._settings.topic]) if known else None,
        )

    def _blind(self) -> str:
        if self._broker.frozen:
            return "no answer within 2 s"
        if self._broker.down or self._closed:
            return "connection refused"
        if self._settings.topic not in self._broker.topics:
            self._met = True  # what comes to be from now on is read from its beginning
            return f"topic {self._settings.topic} does not exist"
        return ""

    def _sides(self) -> Mapping[str, str]:
        sides = dict.fromkeys(self._settings.dead_letters, "dead_letter")
        return sides | dict.fromkeys(self._settings.alternates, "alternate") | {self._settings.topic: ""}

    def _arrange(self, now: datetime) -> list[str]:
        notes: list[str] = []
        for topic in self._sides():
            if topic not in self._broker.topics:
                continue
            if self._broker.generation[topic] != self._generation.get(topic, self._broker.generation[topic]):
                notes.append(f"topic {topic} was made again: reading it from its beginning")
                self._at = {place: at for place, at in self._at.items() if place[0] != topic}
                for partition in self._broker.topics[topic]:
                    self._at[(topic, partition)] = _At(0, now, now)
            self._generation[topic] = self._broker.generation[topic]
            if self._forgot(topic):
                notes.append(f"topic {topic} was made again: reading it from its beginning")
                self._at.update({(topic, part): _At(0, now, now) for part in self._broker.topics[topic]})
            for partition, log in self._broker.topics[topic].items():
                if (topic, partition) not in self._at:
                    self._at[(topic, partition)] = self._first((topic, partition), log, now)
        self._met = True
        return notes

    def _forgot(self, topic: str) -> bool:
        """Whether what was kept of this topic was of another, and is kept no more."""
        stale = [where for where in self._resume if where[0] == topic]
        stale = [where for where in stale if self._ids.get(where, "") not in ("", self._id(topic))]
        self._resume = {where: at for where, at in self._resume.items() if where not in stale}
        return bool(stale)

    def _id(self, topic: str) -> str:
        return str(self._broker.generation[topic])

    def _first(self, place: Place, log: FakeLog, now: datetime) -> _At:
        if place in self._resume:
            offset, until = self._resume[place]
            return _At(offset, until, until)
        if self._met or any(topic == place[0] for topic, _ in self._resume):
            since = min((at.since for at in self._at.values()), default=now)
            return _At(0, since, since)
        return _At(log.end, now, now)

    def _wait_and_read(self) -> tuple[list[Sighting], Counter[str]]:
        with self._broker.changed:
            self._broker.changed.wait_for(self._ready, self._settings.wait.total_seconds())
            asked_at = self._now()
            found: list[Sighting] = []
            counts: Counter[str] = Counter()
            for place, at in self._at.items():
                found.extend(self._read(place, at, asked_at, counts))
        counts.update(self._recogniser.counts)
        self._recogniser.counts.clear()
        return found, counts

    def _ready(self) -> bool:
        logs = self._broker.topics
        return self._interrupted or any(logs[t][p].end > at.offset for (t, p), at in self._at.items())

    def _read(self, place: Place, at: _At, asked_at: datetime, counts: Counter[str]) -> list[Sighting]:
        log = self._broker.topics[place[0]][place[1]]
        if at.offset < log.start:
            counts["expired"] += log.start - at.offset
            at.expired += log.start - at.offset
            at.offset, at.since = log.start, asked_at
        side = self._sides()[place[0]]
        spot = Spot(self.name, place[0], place[1], side, self._now(), at.until)
        records = [record for record in log.records if record.offset >= at.offset]
        counts["records_read"] += len(records)
        at.offset, at.until = log.end, asked_at
        return [item for r in records if (item := self._recogniser.sighting(r, spot)) is not None]

    def _coverage(self) -> list[Coverage]:
        return [
            Coverage(t, p, at.since, at.until, at.offset, at.expired, self._id(t))
            for (t, p), at in sorted(self._at.items())
        ]

    def _positions(self) -> list[Position]:
        if self._settings.next_group is None:
            return []
        group, sides, read_at = self._settings.next_group, self._sides(), self._now()
        logs = {place: self._broker.topics[place[0]][place[1]] for place in self._at}
        return [
            Position(t, p, self._broker.committed.get((group, t, p)), log.start, log.end, read_at)
            for (t, p), log in logs.items()
            if sides[t] != "dead_letter"
        ]

    def interrupt(self) -> None:
        with self._broker.changed:
            self._interrupted = True
            self._broker.changed.notify_all()

    def close(self) -> None:
        self._closed = True
        self.interrupt()
