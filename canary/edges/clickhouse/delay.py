"""One question a window: how long the rows of a table were under way, by the table's own columns."""

import math
import re
from dataclasses import replace
from datetime import datetime, timedelta

from canary.compared import TableTroubleError
from canary.delays import QUANTILES, Delay
from canary.edges.clickhouse import sql
from canary.edges.clickhouse.catalog import Catalog
from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.compare_sql import source
from canary.edges.clickhouse.rows import Row
from canary.edges.clickhouse.schema import Shape
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import Settings
from canary.values import Now


class DelayTable:
    """A table whose columns `since` and `until` tell when an event was taken in, and when its row came.

    Raises `TableTroubleError`, also where the table has no such columns.
    """

    def __init__(
        self, settings: Settings, *, since: str, until: str, canary: str, late_after: timedelta, now: Now
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._since = since
        self._until = until
        self._canary = canary
        self._late_after = late_after
        self._session = Session(settings, settings.url, now=now)
        self._catalog = Catalog(settings, now)

    def measure(self, start: datetime, end: datetime) -> Delay:
        """Of the rows that came in `[start, end)`, without our own canaries."""
        try:
            shape = self._catalog.shape(self._settings.table, self._session.catalog)
            if shape is None:
                raise TableTroubleError(f"{self.name}: no id can be found in {self._settings.table}")
            statement = question(
                shape,
                since=self._since,
                until=self._until,
                canary=self._canary,
                late_after=self._late_after,
                span=(start, end),
            )
            rows = self._session.rows(statement, last=False, rows=1)
        except Blind as blind:
            raise TableTroubleError(f"{self.name}: {blind.reason}", over_budget=blind.over_budget) from None
        return replace(_read(rows[0] if rows else {}, start, end), late_after=self._late_after)

    def close(self) -> None:
        """Drop the connection."""
        self._session.close()


def question(
    shape: Shape,
    *,
    since: str,
    until: str,
    canary: str,
    late_after: timedelta,
    span: tuple[datetime, datetime],
) -> sql.Statement:
    """Count, late ones and quantiles of `until` less `since`, of rows whose `until` lies in the span."""
    stamps = [sql.precise_stamp(moment) for moment in span]
    late = str(late_after // timedelta(milliseconds=1))
    parameters: dict[str, sql.Parameter] = {"start": stamps[0], "end": stamps[1], "late": late}
    start, end = "toDateTime64({start:String}, 6, 'UTC')", "toDateTime64({end:String}, 6, 'UTC')"
    conditions = [f"{until} >= {start}", f"{until} < {end}"]
    arrival = shape.arrival
    # an index over the time of arrival helps only if it speaks of the very time that is asked for: a
    # record's own time may lie hours before its row in a backlog, and those rows are what we measure
    if (
        arrival is not None
        and arrival.expression != until
        and re.search(rf"\b{re.escape(until)}\b", arrival.expression)
    ):
        conditions.append(f"{arrival.expression} >= {start}")
    if "event" in shape.columns:
        parameters["canary"] = canary
        conditions.append(f"toString({shape.columns['event'].expression}) != {{canary:String}}")
    levels = ", ".join(str(level) for level in QUANTILES.values())
    took = f"dateDiff('millisecond', toDateTime64({since}, 3), toDateTime64({until}, 3))"
    return sql.Statement(
        "SELECT toString(count()), toString(countIf(isNull(d))), toString(countIf(d < 0)),"
        " toString(countIf(d > toInt64({late:String}))),"
        f" toString(quantilesTDigestIf({levels})(assumeNotNull(d), d >= 0)), toString(maxIf(d, d >= 0))"
        f" FROM (SELECT {took} AS d FROM {source(shape.database, shape.table)}"
        f" WHERE {' AND '.join(conditions)})",
        parameters,
        ("rows", "unknown", "negative", "late", "quantiles", "max"),
    )


def _read(row: Row, start: datetime, end: datetime) -> Delay:
    counts = [_number(row.get(name)) for name in ("rows", "unknown", "negative", "late")]
    rows, unknown, negative, late = (0 if math.isnan(one) else int(one) for one in counts)
    told = [_number(text) for text in (row.get("quantiles") or "").strip("[]").split(",")]
    found = dict(zip((*QUANTILES, "max"), (*told, _number(row.get("max"))), strict=False))
    whole = rows > unknown + negative and len(found) == len(QUANTILES) + 1
    seconds = {name: value / 1000 for name, value in found.items()} if whole else {}
    return Delay(start, end, rows, unknown, negative, seconds, late)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
