"""The ledger: what is owed and what was seen, kept in one database by one process."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Connection

from canary.described import Change
from canary.ledger import audits, changes, opening, read
from canary.ledger.engines import writer_of
from canary.ledger.errors import LedgerError
from canary.ledger.memory import Memory
from canary.ledger.prune import Retention, prune
from canary.ledger.refusals import named, understood
from canary.ledger.step import Step, statements
from canary.traffic import AuditWindow, TrafficWindow
from canary.values import (
    Answer,
    Coverage,
    Judged,
    Minute,
    Owed,
    Position,
    Resume,
    Seen,
    Track,
    WindowReport,
)

PATIENCE = 5.0
"""Seconds for which a step waits for the one before it."""

KEPT = Retention()


class Ledger:
    """Any thread may call it. Steps wait for each other; questions wait for nobody.

    Every method is one transaction. What the database refuses is a `LedgerError`, after which the
    ledger holds what it held before, and the next call may well succeed.
    """

    def __init__(self, opened: opening.Opened) -> None:
        self.engine = opened.engine
        self._writer = opened.writer
        self._lock = opened.lock
        self._read_only = opened.writer is None
        self._statements = statements(opened.engine.dialect)
        self._memory = Memory()
        self._writing = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, url: str, *, read_only: bool = False) -> Self:
        """Open the ledger at a SQLAlchemy URL, and make or migrate it unless it is only to be read.

        Raises `LedgerInUse` where another process holds it, `LedgerUnusable` where it cannot be used.
        """
        return cls(opening.to_read(url) if read_only else opening.to_write(url))

    @classmethod
    def beside(cls, url: str) -> Self:
        """Open the ledger of a monitor that may be running, for `begin` alone. Raises `LedgerUnusable`."""
        return cls(opening.to_write_beside(url))

    def close(self) -> None:
        """Let another process have it. A step that is under way ends first."""
        with self._writing:
            self._closed = True
            if self._writer is not None:
                self._writer.close()
            self.engine.dispose()
            if self._lock is not None:
                self._lock.release()
            self._writer = self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- writing -----------------------------------------------------------------------------------

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction of the writer, for tables that are not the ledger's own. Errors as SQLAlchemy's."""
        if not self._writing.acquire(timeout=PATIENCE):
            raise TimeoutError(f"another step has been writing for {PATIENCE:.0f} seconds")
        try:
            with self._writer_now().begin() as transaction:
                yield transaction.connection
        except BaseException:
            self._memory.forget()
            raise
        finally:
            self._writing.release()

    @contextmanager
    def step(self) -> Iterator[Step]:
        """One transaction for everything recorded within: all of it or, on any exception, nothing."""
        with named(), self.begin() as connection:
            yield Step(connection, statements=self._statements, memory=self._memory)

    def _writer_now(self) -> Connection:
        if self._closed:
            raise LedgerError("it is closed. This is a bug.")
        if self._read_only:
            raise LedgerError("it was opened to be read only. This is a bug.")
        if self._writer is None or self._writer.invalidated:
            self._writer = None  # a server went away; what it takes to hold the ledger is done again
            self._writer = writer_of(self.engine)
        return self._writer

    def record_sent(self, owed: Sequence[Owed]) -> None:
        """Canaries about to be sent. Raises `DuplicateId`, and records none, where one is owed already."""
        with self.step() as step:
            step.record_sent(owed)

    def record_answers(self, answers: Iterable[tuple[UUID, Answer]]) -> None:
        """See `Step.record_answers`."""
        with self.step() as step:
            step.record_answers(answers)

    def record_look(
        self,
        stage: str,
        *,
        seen: Iterable[Seen] = (),
        coverage: Iterable[Coverage] = (),
        positions: Iterable[Position] = (),
    ) -> None:
        """See `Step.record_look`."""
        with self.step() as step:
            step.record_look(stage, seen=seen, coverage=coverage, positions=positions)

    def record_judged(self, judged: Iterable[Judged]) -> None:
        """See `Step.record_judged`."""
        with self.step() as step:
            step.record_judged(judged)

    def record_windows(self, reports: Iterable[WindowReport]) -> None:
        """See `Step.record_windows`."""
        with self.step() as step:
            step.record_windows(reports)

    def add_minutes(self, minutes: Iterable[Minute]) -> None:
        """See `Step.add_minutes`."""
        with self.step() as step:
            step.add_minutes(minutes)

    def set_value(self, key: str, value: Any) -> None:
        """Keep anything small that JSON can carry."""
        with self.step() as step:
            step.set_value(key, value)

    def prune(
        self,
        now: datetime,
        *,
        clean: timedelta = KEPT.clean,
        unclean: timedelta = KEPT.unclean,
        windows: timedelta = KEPT.windows,
        bite: int = 1000,
    ) -> int:
        """Remove at most `bite` rows that are past their time; call again until it returns 0."""
        retention = Retention(clean, unclean, windows)
        with self.step() as step:
            return prune(step.connection, now, retention=retention, bite=bite)

    # -- asking ------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._closed:
            raise LedgerError("it is closed. This is a bug.")
        with named(), understood(), self.engine.connect() as connection, connection.begin():
            yield connection

    def last_minted(self) -> datetime | None:
        """The time of the youngest id that is kept."""
        with self._reading() as connection:
            return read.last_minted(connection)

    def last_instant(self) -> datetime | None:
        """The latest time of our line that was written down: the line may be taken up from here."""
        with self._reading() as connection:
            return read.last_instant(connection)

    def open_tracks(self, since: datetime) -> list[Track]:
        """Canaries not final, of unsettled windows, or minted at or after `since`; oldest first."""
        with self._reading() as connection:
            return read.open_tracks(connection, since)

    def unclean_tracks(self, since: datetime, limit: int) -> list[Track]:
        """The youngest canaries minted since a time that are final and not clean, `limit` at most."""
        with self._reading() as connection:
            return read.unclean_tracks(connection, since, limit)

    def find(self, id_: UUID) -> Track | None:
        """All that is known of one canary."""
        return self.known([id_]).get(id_)

    def known(self, ids: Iterable[UUID]) -> dict[UUID, Track]:
        """Those of these ids that the ledger owes."""
        with self._reading() as connection:
            return {track.owed.id: track for track in read.tracks(connection, ids)}

    def sent_since(self, since: datetime, *, probe: str | None = None) -> int:
        """How many canaries (of one probe or all) were minted at or after a time, as far as they are kept."""
        with self._reading() as connection:
            return read.sent_since(connection, since, probe=probe)

    def resume(self, stage: str) -> Resume:
        """Where reading a topic goes on."""
        with self._reading() as connection:
            return read.resume(connection, stage)

    def coverage(self, stage: str, since: datetime | None = None) -> list[Coverage]:
        """A stage's intervals, those that end before `since` left out; by place, partition and time."""
        with self._reading() as connection:
            return read.coverage_of(connection, stage, since=since)

    def positions(self, stage: str, since: datetime | None = None) -> list[Position]:
        """Positions as they changed since a time, each partition opening with the one that stood then.

        `read_at` is when it was first read. Without a time: the latest of each partition.
        """
        with self._reading() as connection:
            return read.positions(connection, stage, since=since)

    def windows(self, since: datetime, until: datetime, *, probe: str | None = None) -> list[WindowReport]:
        """Settled windows that start within `[since, until)`, oldest first."""
        with self._reading() as connection:
            return read.windows(connection, probe=probe, since=since, until=until)

    def unsettled_windows(self) -> list[tuple[str, datetime]]:
        """(probe, start) of every window that has canaries and no report, oldest first."""
        with self._reading() as connection:
            return read.unsettled_windows(connection)

    def last_settled(self, probe: str) -> datetime | None:
        """The start of a probe's youngest settled window."""
        with self._reading() as connection:
            return read.last_settled(connection, probe)

    def minutes(self, since: datetime, until: datetime, *, probe: str | None = None) -> list[Minute]:
        """Minutes that start within `[since, until)`, oldest first."""
        with self._reading() as connection:
            return read.minutes(connection, probe=probe, since=since, until=until)

    def audits(
        self, since: datetime, until: datetime, *, stage: str | None = None, only_open: bool = False
    ) -> list[AuditWindow]:
        """Audited windows that start within `[since, until)`, oldest first."""
        with self._reading() as connection:
            return audits.windows(connection, since, until, stage=stage, only_open=only_open)

    def last_audit(self, stage: str) -> AuditWindow | None:
        """The youngest audited window of a stage."""
        with self._reading() as connection:
            return audits.last(connection, stage)

    def traffic(self, since: datetime, until: datetime) -> list[TrafficWindow]:
        """What was seen of the real traffic beside the audits, as for them."""
        with self._reading() as connection:
            return audits.traffic(connection, since, until)

    def changes(self, since: datetime) -> list[Change]:
        """Changes of the parts that may have happened at that time or later, oldest first."""
        with self._reading() as connection:
            return changes.since(connection, since)

    def value(self, key: str) -> Any:
        """What was last set under a key; None where nothing was."""
        with self._reading() as connection:
            return read.value(connection, key)
