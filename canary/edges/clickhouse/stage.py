"""A ClickHouse table as a stage: says which canaries are in it, and from when that answer holds."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from canary.edges.clickhouse import sql
from canary.edges.clickhouse.catalog import Catalog
from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.hiding import hidden
from canary.edges.clickhouse.memory import Memory
from canary.edges.clickhouse.pace import Pace
from canary.edges.clickhouse.queue import DistributionQueue
from canary.edges.clickhouse.rights import rights
from canary.edges.clickhouse.rows import Found, Seeing, found
from canary.edges.clickhouse.schema import Shape
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import Settings, Tls
from canary.edges.clickhouse.side import Side, look_beside
from canary.values import Look, Marks, Now, Skew, Wanted

__all__ = ["ClickHouseStage", "Settings", "Tls", "rights"]

ROWS_AT_FIRST = 10
"""Rows of one id that a look reads: copies beyond it are counted when the window settles."""

BY_NAME_FOR = timedelta(hours=1)
"""How long copies are asked for by event name once more would have been read than we may: a copy whose name
was mangled stays unseen then, and the others are found."""

LAST_CHUNK = 500
PATIENCE = timedelta(seconds=3)
"""How long copies and last looks wait for their slot before they give the question back."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """One kind of look."""

    prune: sql.Prune
    rows_per_id: int
    last: bool = False
    side: str = ""
    contents: bool = True


class ClickHouseStage:
    """Never raises for outside trouble: a look that failed says why in `Look.blind`, and covers nothing.

    Methods may be called from several threads; they take turns. A look that comes before the table's pace
    allows it asks nothing: its `asked` is empty.
    """

    def __init__(self, settings: Settings, *, marks: Marks, now: Now) -> None:
        self.name = settings.name
        self._settings = settings
        self._marks = marks
        self._now = now
        self._lock = threading.Lock()
        self._stop = threading.Event()
        every = timedelta(seconds=1 / settings.max_queries_per_second)
        self._pace = Pace(every, now)
        self._budget = Pace(settings.last_look_every, now)
        self._main = Session(settings, settings.url, now=now)
        self._replicas = [Session(settings, url, now=now) for url in settings.replicas]
        self._catalog = Catalog(settings, now)
        self._memory = Memory(frozenset(settings.tenants))
        self._queue = DistributionQueue(settings, now=now) if settings.queue_cluster else None
        self._told: tuple[str, ...] = ()
        day = sql.Prune(day=True, rest=True, event=True, day_margin=settings.day_margin)
        any_name, by_name = (sql.Prune(day=False, rest=True, event=named) for named in (False, True))
        by_id = sql.Prune(day=False, rest=False)
        self._looking = _Plan(day, ROWS_AT_FIRST)
        self._copying = _Plan(any_name, settings.max_rows_per_id, contents=False)
        self._copying_by_name = replace(self._copying, prune=by_name)
        self._by_name_until = now()
        self._last = _Plan(by_id, settings.max_rows_per_id, last=True, side="last_look")

    def next_allowed_in(self) -> timedelta:
        """How long until a look would ask."""
        return self._pace.next_in()

    def look(self, wanted: Sequence[Wanted]) -> Look:
        """Ask for the outstanding canaries where they belong: their day, event and tenant."""
        if not wanted or not self._pace.take():
            return self._unasked()
        return self._guarded(lambda: self._look(wanted))

    def copies(self, wanted: Sequence[Wanted]) -> Look:
        """Ask for found canaries once more, on any day and by any event name, so that second rows show."""
        if not wanted or not self._wait():
            return self._unasked()
        return self._guarded(lambda: self._copies(wanted))

    def last_look(self, wanted: Sequence[Wanted]) -> Look:
        """Ask by id alone, on another replica where there is one, and in the dead letters."""
        if not wanted:
            return self._unasked()
        if not self._budget.take():
            every, left = self._settings.last_look_every, self._budget.next_in()
            why = f"one last look in {every.total_seconds():g} s, the next in {left.total_seconds():.1f} s"
            return replace(self._unasked(), blind=f"over budget: {why}")
        if not self._wait():
            return replace(self._unasked(), blind="over budget: the table is asked as often as we may")
        return self._guarded(lambda: self._last_look(wanted), over_budget="over budget: ")

    def close(self) -> None:
        """Wake who waits and drop the connections; does not wait for an answer that is under way."""
        self._stop.set()
        if self._lock.acquire(timeout=0.1):
            try:
                for session in (self._main, *self._replicas):
                    session.close()
            finally:
                self._lock.release()

    def _wait(self) -> bool:
        wait = self._pace.reserve(at_most=PATIENCE)
        return wait is not None and not self._stop.wait(wait.total_seconds())

    def _unasked(self) -> Look:
        now = self._now()
        return Look(stage=self.name, started_at=now, ended_at=now)

    def _guarded(self, work: Callable[[], Look], *, over_budget: str = "") -> Look:
        with self._lock:
            started_at = self._now()
            try:
                look = work()
            except Blind as blind:
                if blind.stale_schema:
                    self._catalog.forget()
                prefix = over_budget if blind.over_budget else ""
                now = self._now()
                look = Look(self.name, started_at=started_at, ended_at=now, blind=prefix + blind.reason)
            return replace(look, counts={**look.counts, **self._costs()})

    def _costs(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for session in (self._main, *self._replicas):
            total += session.take_costs()
        return total

    def _look(self, wanted: Sequence[Wanted]) -> Look:
        wanted = self._memory.first(wanted, self._settings.chunk)
        tenants = self._memory.tenants(wanted, self._now())
        queue = self._queue.read(self._main) if self._queue else None
        try:
            look = self._ask(self._main, wanted, self._looking, tenants)
        except Blind as blind:
            if blind.over_budget and not tenants and not self._memory.knows_nothing:
                return replace(self._unasked(), counts={"wide_look_over_budget": 1})
            raise
        seen = {one.id for one in look.sightings}
        self._memory.answered(wanted, seen, started_at=look.started_at, tenants=tenants)
        return replace(look, queue=queue)

    def _copies(self, wanted: Sequence[Wanted]) -> Look:
        wanted = wanted[: self._settings.chunk]
        tenants = self._memory.tenants(wanted)
        plan = self._copying_by_name if self._now() < self._by_name_until else self._copying
        try:
            look = self._ask(self._main, wanted, plan, tenants)
        except Blind as blind:
            if not blind.over_budget or plan.prune.event:
                raise
            self._by_name_until = self._now() + BY_NAME_FOR
            return replace(self._unasked(), counts={"copies_over_budget": 1})
        return self._whole(look, wanted, plan, tenants)

    def _whole(self, look: Look, wanted: Sequence[Wanted], plan: _Plan, tenants: AbstractSet[str]) -> Look:
        """The first row was compared when it was found; of those that have another, all are read whole."""
        rows = Counter(one.id for one in look.sightings)
        copied = [one for one in wanted if rows[one.id] > 1]
        if not copied:
            return look
        whole = self._ask(self._main, copied, replace(plan, contents=True), tenants)
        single = (one for one in look.sightings if rows[one.id] == 1)
        counts = Counter(look.counts) | Counter(whole.counts)  # the same rows are odd in the same ways twice
        return replace(look, sightings=(*single, *whole.sightings), counts=counts)

    def _last_look(self, wanted: Sequence[Wanted]) -> Look:
        wanted = wanted[:LAST_CHUNK]
        look, notes = self._ask_elsewhere(wanted)
        seen = {one.id for one in look.sightings}
        missing = [one for one in wanted if one.id not in seen]
        doubted = not all(map(self._memory.shows, missing))
        if doubted and (why := hidden(self._main, self._settings.database, (self._settings.table,))):
            raise Blind(why)
        side = Side(self._settings, self._main, self._catalog, self._now) if missing else None
        beside = look_beside(side, missing, self._last.rows_per_id) if side else Found((), {}, {})
        return replace(
            look,
            ended_at=self._now(),
            sightings=(*look.sightings, *beside.sightings),
            notes=(*look.notes, *notes, *(side.notes if side else ())),
            counts=Counter(look.counts) + Counter(beside.counts),
        )

    def _ask_elsewhere(self, wanted: Sequence[Wanted]) -> tuple[Look, tuple[str, ...]]:
        """On a replica if one answers, and where we always ask: for what no replica has shown.

        One that lags behind, or takes no rows any more, answers as readily as any: alone it proves nothing.
        """
        notes: list[str] = []
        for number, session in enumerate(self._replicas, start=1):
            try:
                look = self._ask(session, wanted, self._last)
            except Blind as blind:
                notes.append(f"last look: replica {number} could not be asked: {blind.reason}")
                continue
            seen = {one.id for one in look.sightings}
            rest = [one for one in wanted if one.id not in seen]
            return self._asked_too(look, rest) if rest else look, tuple(notes)
        return self._ask(self._main, wanted, self._last), tuple(notes)

    def _asked_too(self, look: Look, rest: Sequence[Wanted]) -> Look:
        """With what is found of the rest where we always ask."""
        more = self._ask(self._main, rest, self._last)
        counts = Counter(look.counts) + Counter(more.counts)
        return replace(look, sightings=(*look.sightings, *more.sightings), counts=counts, notes=more.notes)

    def _ask(
        self, session: Session, wanted: Sequence[Wanted], plan: _Plan, tenants: AbstractSet[str] = frozenset()
    ) -> Look:
        """One question to the table. Its answer holds from just before the question was sent."""
        skew = session.skew()
        shape = self._catalog.shape(self._settings.table, session.catalog)
        if shape is None:
            raise Blind(f"no id can be found in {self._settings.table}")
        limit = plan.rows_per_id + 1
        statement = sql.lookup(
            shape,
            wanted,
            prune=plan.prune,
            tenants=tenants,
            rows_per_id=limit,
            contents=plan.contents,
        )
        session.ready(last=plan.last, rows=limit * len(wanted))
        started_at = self._now()
        self._pace.used(started_at)
        rows = session.rows(statement, last=plan.last, rows=limit * len(wanted))
        seen_at = self._now()
        seeing = Seeing(
            self.name,
            shape,
            seen_at=seen_at,
            side=plan.side,
            contents=plan.contents,
            missed=self._memory.missed,
            guessed=self._memory.guessed,
        )
        ids = {one.id for one in wanted}
        result = found(rows, ids, seeing=seeing, rows_per_id=plan.rows_per_id)
        self._memory.learn(result.tenants)
        return self._told_look(shape, session, result, _Asked(started_at, seen_at, wanted, skew))

    def _told_look(self, shape: Shape, session: Session, result: Found, asked: "_Asked") -> Look:
        return Look(
            stage=self.name,
            started_at=asked.started_at,
            ended_at=asked.seen_at,
            asked=tuple(_ids(asked.wanted)),
            sightings=result.sightings,
            counts=result.counts,
            notes=self._news(shape, session),
            skew=asked.skew,
        )

    def _news(self, shape: Shape, session: Session) -> tuple[str, ...]:
        """What a person should know, once."""
        notes = self._catalog.notes(shape)
        if self._queue is not None and self._queue.note:
            notes = (*notes, f"{self.name}: {self._queue.note}")
        if session.unkept:
            fixed = ", ".join(session.unkept)
            notes = (*notes, f"{self.name}: the server does not let us set {fixed}; its own values hold")
        if notes == self._told:
            return ()
        self._told = notes
        return notes


@dataclass(frozen=True, slots=True)
class _Asked:
    started_at: datetime
    seen_at: datetime
    wanted: Sequence[Wanted]
    skew: Skew | None


def _ids(wanted: Sequence[Wanted]) -> list[UUID]:
    return [one.id for one in wanted]
