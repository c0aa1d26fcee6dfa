"""What stands between the pager and a way out: the protocol, its receipt and its error."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from alerts.condition import Notice


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message ended up, in the words of the way that took it.

    `thread` is what that way needs to find the incident again; empty where it needs nothing.
    """

    channel: str = ""
    thread: str = ""


class DeliveryError(Exception):
    """A message was not (surely) delivered. The reason never holds a secret."""

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        retry_after: timedelta | None = None,
        uncertain: bool = False,
        broken: bool = False,
        code: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        """Trying this message again cannot help. (A wrong token is not permanent: it will be put right.)"""
        self.retry_after = retry_after
        self.uncertain = uncertain
        """It may have arrived all the same (the answer was lost), so a next try is marked as a repeat."""
        self.broken = broken
        """A person has to put this way out right (token, channel, address) before anything goes through."""
        self.code = code
        """The other side's own word for it, where it gave one."""


class Sender(Protocol):
    """A way out: one message a call, with a deadline of its own."""

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Deliver it, beside the incident's first message where there is one, or raise DeliveryError."""
        ...

    def check(self) -> list[str]:
        """What is wrong with token, channel or rights, in plain words; sends nothing that anyone sees."""
        ...


@runtime_checkable
class Finder(Protocol):
    """A way out that can be asked whether it has a message already."""

    def find(self, notice: Notice, thread: Receipt | None) -> Receipt | None:
        """Where it is; None where it is not there. Raises DeliveryError, `broken` where we may not ask."""
        ...


@runtime_checkable
class Keeper(Protocol):
    """A way out that forgets an incident unless it is told again and again that it is still open."""

    @property
    def every(self) -> timedelta:
        """How often it wants to be told."""
        ...

    def keep(self, live: Sequence[tuple[Notice, Receipt]]) -> None:
        """These are all the incidents it was told of that are still open. Raises DeliveryError."""
        ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in the outbox, with what is known of its delivery."""

    notice: Notice
    attempts: int = 0
    uncertain: bool = False
    """A try was begun, and no answer says that it failed."""
    next_try_at: datetime | None = None
    sent_at: datetime | None = None
    given_up_at: datetime | None = None
    error: str = ""
    receipt: Receipt | None = None
    way: str = ""
    """The name of the way out that took it."""
    refused: tuple[str, ...] = ()
    """The ways out that will never take it; forgotten in a restart, and then learned again."""

    @property
    def done(self) -> bool:
        """Nothing more is owed: it was delivered, or can never be."""
        return self.sent_at is not None or self.given_up_at is not None
