"""The outbox and the open incidents in a database: what was decided is on disk before anybody is told."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from alerts import codec
from alerts.condition import Kind
from alerts.delivery import Letter, Receipt
from alerts.state import Incident, State
from alerts.tables import acks, incidents, outbox, past, silences
from alerts.telling import HOUR

T = TypeVar("T")
Begin = Callable[[], AbstractContextManager[sa.Connection]]

# Built once: to build a statement costs more than to run it.
_INCIDENTS, _PAST = sa.select(incidents), sa.select(past)
_PENDING = outbox.c.sent_at.is_(None) & outbox.c.given_up_at.is_(None)
_OWED = sa.select(outbox).where(_PENDING).order_by(outbox.c.number)
_LAST, _NEWEST = sa.select(sa.func.max(outbox.c.incident)), sa.select(sa.func.max(outbox.c.made_at))
_NO_INCIDENT = incidents.delete().where(incidents.c.key == sa.bindparam("stale"))
_NO_PAST = past.delete().where(past.c.incident == sa.bindparam("stale"))
_AGAIN = outbox.update().where(outbox.c.id == sa.bindparam("notice"))
_NEW_INCIDENT, _NEW_PAST, _NEW = incidents.insert(), past.insert(), outbox.insert()


class StoreError(Exception):
    """The store could not be read or written; the text says why and shows no content."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a pager takes up after a start."""

    state: State
    owed: tuple[Letter, ...] = ()
    threads: Mapping[tuple[int, str], Receipt] = field(default_factory=dict)


class Store:
    """Reads and writes `alert_incidents` and `alert_outbox`; the owner of the database makes the tables."""

    def __init__(self, engine: sa.Engine, *, begin: Begin | None = None) -> None:
        """`begin` opens a transaction where the owner of the database wants to guard its writes."""
        self._begin: Begin = begin or engine.begin

    def load(self) -> Kept:
        """The state as it was last saved, what is still owed, and the threads of those incidents."""
        try:
            return guarded(self._load)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(f"a row cannot be understood ({type(error).__name__}: {error})") from error

    def _load(self) -> Kept:
        with self._begin() as db:
            open_ = {row.key: codec.incident(json.loads(row.body)) for row in db.execute(_INCIDENTS)}
            over = [codec.incident(json.loads(row.body)) for row in db.execute(_PAST)]
            owed = tuple(_letter(row) for row in db.execute(_OWED))
            last = db.execute(_LAST).scalar() or 0
            live = {i.number for i in open_.values()} | {letter.notice.incident for letter in owed}
            live |= {incident.number for incident in over}
            single, summaries = _recent(db)
            state = State(
                open_,
                past={incident.number: incident for incident in over},
                recent=single,
                summaries=summaries,
                next_number=max([last, *live]) + 1,
            )
            return Kept(state, owed, _threads(db, live))

    def save(self, state: State, letters: Iterable[Letter], *, before: State) -> None:
        """The change of state and the letters, in one transaction; doing it twice does no harm."""
        guarded(lambda: self._save(state, tuple(letters), before))

    def _save(self, state: State, letters: tuple[Letter, ...], before: State) -> None:
        with self._begin() as db:
            changed = [i for key, i in state.incidents.items() if before.incidents.get(key) != i]
            stale = {*before.incidents.keys() - state.incidents.keys(), *(i.key for i in changed)}
            if stale:
                # Away and in again rather than one by one: a storm changes thousands at once.
                db.execute(_NO_INCIDENT, [{"stale": key} for key in sorted(stale)])
            if changed:
                db.execute(_NEW_INCIDENT, [_incident_row(incident) for incident in changed])
            if state.past is not before.past:
                _put_past(db, before.past, state.past)
            for letter in letters:
                _put(db, letter)

    def prune(self, before: datetime, *, limit: int = 500) -> int:
        """Forget what was done or over before that time, at most `limit` rows of a kind; how many went."""
        return guarded(lambda: self._prune(before, limit))

    def _prune(self, before: datetime, limit: int) -> int:
        done = sa.func.coalesce(outbox.c.sent_at, outbox.c.given_up_at)
        # The last incident stays, because the next number follows from it; so do the threads of open ones.
        last = sa.select(sa.func.max(outbox.c.incident)).scalar_subquery()
        old = (
            sa.select(outbox.c.number)
            .where(done < before, outbox.c.incident < last)
            .where(outbox.c.incident.not_in(sa.select(incidents.c.incident)))
            .where(outbox.c.incident.not_in(sa.select(past.c.incident)))
            .limit(limit)
        )
        with self._begin() as db:
            gone = db.execute(outbox.delete().where(outbox.c.number.in_(old))).rowcount
            for table in (silences, acks):
                time = silences.c.ends_at if table is silences else acks.c.made_at
                key = sa.select(table.c.number).where(time < before).limit(limit)
                gone += db.execute(table.delete().where(table.c.number.in_(key))).rowcount
            return gone


def guarded(work: Callable[[], T]) -> T:
    """What the database says against it, as StoreError."""
    try:
        return work()
    except DBAPIError as error:
        raise StoreError(str(error.orig)) from error
    except (SQLAlchemyError, OSError) as error:
        raise StoreError(f"{type(error).__name__}: {error}") from error


def _put(db: sa.Connection, letter: Letter) -> None:
    """Without reading first: a read would make the transaction fail wherever another writer comes between."""
    row = _row(letter)
    if db.execute(_AGAIN, {"notice": letter.notice.id, **row}).rowcount == 0:
        db.execute(_NEW, {"id": letter.notice.id, **row})


def _put_past(db: sa.Connection, before: Mapping[int, Incident], now: Mapping[int, Incident]) -> None:
    changed = [incident for number, incident in now.items() if before.get(number) != incident]
    if stale := [*(before.keys() - now.keys()), *(incident.number for incident in changed)]:
        db.execute(_NO_PAST, [{"stale": n} for n in stale])
    if changed:
        rows = [{"incident": one.number, "body": json.dumps(codec.plain(one))} for one in changed]
        db.execute(_NEW_PAST, rows)


def _incident_row(incident: Incident) -> dict[str, Any]:
    return {
        "key": incident.key,
        "incident": incident.number,
        "opened_at": incident.opened_at,
        "body": json.dumps(codec.plain(incident)),
    }


def _recent(db: sa.Connection) -> tuple[tuple[datetime, ...], tuple[datetime, ...]]:
    newest: datetime | None = db.execute(_NEWEST).scalar()
    if newest is None:
        return (), ()
    made = sa.select(outbox.c.made_at, outbox.c.kind).where(outbox.c.made_at > newest - HOUR)
    rows = db.execute(made.order_by(outbox.c.number)).all()
    single = tuple(row.made_at for row in rows if row.kind != Kind.SUMMARY.value)
    return single, tuple(row.made_at for row in rows if row.kind == Kind.SUMMARY.value)


def _threads(db: sa.Connection, live: Iterable[int]) -> dict[tuple[int, str], Receipt]:
    """Where each incident was told last, by the way that took it."""
    wanted = sorted(live)
    columns = (outbox.c.incident, outbox.c.way, outbox.c.channel, outbox.c.thread)
    sent = sa.select(*columns).where(outbox.c.sent_at.is_not(None))
    found: dict[tuple[int, str], Receipt] = {}
    # In pieces, because a statement takes only so many parameters.
    for start in range(0, len(wanted), 500):
        piece = sent.where(outbox.c.incident.in_(wanted[start : start + 500])).order_by(outbox.c.number)
        for row in db.execute(piece):
            found[row.incident, row.way] = Receipt(row.channel, row.thread)
    return found


def _letter(row: sa.Row[Any]) -> Letter:
    return Letter(
        notice=codec.notice(json.loads(row.body)),
        attempts=row.attempts,
        uncertain=row.uncertain,
        next_try_at=row.next_try_at,
        sent_at=row.sent_at,
        given_up_at=row.given_up_at,
        error=row.error,
        way=row.way,
    )


def _row(letter: Letter) -> dict[str, Any]:
    notice, receipt = letter.notice, letter.receipt or Receipt()
    return {
        "incident": notice.incident,
        "sequence": notice.sequence,
        "kind": notice.kind.value,
        "body": json.dumps(codec.plain(notice)),
        "made_at": notice.made_at,
        "attempts": letter.attempts,
        "uncertain": letter.uncertain,
        "next_try_at": letter.next_try_at,
        "sent_at": letter.sent_at,
        "given_up_at": letter.given_up_at,
        "error": letter.error,
        "channel": receipt.channel,
        "thread": receipt.thread,
        "way": letter.way,
    }
