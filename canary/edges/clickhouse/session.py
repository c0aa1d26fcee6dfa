"""Asks one server safely: no half-answers, the guest's limits kept, its clock compared with ours."""

from collections import Counter
from datetime import datetime, timedelta

from canary.edges.clickhouse import sql
from canary.edges.clickhouse.client import Blind, Reply, Server
from canary.edges.clickhouse.guard import Guard, guard, limits
from canary.edges.clickhouse.rows import Row
from canary.edges.clickhouse.settings import Settings
from canary.values import Now, Skew

SKEW_EVERY = timedelta(seconds=60)
_EPOCH_MICROSECONDS = timedelta(microseconds=1)
_CATALOG_ROWS = 100_000


class Session:
    """One server and what asking it cost since `take_costs` was last called."""

    def __init__(self, settings: Settings, url: str, *, now: Now) -> None:
        self._settings = settings
        self._now = now
        self._server = Server(settings, url)
        self._costs: Counter[str] = Counter()
        self._skew: tuple[datetime, Skew] | None = None
        self.unkept: tuple[str, ...] = ()

    def close(self) -> None:
        self._server.close()

    def take_costs(self) -> Counter[str]:
        """Queries, rows and bytes since the last call."""
        costs, self._costs = self._costs, Counter()
        return costs

    def catalog(self, statement: sql.Statement) -> Reply:
        """A question about tables, not to them."""
        return self._ask(statement, self._settings.max_execution_time, rows=_CATALOG_ROWS)

    def rows(self, statement: sql.Statement, *, last: bool, rows: int, fresh: bool = False) -> list[Row]:
        """A question to a table; a last look has a budget of its own. Where its silence shall prove something
        (a last look, or `fresh`), no replica is asked that may lack what was just passed. Raises Blind."""
        time = self._settings.last_look_time if last else self._settings.max_execution_time
        return list(self._ask(statement, time, rows=rows, last=last, fresh=fresh).rows)

    def skew(self) -> Skew | None:
        """The server's clock against our line, measured once a minute."""
        now = self._now()
        if self._skew is not None and timedelta(0) <= now - self._skew[0] < SKEW_EVERY:
            return self._skew[1]
        self._guard(
            self._settings.max_execution_time, rows=1, last=False
        )  # connecting is no part of the trip
        before = self._now()
        reply = self._ask(sql.clock(), self._settings.max_execution_time, rows=1)
        after = self._now()
        theirs = _microseconds(reply)
        if theirs is None:
            return None
        half = (after - before) / 2
        self._skew = (after, Skew(offset=theirs - (before + half), error=half))
        return self._skew[1]

    def ready(self, *, last: bool, rows: int) -> None:
        """Connect and make sure that answers will be whole, so that the look itself starts at its query."""
        self._guard(self._time(last), rows=rows, last=last)

    def _time(self, last: bool) -> timedelta:
        return self._settings.last_look_time if last else self._settings.max_execution_time

    def _ask(
        self,
        statement: sql.Statement,
        time: timedelta,
        *,
        rows: int,
        last: bool = False,
        fresh: bool = False,
    ) -> Reply:
        safe = self._guard(time, rows=rows, last=last, fresh=fresh)
        timeout = self._settings.last_look_time if last else self._settings.timeout
        self._costs["queries"] += 1
        reply = self._server.ask(statement, safe.send, timeout=timeout)
        self._costs["rows_read"] += reply.rows_read
        self._costs["bytes_read"] += reply.bytes_read
        return reply

    def _guard(self, time: timedelta, *, rows: int, last: bool, fresh: bool = False) -> Guard:
        size = self._settings.last_look_bytes if last else self._settings.max_bytes_to_read
        cost = limits(self._settings, time=time, size=size, rows=rows)
        behind = self._settings.max_replica_delay
        behind = min(behind, self._settings.passed_grace) if last or fresh else behind
        safe = guard(self._server.known(), cost=cost, max_delay=behind)
        if safe.unsafe:
            raise Blind(f"setting {', '.join(safe.unsafe)} cannot be made safe (readonly=1)")
        self.unkept = tuple(safe.unkept)
        return safe


def _microseconds(reply: Reply) -> datetime | None:
    text = reply.rows[0].get("clock") if reply.rows else None
    if text is None or not text.isdigit() or len(text) > 17:
        return None
    return _EPOCH + timedelta(microseconds=int(text))


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
