"""One side of a comparison of two tables: asked at its own pace and within the budget of a last look."""

import threading
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta

from canary.compared import Portion, Span, TableTroubleError
from canary.edges.clickhouse import sql
from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.compare_sql import Comparer, source
from canary.edges.clickhouse.pace import Pace
from canary.edges.clickhouse.rows import Row as Answer
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import DEFAULT_COLUMNS, Settings
from canary.values import Now
from reconcile.tables import Bucket, Row

VOLATILE = frozenset({"inserted_at", "consumer_breadcrumbs"})
"""What tells of a row's way into its table, and must differ between two."""

MOST = 100_000
WAIT = timedelta(minutes=5)


class ComparedTable:
    """A table as one side. Raises `TableTroubleError`, whatever went wrong outside."""

    def __init__(self, settings: Settings, *, name: str, now: Now) -> None:
        self.name = name
        self._settings = settings
        self._session = Session(settings, settings.url, now=now)
        self._pace = Pace(timedelta(seconds=1 / settings.max_queries_per_second), now)
        self._stop = threading.Event()
        self._types: Mapping[str, str] | None = None

    def columns(self) -> Mapping[str, str]:
        """Name -> type, without the id and what belongs to the way the row came (names with _, ...)."""
        return {
            name: kind
            for name, kind in self._known().items()
            if not name.startswith("_") and name not in VOLATILE and name != self._settings.match
        }

    def days(self, span: Span | None) -> Mapping[date | None, int]:
        """Rows by the UTC day of their own timestamp; None for those that have none."""
        rows = self._asked(self._words().days(span), MOST)
        told = {_text(row, "day"): _number(row, "rows") for row in rows}
        return {date.fromisoformat(day) if day else None: number for day, number in told.items()}

    def buckets(self, portion: Portion, columns: Sequence[str], *, bits: int) -> Mapping[int, Bucket]:
        """The portion in buckets by so many bits of the id's hash."""
        rows = self._asked(self._words().buckets(portion, columns, bits=bits), MOST)
        return {
            _number(row, "key"): Bucket(_number(row, "rows"), _number(row, "ids"), _number(row, "content"))
            for row in rows
        }

    def rows(self, portion: Portion, columns: Sequence[str], *, most: int) -> Mapping[str, Row]:
        """The portion id by id; more than `most` ids are over budget."""
        rows = self._asked(self._words().rows(portion, columns, most=most), most + 1)
        if len(rows) > most:
            raise TableTroubleError(f"more than {most:,} ids in one portion", over_budget=True)
        return {
            _text(row, "id"): Row(_number(row, "copies"), _number(row, "low"), _number(row, "high"))
            for row in rows
        }

    def present(self, ids: Sequence[str], span: Span | None) -> Mapping[str, AbstractSet[date]]:
        """Which of these ids have a row, whatever its time; and the days on which they have one in a span."""
        rows = self._asked(self._words().present(ids, span), len(ids) + 1)
        return {
            _text(row, "id"): {date.fromisoformat(day) for day in _text(row, "days").split()} for row in rows
        }

    def fields(self, ids: Sequence[str], columns: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """For each id the hash of each column."""
        rows = self._asked(self._words().fields(ids, columns), len(ids) + 1)
        return {_text(row, "id"): {name: _number(row, name) for name in columns} for row in rows}

    def close(self) -> None:
        """Drop the connection."""
        self._stop.set()
        self._session.close()

    def _words(self) -> Comparer:
        told = self._settings
        timestamp = told.columns.get("timestamp", DEFAULT_COLUMNS["timestamp"])
        return Comparer(source(told.database, told.table), told.match, timestamp, self._known())

    def _known(self) -> Mapping[str, str]:
        if self._types is None:
            database, table = self._settings.database, self._settings.table
            try:
                reply = self._session.catalog(sql.about_columns(database, table))
            except Blind as blind:
                raise TableTroubleError(f"{self.name}: {blind.reason}") from None
            if not reply.rows:
                raise TableTroubleError(f"{self.name}: no table {database}.{table}, or no right to see it")
            self._types = {_text(row, "name"): _text(row, "type") for row in reply.rows}
        return self._types

    def _asked(self, statement: sql.Statement, rows: int) -> Sequence[Answer]:
        wait = self._pace.reserve(at_most=WAIT)
        if wait is None or self._stop.wait(wait.total_seconds()):
            raise TableTroubleError(f"{self.name}: closed")
        try:
            return self._session.rows(statement, last=True, rows=rows)
        except Blind as blind:
            raise TableTroubleError(f"{self.name}: {blind.reason}", over_budget=blind.over_budget) from None


def _text(row: Answer, name: str) -> str:
    return row.get(name) or ""


def _number(row: Answer, name: str) -> int:
    text = row.get(name) or ""
    return int(text) if text.lstrip("-").isdigit() else 0
