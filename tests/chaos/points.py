"""Named places at which the monitor can be made to die: wrappers around what the steps call.

The product knows nothing of them: it is given a ledger, edges and a sender, and these are such.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from alerts.condition import Notice
from alerts.delivery import Receipt, Sender
from canary.ask import Stage, Table
from canary.courier import Ingress
from canary.ledger import Ledger, Step
from canary.ledger.opening import Opened
from canary.values import Answer, Event, Judged, Look, Minute, Owed, Wanted, WindowReport

Fuse = Callable[[str], None]
"""Told of every point that is passed; whoever is to die dies in it."""

KINDS = ("sent", "answers", "look", "judged", "windows", "minutes", "prune", "notices")
"""What a transaction writes."""

POINTS = (
    "inject: before the ledger",
    "inject: before the post",
    "inject: after the post",
    "inject: answers not yet written",
    *(
        f"follow {name}: {when} look"
        for name in ("raw", "processed", "events")
        for when in ("before", "after")
    ),
    "follow events: before copies",
    "follow events: after copies",
    "follow events: before last look",
    "follow events: after last look",
    "settle: judged, not yet written",
    *(f"transaction: {when} {kind}" for kind in KINDS for when in ("amid", "after")),
    "page: before the send",
    "page: after the send",
)
"""All of them. "amid" is before the commit of a transaction that holds such rows, "after" just past it."""


def unlit(point: str) -> None:
    """Nobody dies."""
    del point


class PointedStep(Step):
    """Notes which kinds of rows it was given."""

    fuse: Fuse = staticmethod(unlit)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.wrote: list[str] = []

    def record_sent(self, owed: Sequence[Owed]) -> None:
        self.fuse("inject: before the ledger")
        super().record_sent(owed)
        self.wrote.append("sent")

    def record_answers(self, answers: Iterable[tuple[UUID, Answer]]) -> None:
        self.fuse("inject: answers not yet written")
        super().record_answers(answers)
        self.wrote.append("answers")

    def record_judged(self, judged: Iterable[Judged]) -> None:
        self.fuse("settle: judged, not yet written")
        super().record_judged(judged)
        self.wrote.append("judged")

    def record_look(self, stage: str, **learned: Any) -> None:
        super().record_look(stage, **learned)
        self.wrote.append("look")

    def record_windows(self, reports: Iterable[WindowReport]) -> None:
        super().record_windows(reports)
        self.wrote.append("windows")

    def add_minutes(self, minutes: Iterable[Minute], counted: Mapping[UUID, str] | None = None) -> None:
        super().add_minutes(minutes, counted or {})
        self.wrote.append("minutes")


class PointedLedger(Ledger):
    """A ledger in whose every transaction the process may die."""

    fuse: Fuse = staticmethod(unlit)

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._stepping = threading.local()

    @contextmanager
    def step(self) -> Iterator[Step]:
        self._stepping.now = True
        kinds: Collection[str] = ()
        try:
            with super().step() as plain:
                step = PointedStep(plain.connection, statements=self._statements, memory=self._memory)
                step.fuse = self.fuse
                yield step
                kinds = dict.fromkeys(step.wrote) or ("prune",)
                self._pass("amid", kinds)
        finally:
            self._stepping.now = False
        self._pass("after", kinds)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Outside a step it is the pager's store that writes."""
        kinds = () if getattr(self._stepping, "now", False) else ("notices",)
        with super().begin() as connection:
            yield connection
            self._pass("amid", kinds)
        self._pass("after", kinds)

    def _pass(self, when: str, kinds: Iterable[str]) -> None:
        for kind in kinds:
            self.fuse(f"transaction: {when} {kind}")


class PointedIngress:
    """Posts through another ingress."""

    def __init__(self, inner: Ingress, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    def post(self, events: Sequence[Event], lane: int) -> Answer:
        self._fuse("inject: before the post")
        answer = self._inner.post(events, lane)
        self._fuse("inject: after the post")
        return answer

    def close(self) -> None:
        self._inner.close()


class PointedStage:
    """Looks through another stage."""

    def __init__(self, inner: Stage, name: str, fuse: Fuse) -> None:
        self._inner, self._name, self._fuse = inner, name, fuse

    def look(self, wanted: Sequence[Wanted]) -> Look:
        return self._pass("look", lambda: self._inner.look(wanted))

    def close(self) -> None:
        self._inner.close()

    def _pass(self, what: str, look: Callable[[], Look]) -> Look:
        self._fuse(f"follow {self._name}: before {what}")
        found = look()
        self._fuse(f"follow {self._name}: after {what}")
        return found


class PointedTable(PointedStage):
    """Asks through another table."""

    def __init__(self, inner: Table, name: str, fuse: Fuse) -> None:
        super().__init__(inner, name, fuse)
        self._table = inner

    def copies(self, wanted: Sequence[Wanted]) -> Look:
        return self._pass("copies", lambda: self._table.copies(wanted))

    def last_look(self, wanted: Sequence[Wanted]) -> Look:
        return self._pass("last look", lambda: self._table.last_look(wanted))

    def next_allowed_in(self) -> timedelta:
        return self._table.next_allowed_in()


def pointed(stage: Stage, name: str, fuse: Fuse) -> Stage:
    """The same stage, with its points."""
    return PointedTable(stage, name, fuse) if isinstance(stage, Table) else PointedStage(stage, name, fuse)


class PointedSender:
    """Sends through another sender."""

    def __init__(self, inner: Sender, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        self._fuse("page: before the send")
        receipt = self._inner.send(notice, thread)
        self._fuse("page: after the send")
        return receipt

    def check(self) -> list[str]:
        return self._inner.check()
