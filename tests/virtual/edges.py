"""The edges of the pipeline in memory: what the monitor sees of it, and how it is blinded."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zlib import crc32

from canary.values import (
    Answer,
    Content,
    Coverage,
    Event,
    Look,
    Now,
    Position,
    Resume,
    Sighting,
    Skew,
    Wanted,
)
from reconcile.outcome import Receipt
from tests.virtual.mangle import HIDDEN, mangled
from tests.virtual.pipeline import DEAD, OVERFLOW, PROCESSED, RAW, Fate, Log, Pipeline, Record

Place = tuple[str, int]
SIDES = {RAW: {RAW: "", OVERFLOW: "alternate"}, PROCESSED: {PROCESSED: "", DEAD: "dead_letter"}}


class Eyes:
    """Which stages the monitor cannot see, and whose positions it cannot read. It outlives a restart."""

    def __init__(self) -> None:
        self.blind: dict[str, str] = {}
        self.no_positions: set[str] = set()
        self.slow: dict[str, float] = {}
        self.partial: set[str] = set()
        self.no_copies: set[str] = set()
        self.bites: set[str] = set()
        self.clocks: dict[str, timedelta] = {}

    def open(self) -> None:
        self.blind.clear()
        self.no_positions.clear()
        self.slow.clear()
        self.partial.clear()
        self.no_copies.clear()
        self.bites.clear()
        self.clocks.clear()

    def skew(self, stage: str) -> Skew | None:
        """What the edge measures of a stage's clock."""
        off = self.clocks.get(stage)
        return None if off is None else Skew(off, timedelta(milliseconds=1))

    def time_at(self, stage: str, now: datetime) -> datetime | None:
        """What a stage's own clock shows."""
        off = self.clocks.get(stage)
        return None if off is None else now + off


class VirtualIngress:
    """Posts inline, and says what the pipeline was told to say."""

    def __init__(self, pipeline: Pipeline, *, now: Now) -> None:
        self._pipeline = pipeline
        self._now = now

    def post(self, events: Sequence[Event], lane: int) -> Answer:
        del lane
        started = self._now()
        receipts = [self._pipeline.post(event) for event in events]
        return Answer(Receipt(receipts[0]), started, self._now(), tries=1, status=None, detail=receipts[0])

    def close(self) -> None:
        """Nothing to let go of."""


class VirtualTopic:
    """Reads a topic and what stands beside it to the end, from where the ledger says it stopped."""

    def __init__(self, pipeline: Pipeline, eyes: Eyes, *, name: str, now: Now, resume: Resume) -> None:
        self._pipeline = pipeline
        self._eyes = eyes
        self._name = name
        self._now = now
        self._at: dict[Place, tuple[int, datetime, datetime]] = {
            place: (offset, min(until, now()), min(until, now()))
            for place, (offset, until) in resume.offsets.items()
        }
        self._clock = pipeline.clock

    def look(self, wanted: Sequence[Wanted]) -> Look:
        del wanted
        started = self._now()
        blind = self._eyes.blind.get(self._name, "")
        if blind:
            return Look(self._name, started, started, blind=blind, positions_unreadable=blind)
        found = [item for place, log in self._logs() for item in self._read(place, log, started)]
        if self._name in self._eyes.bites:
            found.sort(key=lambda item: crc32(b"%d" % (item.id.int >> 80)))  # the same in every play
        self._clock.advance(self._eyes.slow.get(self._name, 0.001))
        hidden = self._name in self._eyes.no_positions
        return Look(
            self._name,
            started,
            self._now(),
            coverage=[Coverage(t, p, since, until, at) for (t, p), (at, since, until) in self._at.items()],
            positions=[] if hidden else list(self._positions()),
            positions_unreadable="not authorised" if hidden else "",
            sightings=found,
            partitions=len(self._pipeline.topics[self._name]),
            skew=self._eyes.skew(self._name),
        )

    def _logs(self) -> Iterable[tuple[Place, Log]]:
        for topic in SIDES[self._name]:
            for partition, log in enumerate(self._pipeline.topics[topic]):
                yield (topic, partition), log

    def _read(self, place: Place, log: Log, now: datetime) -> list[Sighting]:
        offset, since, until = self._at.get(place, (len(log.records), now, now))
        if offset < log.start:
            for record in log.records[offset : log.start]:
                self._pipeline.fates[record.id].unread.add(self._name)
            offset, since = log.start, now
        end = len(log.records)
        if self._name in self._eyes.bites and end > offset + 1:
            end, reached = offset + 1, until  # what lies behind has not been read
        else:
            reached = now
        new = list(enumerate(log.records[offset:end], offset))
        self._at[place] = (end, since, reached)
        side = SIDES[self._name][place[0]]
        return [self._sighting(place, n, record, side, (until, now)) for n, record in new]

    def _sighting(
        self, place: Place, offset: int, record: Record, side: str, seen: tuple[datetime, datetime]
    ) -> Sighting:
        return Sighting(
            id=record.id,
            stage=self._name,
            place=place[0],
            seen_at=seen[1],
            not_before=seen[0],
            partition=place[1],
            offset=offset,
            at=self._eyes.time_at(self._name, seen[1]),
            content=content(self._pipeline.fates[record.id], record),
            side=side,
            reason=record.reason,
        )

    def _positions(self) -> Iterable[Position]:
        for (topic, partition), log in self._logs():
            if SIDES[self._name][topic] != "dead_letter":
                yield Position(topic, partition, log.committed, log.start, len(log.records), self._now())

    def close(self) -> None:
        """Nothing to let go of."""


class VirtualTable:
    """Is asked by id, as often as anybody likes."""

    def __init__(self, pipeline: Pipeline, eyes: Eyes, *, name: str, now: Now) -> None:
        self._pipeline = pipeline
        self._eyes = eyes
        self._name = name
        self._now = now
        self._missed: dict[UUID, datetime] = {}

    def look(self, wanted: Sequence[Wanted]) -> Look:
        look = self._ask(wanted, "")
        if not look.blind:
            found = {item.id for item in look.sightings}
            self._missed.update((id_, look.started_at) for id_ in look.asked if id_ not in found)
        return look

    def copies(self, wanted: Sequence[Wanted]) -> Look:
        if self._name in self._eyes.no_copies:
            now = self._now()
            return Look(self._name, now, now, blind="over budget")
        return self._ask(wanted, "", hidden=frozenset())

    def last_look(self, wanted: Sequence[Wanted]) -> Look:
        return self._ask(wanted, "last_look")

    def next_allowed_in(self) -> timedelta:
        return timedelta(0)

    def _ask(self, wanted: Sequence[Wanted], side: str, *, hidden: frozenset[str] = HIDDEN) -> Look:
        started = self._now()
        blind = self._eyes.blind.get(self._name, "")
        if blind:
            return Look(self._name, started, started, blind=blind)
        if self._name in self._eyes.partial:
            wanted = wanted[::2]
        self._pipeline.clock.advance(self._eyes.slow.get(self._name, 0.001))
        ended = self._now()
        found = [
            Sighting(
                id=one.id,
                stage=self._name,
                place=self._name,
                seen_at=ended,
                not_before=self._missed.get(one.id),
                row=str(number),
                at=self._eyes.time_at(self._name, ended),
                content=content(self._pipeline.fates[one.id], record),
                side=side,
                mergeable=number > 0 and not record.elsewhere,
            )
            for one in wanted
            for number, record in enumerate(self._pipeline.rows.get(one.id, ()))
            if side or record.mangled not in hidden
        ]
        return Look(
            self._name,
            started,
            ended,
            asked=[one.id for one in wanted],
            sightings=found,
            skew=self._eyes.skew(self._name),
        )

    def close(self) -> None:
        """Nothing to let go of."""


def content(fate: Fate, record: Record) -> Content:
    """What stands in a record or row: what was sent, or with one field mangled."""
    event = fate.event
    at = event.timestamp - timedelta(days=1) if record.elsewhere else event.timestamp
    whole = Content(event.name, event.distinct_id, at, dict(event.properties))
    return mangled(whole, record.mangled)
