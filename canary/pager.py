"""What the story asks of whoever tells people."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from alerts.condition import Amendment, Condition


class Pager(Protocol):
    """Who tells people. Decides at once, delivers in its own step."""

    def update(self, conditions: Sequence[Condition], *, now: datetime, unknown: Collection[str]) -> object:
        """Take in everything that is true now, and the keys whose truth cannot be told."""
        ...

    def amend(self, amendments: Sequence[Amendment], *, now: datetime) -> None:
        """Take in what turned out otherwise than was told; the same again does no harm."""
        ...

    def deliver(self, now: datetime) -> bool:
        """Deliver one message that is owed; say whether there may be more to do."""
        ...

    def owed(self) -> int:
        """How many messages wait for delivery."""
        ...

    def silence(self, now: datetime) -> str:
        """Why nobody has been told for long what they are owed; "" where they have."""
        ...

    def check(self) -> list[str]:
        """What is wrong with the way out; asks it."""
        ...

    def prune(self, now: datetime) -> int:
        """Forget a bite of what was told long ago; how much that was."""
        ...
