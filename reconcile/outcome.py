"""The words of a verdict: receipts, outcomes and flags, and which of them are final."""

from enum import StrEnum


class Receipt(StrEnum):
    """What the ingress said of a canary."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What became of a canary. Exactly one at any instant."""

    REJECTED = "rejected"
    UNDELIVERED = "undelivered"
    ON_TIME = "on_time"
    LATE = "late"
    PENDING = "pending"
    OVERDUE = "overdue"
    LOST = "lost"
    UNREAD = "unread"


class Flag(StrEnum):
    """What else is true of a canary. Any number at once."""

    DUPLICATED = "duplicated"
    CORRUPT = "corrupt"
    OUT_OF_ORDER = "out_of_order"
    DETOURED = "detoured"
    TIME_UNKNOWN = "time_unknown"


ARRIVED = frozenset({Outcome.ON_TIME, Outcome.LATE})
FINAL = ARRIVED | {Outcome.REJECTED, Outcome.UNDELIVERED, Outcome.LOST}
"""Outcomes that end the wait. `unread` joins them once the horizon has passed."""

INGRESS = "ingress"
"""The name of the place where every hop begins."""


def may_become(old: Outcome, new: Outcome) -> bool:
    """Whether a settled canary's outcome may change so. Nothing un-arrives,
    and nothing goes back to waiting for its deadline (which moves when our line is anchored again)."""
    if old in (Outcome.PENDING, Outcome.OVERDUE, Outcome.UNREAD):
        return new not in (old, Outcome.PENDING)
    return old not in ARRIVED and new in ARRIVED


def combined(receipts: list[Receipt]) -> Receipt:
    """The receipt of several tries: accepted if any was, else unknown if any was, else refused."""
    for receipt in (Receipt.ACCEPTED, Receipt.UNKNOWN):
        if receipt in receipts:
            return receipt
    return Receipt.REFUSED
