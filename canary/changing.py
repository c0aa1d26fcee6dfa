"""The step that asks the parts of the pipeline, rarely, how they are made, and keeps what changed in them."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from canary.background import Background, Warned
from canary.described import CannotTellError, Change, Description, Keeps, changes
from canary.ledger import Ledger, LedgerError
from canary.remembering import from_plain, to_plain
from canary.values import Now

TICK = timedelta(seconds=1)
MOST_SERVERS = 16
"""So many servers behind one address are remembered, the youngest."""
KEPT = timedelta(hours=24)
"""Changes in mind; the ledger has them for longer."""
PRESSED = timedelta(minutes=10)
"""So long after something new went wrong the parts are asked more often."""
ONCE = timedelta(minutes=1)
"""The same told twice within this is one change."""


class Describes(Protocol):
    """A part that can be asked how it is made."""

    def describe(self, since: datetime, *, trouble: bool) -> Description:
        """As it is now, and what was done to it since a time. Raises `CannotTellError`."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each part is asked: as a rule, and while something has just gone wrong. How long before a
    fault a change counts."""

    every: timedelta = timedelta(minutes=5)
    in_trouble: timedelta = timedelta(seconds=30)
    within: timedelta = timedelta(hours=1)


@dataclass(slots=True)
class _Part:
    """What was last said, by which server; the text of why it could not be asked."""

    describes: Describes
    asked_at: datetime | None = None
    said: dict[str, Description] = field(default_factory=dict)
    problem: str = ""


class Observer:
    """Asks one part a step. One thread steps; `background` may be read from any."""

    def __init__(
        self,
        parts: Mapping[str, Describes],
        *,
        pace: Pace,
        trouble: Callable[[], AbstractSet[str]],
        ledger: Ledger,
        now: Now,
        tell: Callable[[str], object],
    ) -> None:
        self._parts = {name: _Part(one) for name, one in parts.items()}
        self._pace = pace
        self._trouble = trouble
        self._ledger = ledger
        self._now = now
        self._tell = tell
        self._known_trouble: AbstractSet[str] = frozenset()
        self._pressed_until: datetime | None = None
        self._changes: list[Change] = []
        self._unsaved: list[Change] = []
        self._keeps: dict[str, Keeps] = {}
        self._warned: dict[str, Warned] = {}
        self.background = Background(within=pace.within)

    def restore(self) -> None:
        """Take up what an earlier run was told, so that what changed meanwhile shows."""
        now = self._now()
        try:
            self._changes = self._ledger.changes(now - KEPT)
            for name, part in self._parts.items():
                part.said = from_plain(self._ledger.value(_key(name)))
        except LedgerError as error:
            self._tell(f"what the parts said before cannot be read: {error}")
        self._publish()

    def ourselves(self, now: Description) -> None:
        """Hold our own version and settings against those of the run before; at the start.

        What is found was changed while we were stopped, and takes effect now.
        """
        try:
            before = from_plain(self._ledger.value(_key(""))).get(now.who)
        except LedgerError as error:
            self._tell(f"our own settings of before cannot be read: {error}")
            return
        found = changes("", before, now) if before is not None else []
        self._note("", [replace(one, since=now.at, until=now.at) for one in found])
        self._save("", {now.who: now})

    def step(self) -> timedelta:
        """Ask the part that is most overdue, if one is; return how long until another look is worth it."""
        now, trouble = self._now(), self._trouble()
        if trouble - self._known_trouble:  # what is wrong for days is no reason to ask more often for days
            self._pressed_until = now + PRESSED
        self._known_trouble = trouble
        pressed = trouble and self._pressed_until is not None and now < self._pressed_until
        gap = self._pace.in_trouble if pressed else self._pace.every
        due = [
            (part.asked_at or datetime.min.replace(tzinfo=now.tzinfo), name)
            for name, part in self._parts.items()
            if part.asked_at is None or now - part.asked_at >= gap
        ]
        if not due:
            return TICK
        name = min(due)[1]
        self._ask(name, self._parts[name], trouble=bool(trouble))
        return TICK if len(due) == 1 else timedelta(0)

    def _ask(self, name: str, part: _Part, *, trouble: bool) -> None:
        now = part.asked_at = self._now()
        last = max((one.at for one in part.said.values()), default=now - self._pace.within)
        since = max(last - ONCE, now - KEPT)  # logs are written a little late
        try:
            told = part.describes.describe(since, trouble=trouble)
        except CannotTellError as error:
            if part.problem != str(error):
                self._tell(f"what changed in {name} cannot be told: {error}")
            part.problem = str(error)
            return
        part.problem = ""
        self._learn(name, part, told)

    def _learn(self, name: str, part: _Part, told: Description) -> None:
        found = changes(name, part.said.pop(told.who, None), told)
        part.said[told.who] = told
        for who in list(part.said)[:-MOST_SERVERS]:
            del part.said[who]
        if told.keeps is not None:
            self._keeps[name] = told.keeps
        self._warned.pop(name, None)
        if told.warned_since is not None:
            self._warned[name] = Warned(told.warned_since, told.warned)
        self._note(name, found)
        self._save(name, part.said)

    def _note(self, name: str, found: Sequence[Change]) -> None:
        """Add what is not known yet: logs are read with an overlap, and replicas tell the same."""
        since = self._now() - KEPT
        young = [one for one in found if one.until >= since]
        fresh = [one for one in young if not any(_same(one, known) for known in self._changes)]
        for one in fresh:
            self._tell(f"{name or 'this monitor'} changed: {one.told}")
        self._changes = [one for one in (*self._changes, *fresh) if one.until >= since]
        self._unsaved += fresh
        self._publish()

    def _publish(self) -> None:
        self.background = Background(
            changes=tuple(self._changes),
            keeps=dict(self._keeps),
            warned=dict(self._warned),
            within=self._pace.within,
        )

    def _save(self, name: str, said: Mapping[str, Description]) -> None:
        """What cannot be written now is written with the next reading."""
        try:
            with self._ledger.step() as step:
                step.record_changes(self._unsaved)
                step.set_value(_key(name), to_plain(said))
        except LedgerError:
            return
        self._unsaved = []


def _same(one: Change, known: Change) -> bool:
    return (one.stage, one.told) == (known.stage, known.told) and abs(one.until - known.until) < ONCE


def _key(name: str) -> str:
    return f"described:{name}"
