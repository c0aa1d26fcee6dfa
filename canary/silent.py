"""The pager of a configuration without Slack, and of a check: it tells nobody."""

from collections.abc import Collection, Sequence
from datetime import datetime

from alerts.condition import Condition


class SilentPager:
    """Keeps the conditions that would have been told, for the page and for `status`."""

    def __init__(self) -> None:
        self.conditions: tuple[Condition, ...] = ()

    def update(self, conditions: Sequence[Condition], *, now: datetime, unknown: Collection[str]) -> object:
        """Take in what is true now."""
        del now, unknown
        self.conditions = tuple(conditions)
        return ()

    def deliver(self, now: datetime) -> bool:
        """There is nobody to tell."""
        del now
        return False

    def check(self) -> list[str]:
        """Nothing can be wrong with it."""
        return []
