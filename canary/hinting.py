"""What to look at next, by kind of fault: added to what people are told where no evidence points anywhere."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from alerts.condition import Amendment, Condition
from canary.backlog import HINT
from canary.fault import HINTS
from canary.pager import Pager

FACT = "look at"
KINDS = {"behind": "overdue"}
"""Kinds of conditions that `check` knows by another name."""


def hinted(condition: Condition) -> Condition:
    """The condition with its hint; as it is where there is none for its kind."""
    kind = condition.key.partition(":")[0]
    hint = HINTS.get(KINDS.get(kind, kind))
    if hint is None or any(name == HINT for name, _ in condition.facts):  # one that has evidence is better
        return condition
    return replace(condition, facts=(*condition.facts, (FACT, hint)))


class HintingPager:
    """A pager whose messages say what to look at."""

    def __init__(self, inner: Pager) -> None:
        self._inner = inner

    def update(self, conditions: Sequence[Condition], *, now: datetime, unknown: Collection[str]) -> object:
        """Pass on what is true now."""
        return self._inner.update([hinted(one) for one in conditions], now=now, unknown=unknown)

    def amend(self, amendments: Sequence[Amendment], *, now: datetime) -> None:
        """As it is."""
        self._inner.amend(amendments, now=now)

    def deliver(self, now: datetime) -> bool:
        """As it is."""
        return self._inner.deliver(now)

    def owed(self) -> int:
        """As it is."""
        return self._inner.owed()

    def silence(self, now: datetime) -> str:
        """As it is."""
        return self._inner.silence(now)

    def check(self) -> list[str]:
        """As it is."""
        return self._inner.check()

    def prune(self, now: datetime) -> int:
        """As it is."""
        return self._inner.prune(now)
