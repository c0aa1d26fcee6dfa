"""Connections to the ledger's database, set up so that steps are short and readers never wait."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from canary.ledger.errors import LedgerUnusable
from canary.ledger.lock import hold_advisory

BUSY = 2.0
"""Seconds for which SQLite waits for a stranger who writes into the file."""

SLOW = 10_000
"""Milliseconds after which a server gives up a statement."""

PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "journal_size_limit=67108864", "cache_size=-512")
"""The cache, in KiB: each connection would fill two megabytes with what the system has in its own."""

WRITES = "canary_writes"


def read_only_file(path: Path) -> Engine:
    """Cannot change the file, whatever is asked of it."""
    name = f"file:{quote(str(path.absolute()))}"
    url = URL.create("sqlite", database=name, query={"mode": "ro", "uri": "true"})
    engine = create_engine(url, poolclass=NullPool, connect_args=_sqlite_arguments(), hide_parameters=True)
    event.listen(engine, "begin", _begin)
    return engine


def engine_of(url: URL) -> Engine:
    """Opens connections that write (marked so) and connections that read."""
    if url.get_backend_name() != "sqlite":
        return _server(url)
    engine = create_engine(
        url,
        pool_size=4,
        max_overflow=4,
        pool_timeout=BUSY,
        connect_args=_sqlite_arguments(),
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _server(url: URL) -> Engine:
    try:
        engine = create_engine(
            url, pool_size=4, max_overflow=4, pool_timeout=BUSY, pool_pre_ping=True, hide_parameters=True
        )
    except ModuleNotFoundError as error:
        raise LedgerUnusable(f"needs a driver that is not installed ({error.name})") from error
    event.listen(engine, "connect", _prepare_server)
    return engine


def writer_of(engine: Engine) -> Connection:
    """The one connection that writes; on a server it also holds the lock."""
    connection = engine.connect().execution_options(**{WRITES: True})
    if engine.dialect.name == "postgresql":
        try:
            hold_advisory(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _sqlite_arguments() -> dict[str, object]:
    return {"timeout": BUSY, "check_same_thread": False, "isolation_level": None}


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _prepare_server(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET statement_timeout = {SLOW}")
    cursor.close()
    connection.commit()


def _begin(connection: Connection) -> None:
    """The driver would begin late, and a reader that turns writer can fail for good."""
    writes = connection.get_execution_options().get(WRITES)
    raw(connection, "BEGIN IMMEDIATE" if writes else "BEGIN", [()])


def raw(connection: Connection, text: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement in SQLite once for each row, past SQLAlchemy, whose errors it raises all the same."""
    driver: Any = connection.connection.driver_connection
    try:
        if len(rows) == 1:
            driver.execute(text, rows[0]).close()
        else:
            driver.executemany(text, rows).close()
    except sqlite3.Error as error:
        raise DBAPIError.instance(text, None, error, sqlite3.Error, hide_parameters=True) from error
