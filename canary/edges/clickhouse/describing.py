"""How a table and all that feeds it are made, as the server's own tables tell: a few small questions.

Of definitions only hashes are asked for, and of logged statements the text without literals: neither
passwords nor values of rows leave the server.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from canary.described import CannotTellError, Description
from canary.edges.clickhouse import makings
from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.makings import Row
from canary.edges.clickhouse.rows import Row as Answer
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import Settings
from canary.edges.clickhouse.warnings import counted
from canary.values import Now

LOG_AGAIN = timedelta(hours=1)
"""A log that cannot be read is left alone for so long."""
WARNED = timedelta(minutes=15)


class TableDescriber:
    """Asks rarely, and hangs up after each time."""

    def __init__(self, settings: Settings, *, warnings: Sequence[str] = (), now: Now) -> None:
        self.name = settings.name
        self._settings = settings
        self._warnings = tuple(warnings)
        self._now = now
        self._log_from: datetime | None = None

    def describe(self, since: datetime, *, trouble: bool) -> Description:
        """The table now, and what the log of queries has of it since a time; in trouble also the warnings.

        Raises `CannotTellError`.
        """
        session = Session(self._settings, self._settings.url, now=self._now)
        try:
            return self._described(session, since, trouble=trouble)
        except Blind as blind:
            raise CannotTellError(f"{self.name}: {blind.reason}") from None
        finally:
            session.close()

    def _described(self, session: Session, since: datetime, *, trouble: bool) -> Description:
        skew = session.skew()
        ahead = skew.offset if skew is not None else timedelta(0)
        at = self._now()
        rows = [_filled(row) for row in session.catalog(makings.about_makings(self._settings.database)).rows]
        own = (self._settings.table, *self._settings.siblings, *self._settings.dead_letters)
        kept = makings.related(rows, [f"{self._settings.database}.{table}" for table in own])
        who = rows[0]["host"] if rows else ""
        said = self._said(session, kept, who)
        dated = {name: makings.moment(row["altered"], ahead) for name, row in kept.items() if name in said}
        warned = self._warned(session, at - WARNED + ahead) if trouble else {}
        return Description(
            at=at,
            said=said,
            who=who,
            dated={name: moment for name, moment in dated.items() if moment is not None},
            done=self._logged(session, since, ahead, sorted(kept)),
            warned=warned,
            warned_since=at - WARNED if warned else None,
        )

    def _said(self, session: Session, kept: Mapping[str, Row], who: str) -> dict[str, dict[str, str]]:
        """Of one server alone: where another one answered the second question, half a picture is none."""
        said = {name: makings.aspects(row) for name, row in kept.items()}
        for row in map(_filled, session.catalog(makings.about_all_columns(sorted(kept))).rows):
            if row["host"] != who:
                return {}
            if row["table"] in said:
                said[row["table"]] |= makings.column(row)
        version = next((row["version"] for row in kept.values()), "")
        return said | ({"ClickHouse": {"version": version}} if version else {})

    def _logged(
        self, session: Session, since: datetime, ahead: timedelta, names: Sequence[str]
    ) -> tuple[tuple[datetime, str], ...]:
        """Statements that changed these tables, where the log of queries may be read."""
        now = self._now()
        if not names or (self._log_from is not None and now < self._log_from):
            return ()
        try:
            rows = session.catalog(makings.about_log(names, since + ahead)).rows
        except Blind:
            self._log_from = now + LOG_AGAIN
            return ()
        found = []
        for row in map(_filled, rows):
            at = makings.moment(row["at"], ahead)
            if at is not None:
                found.append((at, f"{row['table']}: {row['kind']} by {row['user']}: {row['text']}"))
        return tuple(found)

    def _warned(self, session: Session, since: datetime) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for table in self._warnings:
            try:
                told = counted(self._settings, table, since=since, ask=session.catalog)
            except Blind:  # no right, or no such table: no evidence then
                continue
            for reason, count in told.items():
                found[reason] = found.get(reason, 0) + count
        return found


def _filled(row: Answer) -> Row:
    return {name: value or "" for name, value in row.items()}
