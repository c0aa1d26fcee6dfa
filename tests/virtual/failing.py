"""A ledger that fails as real ones do: a full disk, a stranger's lock, a death amid a transaction."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import OperationalError

from canary.ledger import Ledger, LedgerError
from canary.ledger.engines import engine_of, writer_of
from canary.ledger.lock import FileLock
from canary.ledger.opening import Opened
from tests.chaos.points import PointedLedger

MEMORY = Path("/dev/shm")


class Died(BaseException):
    """The monitor's process is gone; nothing that it had in memory is left."""


class FailingLedger(PointedLedger):
    """`full` and `locked` refuse every write, `uncounted` to count a day; `dies_in` so many transactions,
    before or after a commit."""

    full = False
    locked = False
    uncounted = False
    dies_in: int | None = None
    dies_after_commit = False

    @classmethod
    def at(cls, path: Path) -> Self:
        """Opened as the program opens it."""
        return cls.open(f"sqlite:///{path}")

    @classmethod
    def quick(cls, path: Path) -> Self:
        """The same on an engine that is kept for the path: thousands of worlds compile each statement once
        and wait for no disk. What opening checks has tests of its own."""
        lock = FileLock(path.with_name(path.name + ".lock"))
        engine = _engine(path)
        return cls(Opened(engine, writer_of(engine), lock))

    def sent_since(self, since: datetime, *, probe: str | None = None) -> int:
        if self.uncounted:
            raise LedgerError("disk I/O error")
        return super().sent_since(since, probe=probe)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        if self.full or self.locked:
            why = "database is locked" if self.locked else "database or disk is full"
            raise OperationalError("BEGIN IMMEDIATE", {}, sqlite3.OperationalError(why))
        dying = self.dies_in == 0
        self.dies_in = None if self.dies_in is None else self.dies_in - 1
        with super().begin() as connection:
            yield connection
            if dying and not self.dies_after_commit:
                raise Died
        if dying:
            raise Died


@lru_cache(maxsize=8)
def _engine(path: Path) -> Engine:
    engine = engine_of(make_url(f"sqlite:///{path}"))
    event.listen(engine, "connect", _hurry)
    return engine


def _hurry(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous=OFF").close()


@cache
def new_ledger() -> bytes:
    """A file just made: to copy it is faster than to make it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        Ledger.open(f"sqlite:///{path}").close()
        return path.read_bytes()


def place_in(folder: Path) -> Path:
    """Where this process may have a ledger; what it had there before is gone."""
    path = folder / f"{os.getpid()}.db"
    for old in folder.glob(f"{path.name}*"):
        old.unlink()
    return path


def short_lived() -> TemporaryDirectory[str]:
    """A folder for ledgers that nobody needs afterwards, in memory where there is such a place."""
    return TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
