"""How a ledger is opened: looked at before it is touched, and refused where it is not ours to use."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError

from canary.ledger import schema
from canary.ledger.engines import WRITES, engine_of, read_only_file, writer_of
from canary.ledger.errors import LedgerUnusable
from canary.ledger.lock import FileLock

CHECKED_FOR = 2.0
"""Seconds that the check of the pages may take at a start; a fault beyond that shows when it is met."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A database ready for use. Without a writer it is only to be read."""

    engine: Engine
    writer: Connection | None = None
    lock: FileLock | None = None


def to_write(url: str) -> Opened:
    """Take hold of a ledger, and make or migrate it."""
    where = _parsed(url)
    path = _file_of(where)
    if path is not None and not path.parent.is_dir():
        raise LedgerUnusable(f"{path}: its folder does not exist")
    lock = FileLock(path.with_name(path.name + ".lock")) if path else None
    try:
        with _explained(path):
            if path is not None:
                _look_at(path)
            engine = engine_of(where)
            return Opened(engine, _brought_up(engine), lock)
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def _brought_up(engine: Engine) -> Connection:
    writer = writer_of(engine)
    try:
        with writer.begin():
            schema.bring_up(writer, schema.revision(writer))
    except BaseException:
        writer.close()
        engine.dispose()
        raise
    return writer


def to_read(url: str) -> Opened:
    """Open a ledger that another process may hold."""
    where = _parsed(url)
    path = _file_of(where)
    with _explained(path):
        engine = engine_of(where) if path is None else read_only_file(path)
        if path is not None and not _look_at(path):
            raise LedgerUnusable("there is no ledger here")
        with engine.connect() as connection:
            stored = schema.revision(connection)
        if stored != schema.HEAD:
            raise LedgerUnusable(f"has an older schema (got {stored}); `canary run` brings it up to date")
    return Opened(engine)


def to_write_beside(url: str) -> Opened:
    """Open a ledger that a running monitor may hold, to write rows that it will read: it takes no lock.

    SQLite lets one process write at a time and makes the others wait; nothing but what the monitor only
    reads may be written so.
    """
    where = _parsed(url)
    path = _file_of(where)
    to_read(url).engine.dispose()
    with _explained(path):
        engine = engine_of(where)
        return Opened(engine, engine.connect().execution_options(**{WRITES: True}))


def _parsed(url: str) -> URL:
    try:
        made = make_url(url)
        kind = made.get_backend_name()
    except ArgumentError as error:
        raise LedgerUnusable("its URL cannot be understood") from error  # may hold a password: not shown
    if kind not in ("sqlite", "postgresql"):
        raise LedgerUnusable(f"its URL must begin with sqlite or postgresql (got {kind})")
    if kind == "sqlite" and made.database in (None, "", ":memory:"):
        raise LedgerUnusable(f"its URL must name a file (got {url})")
    return made


def _file_of(url: URL) -> Path | None:
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _look_at(path: Path) -> bool:
    """Whether a file holds a ledger already; raises what makes it unusable, and changes nothing."""
    if not path.exists():
        return False
    if not path.is_file():
        raise LedgerUnusable("is not a file")
    if path.stat().st_size == 0:
        return False
    with path.open("rb"):
        pass  # says why it cannot be read in better words than SQLite does
    with read_only_file(path).connect() as connection:
        _check_pages(connection)
        return schema.revision(connection) is not None


def _check_pages(connection: Connection) -> None:
    raw: Any = connection.connection.driver_connection
    until = time.monotonic() + CHECKED_FOR
    late = False

    def tick() -> int:
        nonlocal late
        late = time.monotonic() > until
        return int(late)

    raw.set_progress_handler(tick, 100_000)
    try:
        said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except DBAPIError:
        if not late:
            raise
        return
    finally:
        raw.set_progress_handler(None, 0)
    if said != "ok":
        raise LedgerUnusable(f"is damaged ({said}); it was left as it is")


@contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    """What a database or file system says while opening, as a reason that names the file."""
    where = f"{path}: " if path else ""
    try:
        yield
    except DBAPIError as error:
        raise LedgerUnusable(f"{where}{error.orig}; it was left as it is") from error
    except OSError as error:
        raise LedgerUnusable(f"{where}{error.strerror}") from error
    except LedgerUnusable as error:
        raise LedgerUnusable(f"{where}{error.reason}") from error
