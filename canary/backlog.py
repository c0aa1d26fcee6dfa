"""How long a backlog will last: what is worked off against what comes in, and what the topic removes."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from canary.readings import Progress
from canary.scene import span

HINT = "hint"
"""The fact that says where the evidence points; one that has it needs no general advice."""

RATE_OVER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Messages a second; None where nobody can tell yet.

    `room` is how many messages lie between what the topic has removed and the first that is still waited
    for, in the partition where that is least; `removed` is how fast the topic removes there.
    """

    lag: int
    worked_off: float
    coming_in: float | None
    room: int | None = None
    removed: float | None = None
    known_for: timedelta = timedelta(0)
    """How long its pace has been watched."""

    @property
    def ends_in(self) -> timedelta | None:
        """When it is worked off, with what comes in meanwhile; None: not at this rate."""
        net = self.worked_off - (self.coming_in or 0.0)
        return timedelta(seconds=min(self.lag / net, 1e8)) if net > 0 else None

    @property
    def meets_in(self) -> timedelta | None:
        """When the topic removes what is still waited for; None: not at this pace, or it is not known."""
        if self.room is None or self.removed is None or self.removed <= self.worked_off:
            return None
        return timedelta(seconds=min(self.room / (self.removed - self.worked_off), 1e8))


def backlog_of(parts: Iterable[Progress], lag: int | None, now: datetime) -> Backlog | None:
    """Of all partitions of a topic; None where the lag is not known."""
    known = [part for part in parts if part.committed]
    if lag is None or not known:
        return None
    worked_off = sum(_rate(part.committed, part.first_seen, now) or 0.0 for part in known)
    inflow = [_rate([end for _, end in part.ends], [at for at, _ in part.ends], now) for part in known]
    coming_in = None if None in inflow else sum(rate for rate in inflow if rate is not None)
    known_for = min(now - part.first_seen[0] for part in known)
    tight = [part for part in known if part.log_start is not None and part.committed[-1] >= 0]
    if not tight:
        return Backlog(lag, worked_off, coming_in, known_for=known_for)
    least = min(tight, key=_room)
    return Backlog(lag, worked_off, coming_in, _room(least), _removal(least), known_for)


def _room(part: Progress) -> int:
    return max(part.committed[-1] - (part.log_start or 0), 0)


def _removal(part: Progress) -> float | None:
    """The topic removes in pieces, so its pace shows only over two of them."""
    if len(part.removed) < 2:
        return None
    (first, began), (last, ended) = part.removed[0], part.removed[-1]
    seconds = (ended - began).total_seconds()
    return (last - first) / seconds if seconds > 0 else None


def _rate(values: Sequence[int], times: Sequence[datetime], now: datetime) -> float | None:
    """How fast it rose in the last minute, or since it was first read where that is later."""
    if not values:
        return None
    index = max(bisect_right(times, now - RATE_OVER) - 1, 0)
    seconds = min(RATE_OVER, now - times[index]).total_seconds()
    return (values[-1] - max(values[index], 0)) / seconds if seconds > 0 else None


def facts(backlog: Backlog, *, dated: bool = False) -> Iterator[tuple[str, str]]:
    """What a person wants to know of it; `dated` where the end of the oldest message is told besides."""
    yield "consumer lag", f"{backlog.lag} messages"
    if backlog.coming_in is not None:
        rates = f"{_told(backlog.worked_off)} are worked off, {_told(backlog.coming_in)} come in"
        ends = backlog.ends_in
        yield "worked off", f"in about {span(ends)} ({rates})" if ends else f"never at this rate ({rates})"
    if backlog.known_for >= RATE_OVER / 2:
        yield HINT, _hint(backlog)
    meets = backlog.meets_in
    if backlog.room is not None and (meets is not None or not dated):
        told = f"{backlog.room} messages away from what the topic has removed"
        if meets is not None:
            told += f", reached in about {span(meets)} at this pace: then they are lost"
        yield "retention", told


def _hint(backlog: Backlog) -> str:
    if backlog.worked_off <= 0:
        return "the consumer finishes nothing: is it running, and what does its log say?"
    if backlog.ends_in is None:
        return "the consumer works, but more comes in than it works off: look for what slows it down"
    return "the consumer is catching up: see that it stays so"


def _told(rate: float) -> str:
    return f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
