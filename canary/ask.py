"""Which question a table is asked next: for what is missing, a last look, copies, or a sign of life."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable
from uuid import UUID

from canary.book import Book, Entry
from canary.desk import Desk
from canary.event import EVENT_NAME
from canary.settle import Settler
from canary.values import Look, Owed, Wanted
from reconcile.outcome import Receipt

IDLE = timedelta(seconds=5)
GONE_EVERY = timedelta(seconds=30)
SOON = timedelta(milliseconds=50)
NARROWED = timedelta(hours=1)
"""So long a topic is read to tell at which of several hops a canary was lost."""

NOBODY = UUID(int=0)
"""Asked for when nobody is missing: the table still has to answer."""

Kind = Literal["last_look", "copies"]
"""The questions beside the main one."""


class Stage(Protocol):
    """A place where canaries can be seen. A look blocks within its own deadlines and never raises for
    what it meets outside: it is blind and says why."""

    def look(self, wanted: Sequence[Wanted]) -> Look:
        """Read on (a topic), or ask for these canaries (a table)."""
        ...

    def close(self) -> None:
        """Let go of all connections, promptly."""
        ...


@runtime_checkable
class Seeker(Stage, Protocol):
    """A stage that may not read everything, and then has to know which canaries are wanted."""

    @property
    def seeks(self) -> bool:
        """Whether the next look has to be told."""
        ...


Aim = Callable[[str, Owed, int], int | None]
"""The partition of a stage (of so many) where a canary must be; None where that cannot be told."""


def sought(book: Book, stage: str, aim: Aim, now: datetime) -> list[Wanted]:
    """The canaries for which a topic is worth reading.

    One that was seen in a topic with alternates is looked for again, wherever it may be: its consumer may
    have moved it on.
    """
    at = next(index for index, spec in enumerate(book.stages) if spec.name == stage)
    beyond = book.stages[min(at + 1, len(book.stages) - 1)].name
    partitions, movable, found = book.readings[stage].partitions, bool(book.stages[at].others), []
    for entry in book.entries.values():
        if stage in entry.seen and (not movable or beyond in entry.seen):
            continue  # of nearly all: what follows is asked of the others only
        owed, arrived = entry.owed, book.last in entry.seen
        if entry.receipt is Receipt.REFUSED or _told(entry, now):
            continue
        if stage not in entry.seen:
            place = None if partitions is None else aim(stage, owed, partitions)
            found.append(Wanted(owed.id, owed.sent_at, EVENT_NAME, owed.distinct_id, place, arrived))
        elif not arrived:
            found.append(Wanted(owed.id, owed.sent_at, EVENT_NAME, owed.distinct_id))
    return found


def _told(entry: Entry, now: datetime) -> bool:
    """Whether no topic can add anything to its verdict; a loss over several hops may still be narrowed."""
    judged = entry.judged
    if judged is None or not judged.final:
        return False
    return not judged.spanned or now - judged.judged_at > NARROWED


@runtime_checkable
class Table(Stage, Protocol):
    """A stage that is asked by id."""

    def copies(self, wanted: Sequence[Wanted]) -> Look:
        """Ask once more, wherever the rows may lie: is there more than one?"""
        ...

    def last_look(self, wanted: Sequence[Wanted]) -> Look:
        """Look everywhere that the first question does not reach, before anything is called lost."""
        ...

    def next_allowed_in(self) -> timedelta:
        """How long until the guest's limits allow the next query."""
        ...


class Asker:
    """Asks one table, one question at a time, never more than the guest's limits allow."""

    def __init__(self, desk: Desk, settler: Settler, *, name: str, table: Table, event: str) -> None:
        self._desk = desk
        self._settler = settler
        self._name = name
        self._table = table
        self._event = event
        self._asked_at: datetime | None = None
        self._asked_gone_at = desk.line.now()
        self._turn_taken: Kind | None = None  # the same again only after the main question

    def ask(self) -> tuple[Look | None, timedelta]:
        """The next look (None: nothing to ask yet) and how long to leave the table alone after it."""
        wait = self._table.next_allowed_in()
        if wait > timedelta(0):
            return None, min(wait, timedelta(seconds=1))
        with self._desk.lock:
            now = self._desk.line.now()
            gone = self._gone(now)
            wanted = [self._one(entry) for entry in (*self._desk.book.wanted(self._name), *gone)]
            turn_taken = self._turn_taken if wanted else None
            extra = self._extra(but=turn_taken)
        self._turn_taken = extra[0] if extra else None
        if extra is not None:
            return self._ask_extra(*extra), SOON
        if not wanted and self._asked_at is not None and now - self._asked_at < IDLE:
            return None, SOON
        if gone:  # only now: where another question went first, they are due still
            self._asked_gone_at = now
        look = self._table.look(wanted or [Wanted(NOBODY, now, self._event, "")])
        if not look.asked and not look.blind:
            return None, SOON
        self._asked_at = now
        return look, SOON

    def _gone(self, now: datetime) -> Sequence[Entry]:
        """Those called gone, when it is time to ask for them again."""
        book = self._desk.book
        due = self._name == book.last and now - self._asked_gone_at > GONE_EVERY
        return list(book.gone.values()) if due else ()

    def _one(self, entry: Entry) -> Wanted:
        owed = entry.owed
        return Wanted(owed.id, owed.sent_at, self._event, owed.distinct_id)

    def _extra(self, *, but: Kind | None) -> tuple[Kind, list[Wanted]] | None:
        """A last look goes before copies: a proven loss waits for it."""
        book = self._desk.book
        if self._name != book.last:
            return None
        last_look = self._missing() if but != "last_look" else None
        return last_look or (self._arrived() if but is None else None)

    def _missing(self) -> tuple[Kind, list[Wanted]] | None:
        book = self._desk.book
        missing = [book.entries[id_] for id_ in self._settler.last_looks if id_ in book.entries]
        self._settler.last_looks.clear()
        return ("last_look", [self._one(entry) for entry in missing]) if missing else None

    def _arrived(self) -> tuple[Kind, list[Wanted]] | None:
        book = self._desk.book
        arrived = [book.entries[id_] for id_ in self._settler.copies if id_ in book.entries]
        self._settler.copies.clear()
        arrived = [e for e in arrived if self._name in e.seen and not e.copies_checked]
        return ("copies", [self._one(entry) for entry in arrived]) if arrived else None

    def _ask_extra(self, kind: Kind, wanted: list[Wanted]) -> Look | None:
        look = self._table.last_look(wanted) if kind == "last_look" else self._table.copies(wanted)
        asked = {one.id for one in wanted} if look.blind else set(look.asked)
        with self._desk.lock:
            for one in (one for one in wanted if one.id in asked):
                entry = self._desk.book.entries.get(one.id)
                if entry is not None and kind == "last_look":
                    entry.last_look_problem = look.blind
                    entry.last_look_at = entry.last_look_at if look.blind else look.started_at
                elif entry is not None:
                    entry.copies_checked = not look.blind
        self._desk.awaited.set()
        return None if look.blind else look  # whether the stage is blind, the main question tells
