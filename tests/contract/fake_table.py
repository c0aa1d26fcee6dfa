"""A table in memory that is asked as a real one is, for tests of what stands on tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from canary.values import Content, Look, Now, Sighting, Wanted

DAY = timedelta(days=1)
LAST_LOOK_EVERY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class FakeRow:
    """What a row of the pipeline's table says."""

    id: UUID
    event: str
    distinct_id: str
    timestamp: datetime
    properties: dict[str, object] = field(default_factory=dict)


class FakeTable:
    """Rows that merge where day, event and distinct_id are the same; blind while `blind_because` says so."""

    def __init__(self, name: str, *, now: Now, every: timedelta = timedelta(0)) -> None:
        self.name = name
        self.blind_because = ""
        self._now = now
        self._every = every
        self._next = now()
        self._next_last = now()
        self._rows: list[tuple[FakeRow, datetime]] = []
        self._missed: dict[UUID, datetime] = {}

    def insert(self, row: FakeRow) -> None:
        self._rows.append((row, self._now()))

    def next_allowed_in(self) -> timedelta:
        return max(timedelta(0), self._next - self._now())

    def look(self, wanted: Sequence[Wanted]) -> Look:
        def fits(row: FakeRow, one: Wanted) -> bool:
            return row.event == one.event and abs(row.timestamp.date() - one.sent_at.date()) <= DAY

        if not wanted or self.next_allowed_in():
            return self._look((), fits)
        self._next = self._now() + self._every
        look = self._look(wanted, fits)
        if not look.blind:
            seen = {one.id for one in look.sightings}
            self._missed = {i: t for i, t in self._missed.items() if i not in seen}
            self._missed |= {one: look.started_at for one in look.asked if one not in seen}
        return look

    def copies(self, wanted: Sequence[Wanted]) -> Look:
        return self._look(wanted, lambda _row, _one: True)

    def last_look(self, wanted: Sequence[Wanted]) -> Look:
        look = self._look(wanted, lambda _row, _one: True)
        if self._next_last > look.started_at:
            return replace(look, blind="over budget: one last look in 10 s", asked=(), sightings=())
        self._next_last = look.started_at + LAST_LOOK_EVERY
        return replace(look, sightings=tuple(replace(one, side="last_look") for one in look.sightings))

    def close(self) -> None:
        self.blind_because = "closed"

    def _look(self, wanted: Sequence[Wanted], fits: Callable[[FakeRow, Wanted], bool]) -> Look:
        now = self._now()
        look = Look(stage=self.name, started_at=now, ended_at=now, blind=self.blind_because)
        if self.blind_because:
            return look
        by_id = {one.id: one for one in wanted}
        sightings: list[Sighting] = []
        twins: dict[tuple[object, ...], int] = {}
        for row, at in self._rows:
            if row.id in by_id and fits(row, by_id[row.id]):
                key = (row.id, row.timestamp.date(), row.event, row.distinct_id)
                twins[key] = twins.get(key, 0) + 1
                sightings.append(self._sighting(row, at, twins[key]))
        return replace(look, ended_at=self._now(), asked=tuple(by_id), sightings=tuple(sightings))

    def _sighting(self, row: FakeRow, at: datetime, twin: int) -> Sighting:
        return Sighting(
            id=row.id,
            stage=self.name,
            place=self.name,
            seen_at=self._now(),
            not_before=self._missed.get(row.id),
            row=f"day={row.timestamp.date()} event={row.event} copy={twin}",
            at=at,
            content=Content(row.event, row.distinct_id, row.timestamp, row.properties),
            mergeable=twin > 1,
        )
