"""What stands between the pager and a way out: the protocol, its receipt and its error."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.condition import Notice


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message ended up; `thread` is empty where the way out has no threads."""

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
        code: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        """Trying this message again cannot help. (A wrong token is not permanent: it will be put right.)"""
        self.retry_after = retry_after
        self.uncertain = uncertain
        """It may have arrived all the same (the answer was lost), so a next try is marked as a repeat."""
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

    @property
    def done(self) -> bool:
        """Nothing more is owed: it was delivered, or can never be."""
        return self.sent_at is not None or self.given_up_at is not None
