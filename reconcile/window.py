"""Tumbling windows of the canary's own time, and the sum law that every one of them keeps."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from reconcile.compare import Hop, Verdict
from reconcile.outcome import Flag, Outcome

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window_of(at: datetime, width: timedelta) -> datetime:
    """The start of the half-open window `[start, start + width)` that holds `at`."""
    return at - (at - _EPOCH) % width


def deadline_of(start: datetime, *, width: timedelta, grace: timedelta) -> datetime:
    """When the canaries of a window become overdue."""
    return start + width + grace


def tally(verdicts: Iterable[Verdict]) -> tuple[dict[Outcome, int], dict[Flag, int], dict[Hop, int]]:
    """Counts by outcome (all eight, zeros too), by flag, and losses by hop."""
    outcomes = dict.fromkeys(Outcome, 0)
    flags = dict.fromkeys(Flag, 0)
    hops: Counter[Hop] = Counter()
    for verdict in verdicts:
        outcomes[verdict.outcome] += 1
        for flag in verdict.flags:
            flags[flag] += 1
        if verdict.outcome is Outcome.LOST and verdict.hop is not None:
            hops[verdict.hop] += 1
    return outcomes, flags, dict(hops)


def unbalanced(sent: int, outcomes: Mapping[Outcome, int]) -> int:
    """Sent less the sum of all outcomes: 0, or this is a bug."""
    return sent - sum(outcomes.values())
