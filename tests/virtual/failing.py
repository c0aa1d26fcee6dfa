"""A ledger that fails as real ones do: a full disk, a stranger's lock, a death amid a transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from canary.ledger import Ledger
from tests.chaos.points import PointedLedger


class Died(BaseException):
    """The monitor's process is gone; nothing that it had in memory is left."""


class FailingLedger(PointedLedger):
    """`full` and `locked` refuse every write; `dies_in` so many transactions, before or after a commit."""

    full = False
    locked = False
    dies_in: int | None = None
    dies_after_commit = False

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


@cache
def new_ledger() -> bytes:
    """A file just made: to copy it is faster than to make it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        Ledger.open(f"sqlite:///{path}").close()
        return path.read_bytes()
