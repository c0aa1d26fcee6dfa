"""The sandbox's ClickHouse: the real engine in this process behind an HTTP front, with one read-only user."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from canary.sandbox.clickhouse_engine import Engine, EngineError, Statement
from canary.sandbox.clickhouse_http import common_headers, credentials, failure, statement_of, success
from canary.sandbox.clickhouse_parts import compact
from canary.sandbox.clickhouse_rights import Rights, User
from canary.sandbox.gate import Gate
from canary.sandbox.httpd import HttpServer, Request, Response
from canary.sandbox.tables import TABLES, create_tables

_SERVER_NAME = "sandbox"
_INSERTS_BEFORE_COMPACTING = 50


class ClickHouseFront:
    """Serves `user` read-only; with an `admin_password` also the user `default`, who may do everything.

    `insert` goes through the gate, as the pipeline's writes do; `query` and `execute` do not, so that a test
    can look at the tables of a frozen server. One at a time in a process, as chDB has one set of data.
    With `merges` the engine keeps its parts few by itself, and rows that are twice go when it likes.
    `policies` are conditions by table, which its rows must meet to be shown.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        user: str,
        password: str,
        admin_password: str | None = None,
        port: int = 0,
        path: Path | None = None,
        merges: bool = False,
        policies: Mapping[str, str] | None = None,
    ) -> None:
        self._gate, self._path, self._merges, self._policies = gate, path, merges, policies
        self._users = {user: User(user, password)}
        if admin_password is not None:
            self._users["default"] = User("default", admin_password, writes=True)
        self._http = HttpServer(self._answer, gate=gate, port=port, name="clickhouse")
        self._writing = threading.Lock()
        self._inserts: Counter[str] = Counter()
        self._denied = False
        self._skewed = timedelta()
        self._engine: Engine | None = None
        self._rights: Rights | None = None

    @property
    def port(self) -> int:
        return self._http.port

    @property
    def url(self) -> str:
        return self._http.url

    def start(self) -> None:
        """Make the tables and return when connections are accepted."""
        self._engine = Engine(self._path, policies=self._policies)
        self._rights = Rights(self._engine, self._users)
        create_tables(self, merges=self._merges)
        self._http.start()

    def stop(self) -> None:
        """Release who waits at the gate, end every connection and thread, and close the engine."""
        self._gate.close()
        self._http.stop()
        if self._engine is not None:
            self._engine.close()
        self._engine = self._rights = None

    def restart(self, *, away: timedelta = timedelta(seconds=1)) -> None:
        """What a restart looks like from outside: connections break, the port is shut, the rows stay."""
        self._http.stop()
        time.sleep(away.total_seconds())
        self._http.start()

    def deny(self, denied: bool) -> None:
        """Take the read-only user's rights away, or give them back; nobody else notices."""
        self._denied = denied

    def execute(self, sql: str, /) -> None:
        """Run one statement in this process; raises EngineError."""
        with self._writing:
            self._running().run(Statement(sql))

    def query(self, sql: str, /, **params: str) -> list[dict[str, Any]]:
        """Rows of a SELECT in this process, its `{name:Type}` parameters given as ClickHouse writes them."""
        body = self._running().run(Statement(sql, format="JSONEachRow", params=params)).body
        return [json.loads(line) for line in body.splitlines()]

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to a table of `posthog` in one insert; raises Down, Throttled and EngineError."""
        self._gate.enter()
        if not rows:
            return
        lines = "\n".join(json.dumps(row, default=_written) for row in rows)
        statement = Statement(
            f"INSERT INTO posthog.{table} ({', '.join(_columns(rows))})",
            data=lines.encode(),
            format="JSONEachRow",
            settings={"date_time_input_format": "best_effort"},
        )
        with self._writing:
            # Before the insert: whoever hears of an error here may safely try again.
            if self._inserts[table] >= _INSERTS_BEFORE_COMPACTING and not self._merges:
                compact(self._running(), table, over=_INSERTS_BEFORE_COMPACTING // 2)
                self._inserts[table] = 0
            self._running().run(statement)
            self._inserts[table] += 1

    def skew(self, by: timedelta) -> None:
        """Shift the times that this server writes (`inserted_at`) by as much; zero sets them right again."""
        if by == self._skewed:
            return
        shift = f"now64(6) + toIntervalMicrosecond({round(by / timedelta(microseconds=1))})"
        for table in TABLES:
            self.execute(
                f"ALTER TABLE posthog.{table} MODIFY COLUMN inserted_at "
                f"Nullable(DateTime64(6, 'UTC')) DEFAULT {shift if by else 'now64(6)'}"
            )
        self._skewed = by

    def _running(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("clickhouse: must be started first. This is a bug.")
        return self._engine

    def _answer(self, request: Request) -> Response:
        if request.path in ("/ping", "/replicas_status") or (request.path == "/" and _is_bare(request)):
            return Response(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        engine, rights = self._running(), self._rights
        assert rights is not None
        common = common_headers(request, server=_SERVER_NAME, timezone=engine.timezone)
        try:
            user = rights.login(*credentials(request))
            if self._denied and not user.writes:
                raise EngineError(497, "ACCESS_DENIED", f"{user.name}: Not enough privileges.")
            statement = statement_of(request, readonly=not user.writes)
            rights.check(user, statement)
            with self._writing if user.writes else nullcontext():
                result = engine.run(statement)
            return success(request, statement, result, common)
        except EngineError as error:
            return failure(error, common, engine.version)


def _is_bare(request: Request) -> bool:
    return request.method in ("GET", "HEAD") and not request.args


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(f"`{name}`" for row in rows for name in row))


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
