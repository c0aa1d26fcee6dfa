"""A topic in memory that is not read whole: the edge's own plans, carried out on the pipeline's logs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from canary.edges.kafka.placing import place
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.seeking import Hunt, Seeking
from canary.edges.kafka.trust import Reading as Mode
from canary.values import Coverage, Look, Now, Resume, Sighting, Wanted
from tests.virtual.clock import START, STARTED
from tests.virtual.edges import SIDES, Eyes, Place, VirtualTopic
from tests.virtual.pipeline import Log, Pipeline


@dataclass(frozen=True, slots=True)
class Reads:
    """How topics are read, and how far keys can be believed ("right", "wrong" or "unknown")."""

    mode: Mode = "full"
    keys: str = "right"
    seek_after: timedelta = timedelta(seconds=6)
    above: float = 5_000


class SeekingTopic(VirtualTopic):
    """Reads no more than it must. `read` counts the records that it took."""

    def __init__(
        self, pipeline: Pipeline, eyes: Eyes, *, name: str, now: Now, resume: Resume, reads: Reads
    ) -> None:
        super().__init__(pipeline, eyes, name=name, now=now, resume=resume)
        self.read = 0
        self._taken: set[tuple[Place, int]] = set()
        self._swept = {place: log.start for place, log in self._logs()}
        self._readings: dict[Place, Reading] = {}
        self._seeking = Seeking(reads.mode, topic=name, seek_after=reads.seek_after, above=reads.above)
        for (topic, partition), (offset, since, _) in self._at.items():
            side = SIDES[name][topic]
            self._readings[topic, partition] = Reading(topic, partition, side, offset, since=since)
        if self._at:
            at = max(until for _, _, until in self._at.values())
            self._seeking.resume(at, {where: offset for where, (offset, _, _) in self._at.items()})

    @property
    def seeks(self) -> bool:
        return self._seeking.seeks

    def look(self, wanted: Sequence[Wanted]) -> Look:
        started = self._now()
        if blind := self._eyes.blind.get(self._name, ""):
            return Look(self._name, started, started, blind=blind, positions_unreadable=blind)
        logs = dict(self._logs())
        self._sweep(logs)
        for where, log in logs.items():
            if where not in self._readings:
                side = SIDES[self._name][where[0]]
                self._readings[where] = Reading(*where, side, len(log.records), since=started)
            self._readings[where].end, self._readings[where].log_start = len(log.records), log.start
        followed = {where: item for where, item in self._readings.items() if item.side != "dead_letter"}
        told_at = self._now()
        self._seeking.ends(told_at, {where: len(logs[where].records) for where in followed}, asked=True)
        plan = self._seeking.plan(wanted, told_at)
        place(plan, followed.values(), now=told_at)
        found = self._hunt_all(logs)
        for where, reading in self._readings.items():
            if plan.read or where not in followed:
                found.extend(self._take(where, reading, logs[where]))
        self._seeking.saw(found, started)
        self._clock.advance(self._eyes.slow.get(self._name, 0.001))
        return self._told(started, found)

    def _sweep(self, logs: dict[Place, Log]) -> None:
        """Note in the fates what retention removed and this reader never took."""
        for where, log in logs.items():
            for n in range(self._swept[where], log.start):
                if (where, n) not in self._taken:
                    self._pipeline.fates[log.records[n].id].unread.add(self._name)
            self._swept[where] = log.start

    def _told(self, started: datetime, found: Sequence[Sighting]) -> Look:
        hidden = self._name in self._eyes.no_positions
        covered = (item.coverage() for item in self._readings.values())
        coverage: list[Coverage] = [item for item in covered if item is not None]
        return Look(
            self._name,
            started,
            self._now(),
            coverage=coverage,
            positions=[] if hidden else list(self._positions()),
            positions_unreadable="not authorised" if hidden else "",
            sightings=found,
            notes=[self._seeking.notes.pop()] if self._seeking.notes else [],
            partitions=len(self._pipeline.topics[self._name]),
            skew=self._eyes.skew(self._name),
            reading=self._seeking.mode,
            astray=self._seeking.astray(),
        )

    def _hunt_all(self, logs: dict[Place, Log]) -> list[Sighting]:
        found: list[Sighting] = []
        done: set[UUID] = set()
        while hunts := self._seeking.hunts(self._now(), but=done):
            for hunt in hunts:
                done.add(hunt.id)
                found.extend(self._hunt(hunt, logs[self._name, hunt.partition]))
            done.update(item.id for item in found)
        return found

    def _hunt(self, hunt: Hunt, log: Log) -> Iterable[Sighting]:
        now = self._now()
        if hunt.offset is None:
            start: int | None = hunt.floor
            if hunt.hint is not None:
                after = (n for n, item in enumerate(log.records) if self._time(item.at) >= hunt.hint)
                start = next((max(hunt.floor, n) for n in after if n >= log.start), None)
            if start is None:
                return
            hunt = self._seeking.begun(hunt, start)
        offset = hunt.offset or 0
        if offset < log.start:
            self._seeking.failed(hunt)
            return
        self._seeking.hunted(hunt, len(log.records), now, now)
        for n, record in list(enumerate(log.records))[offset:]:
            self.read += 1
            self._taken.add(((self._name, hunt.partition), n))
            seen = self._sighting((self._name, hunt.partition), n, record, "", (hunt.missed_at or now, now))
            yield self._timed(seen, record.at, hunt.missed_at)

    def _take(self, where: Place, reading: Reading, log: Log) -> Iterable[Sighting]:
        now = self._now()
        if reading.next_offset < log.start:
            reading.jump(log.start, now=now, expired=log.start - reading.next_offset)
        before, offset = reading.not_before, reading.next_offset
        reading.read(len(log.records), end=len(log.records), sent_at=now, complete=False)
        for n, record in list(enumerate(log.records))[offset:]:
            self.read += 1
            self._taken.add((where, n))
            seen = self._sighting(where, n, record, reading.side, (before or now, now))
            yield self._timed(seen, record.at, before)

    def _timed(self, seen: Sighting, at: float, before: datetime | None) -> Sighting:
        return Sighting(
            seen.id,
            seen.stage,
            seen.place,
            seen.seen_at,
            not_before=before,
            partition=seen.partition,
            offset=seen.offset,
            at=self._time(at),
            content=seen.content,
            side=seen.side,
            reason=seen.reason,
        )

    def _time(self, at: float) -> datetime:
        """What a record's own time says: of a clock that was right at the start."""
        return START + timedelta(seconds=at - STARTED)
