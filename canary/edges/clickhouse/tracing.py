"""Looks for one event by its id in a table and beside it: siblings, dead letters, ingestion warnings."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from canary.edges.clickhouse import sql
from canary.edges.clickhouse.answers import spellings
from canary.edges.clickhouse.catalog import Catalog
from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.hiding import hidden
from canary.edges.clickhouse.lifetimes import kept_since, lifetimes
from canary.edges.clickhouse.pace import Pace
from canary.edges.clickhouse.rows import Row, Seeing, found, moment
from canary.edges.clickhouse.schema import Shape, arrivals
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import Settings
from canary.edges.clickhouse.warnings import DAYS_BACK, warned
from canary.trails import DEAD_LETTER, SIBLING, WARNING, Find, Question, Searched
from canary.values import Now, Sighting, Wanted

ROWS = 20
_EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
_ITS_DAY, _ANY_DAY = sql.Prune(day=True, rest=False), sql.Prune(day=False, rest=False)


class TableTracer:
    """Never raises for outside trouble. Keeps the table's pace and the budget of its last looks."""

    def __init__(self, settings: Settings, *, warnings: Sequence[str], now: Now) -> None:
        self.name = settings.name
        self._settings = settings
        self._warnings = warnings
        self._now = now
        self._session = Session(settings, settings.url, now=now)
        self._catalog = Catalog(settings, now)
        self._pace = Pace(timedelta(seconds=1 / settings.max_queries_per_second), now)
        self._stop = threading.Event()

    def search(self, question: Question) -> Searched:
        """The table itself."""
        return self._guarded(self._settings.table, "", lambda: self._rows(self._settings.table, "", question))

    def beside(self, question: Question) -> Sequence[Searched]:
        """What hangs beside it: siblings have consumers of their own, and prove nothing of the table."""
        told = self._settings
        places = [(table, SIBLING) for table in told.siblings]
        places += [(table, DEAD_LETTER) for table in told.dead_letters]
        searched = [
            self._guarded(table, side, lambda t=table, s=side: self._rows(t, s, question))  # type: ignore[misc]
            for table, side in places
        ]
        searched += [
            self._guarded(table, WARNING, lambda t=table: self._warned(t, question))  # type: ignore[misc]
            for table in self._warnings
        ]
        return searched

    def close(self) -> None:
        """Drop the connection."""
        self._stop.set()
        self._session.close()

    def _guarded(self, table: str, side: str, work: Callable[[], Searched]) -> Searched:
        try:
            return work()
        except Blind as blind:
            return Searched(self.name, table, side, gap=blind.reason, read=self._cost())

    def _rows(self, table: str, side: str, question: Question) -> Searched:
        """On its own day, which is cheap; then among all that arrived since; then among everything."""
        shape = self._catalog.shape(table, self._session.catalog, dead_letters=side == DEAD_LETTER)
        if shape is None:
            return Searched(self.name, table, side, gap="no column with an id")
        since, until = question.since, question.until
        sightings: Sequence[Sighting] = ()
        if since is not None and shape.in_any_key("timestamp"):
            sightings = self._ask(shape, question, since=since, until=until, prune=_ITS_DAY)
        gap = ""
        notes: list[str] = []
        if not sightings:
            try:
                sightings = self._ask(shape, question, since=_EPOCH, until=None, prune=_ANY_DAY)
            except Blind as blind:
                if not blind.over_budget or since is None or shape.arrival is None:
                    raise
                sightings = self._ask(shape, question, since=since, until=None, prune=_ANY_DAY)
                notes.append(f"only what arrived since {since:%Y-%m-%d %H:%MZ} less a day: {blind.reason}")
        if not sightings:
            gap = hidden(self._session, self._settings.database, (table,))
        finds = tuple(_find(one, payload=question.payload) for one in sightings)
        came = frozenset(arrivals(self._settings))
        kept = kept_since(lifetimes(shape.ttl), arrivals=came, now=self._now())
        return Searched(
            self.name,
            table,
            side,
            finds,
            gap=gap,
            read=self._cost(),
            notes=tuple(notes),
            kept_since=kept,
            replaces=shape.replaces,
        )

    def _ask(
        self, shape: Shape, question: Question, *, since: datetime, until: datetime | None, prune: sql.Prune
    ) -> Sequence[Sighting]:
        wanted = [Wanted(question.id, moment, "", "") for moment in (since, until) if moment is not None]
        statement = sql.lookup(shape, wanted, prune=prune, tenants=frozenset(), rows_per_id=ROWS)
        if shape.columns["id"].base != "UUID":  # text has it as its sender wrote it
            ids = [str(question.id), *spellings([str(question.id)])]
            statement = replace(statement, parameters={**statement.parameters, "ids": ids})
        rows = self._asked(statement, ROWS)
        seeing = Seeing(self.name, shape, seen_at=self._now())
        return found(rows, {question.id}, seeing=seeing, rows_per_id=ROWS).sightings

    def _asked(self, statement: sql.Statement, rows: int) -> Sequence[Row]:
        """In the table's own pace."""
        wait = self._pace.reserve(at_most=timedelta(hours=1)) or timedelta(0)
        self._stop.wait(wait.total_seconds())
        return self._session.rows(statement, last=True, rows=rows)

    def _warned(self, table: str, question: Question) -> Searched:
        """Warnings are sampled by those who write them: only their presence says something."""
        since = (question.since or self._now() - DAYS_BACK) - timedelta(days=1)
        statement = warned(
            self._settings.database, table, question.id, since=since, ask=self._session.catalog
        )
        rows = [] if statement is None else self._asked(statement, ROWS)
        finds = tuple(
            Find(
                at=moment(row.get("at")),
                reason=row.get("type") or "",
                facts=(("source", row.get("source") or ""),),
                payload=row.get("details") if question.payload else None,
            )
            for row in rows
        )
        gap = "" if statement is not None else "not there, or without the columns type, details and timestamp"
        return Searched(self.name, table, WARNING, finds, gap=gap, read=self._cost())

    def _cost(self) -> int:
        return self._session.take_costs()["rows_read"]


def _find(sighting: Sighting, *, payload: bool) -> Find:
    content = sighting.content
    shown = None
    if payload and content is not None:
        told = {"event": content.event, "distinct_id": content.distinct_id, "properties": content.properties}
        shown = json.dumps(told, ensure_ascii=False)
    return Find(
        at=sighting.at,
        partition=sighting.partition,
        offset=sighting.offset,
        row=sighting.row,
        reason=sighting.reason,
        payload=shown,
    )
