"""What has been read: intervals of our own time, per partition, and how far back they reach."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Interval:
    """Everything that arrived from `since` to `until` has been read."""

    since: datetime
    until: datetime


def extended(intervals: Sequence[Interval], new: Interval) -> tuple[Interval, ...]:
    """The intervals with one more, joined where they touch, in order of time."""
    if intervals and intervals[-1].since <= new.since <= intervals[-1].until:
        last = intervals[-1]
        return (*intervals[:-1], Interval(last.since, max(last.until, new.until)))
    merged: list[Interval] = []
    for item in sorted((*intervals, new), key=lambda i: i.since):
        if merged and item.since <= merged[-1].until:
            merged[-1] = Interval(merged[-1].since, max(merged[-1].until, item.until))
        else:
            merged.append(item)
    return tuple(merged)


def covered_until(intervals: Sequence[Interval], since: datetime) -> datetime | None:
    """Up to when reading went on without a gap, from `since`; None if `since` itself is not covered."""
    for item in reversed(intervals):
        if item.since <= since:
            return item.until if since <= item.until else None
    return None


def all_covered_until(partitions: Iterable[Sequence[Interval]], since: datetime) -> datetime | None:
    """Up to when every partition was read from `since`; None if one was not, or if there are none."""
    ends = [covered_until(intervals, since) for intervals in partitions]
    known = [end for end in ends if end is not None]
    return min(known) if known and len(known) == len(ends) else None


def common(partitions: Sequence[Sequence[Interval]]) -> Interval | None:
    """What the latest intervals of all partitions share: from any time in it on, every one was read to its
    end. None where they share nothing, or where a partition has none."""
    if not partitions or not all(partitions):
        return None
    since = max(intervals[-1].since for intervals in partitions)
    until = min(intervals[-1].until for intervals in partitions)
    return Interval(since, until) if since <= until else None


def kept(intervals: Sequence[Interval], since: datetime) -> tuple[Interval, ...]:
    """The intervals that still matter to anything sent at or after `since`."""
    return tuple(item for item in intervals if item.until >= since) or tuple(intervals[-1:])
