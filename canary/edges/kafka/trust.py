"""Whether keys lead canaries where they should, and whether a topic is busy; pure, no Kafka in it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from canary.edges.kafka.floors import Place

Reading = Literal["auto", "full", "targeted", "on_demand"]

RATE_OVER = timedelta(seconds=10)
CALM = 0.7
"""A topic is called quiet again below this share of the rate above which it is busy,"""

CALM_TIMES = 3
"""and only when that was measured so many times in a row."""

ASTRAY = 3
"""So many canaries in a row that arrived, and were not where their key leads, prove the key wrong."""

RIGHT_AGAIN = 1000
RIGHT_FOR = timedelta(minutes=30)
"""Keys found wrong are believed again after so many that were right, and so long after the last wrong one."""


@dataclass(slots=True)
class Trust:
    """Whether predictions of partitions can be believed; `astray` counts those that were wrong."""

    believed: bool = True
    astray: int = 0
    _missed: int = 0
    _right: int = 0
    _wrong_at: datetime | None = None

    def right(self, now: datetime) -> bool:
        """One canary was where its key leads; True where that restores the belief."""
        self._missed = 0
        self._right += 1
        since = self._wrong_at
        if self.believed or self._right < RIGHT_AGAIN or (since is not None and now - since < RIGHT_FOR):
            return False
        self.believed = True
        return True

    def wrong(self, now: datetime) -> bool:
        """One canary was seen in another partition; True where that ends the belief."""
        self.astray += 1
        self._right, self._wrong_at = 0, now
        ended, self.believed = self.believed, False
        return ended

    def missing(self, now: datetime) -> bool:
        """One arrived and was not where its key leads, nor seen elsewhere; True where the belief ends."""
        self._missed += 1
        if self._missed < ASTRAY:
            self.astray += 1
            return False
        self._missed = 0
        return self.wrong(now)


class Rate:
    """Whether a topic is busy, by how fast its ends grow."""

    def __init__(self, above: float) -> None:
        self.busy = False
        self.rate: float | None = None
        self._above = above
        self._calm = 0
        self._known: deque[tuple[datetime, Mapping[Place, int]]] = deque(maxlen=1)

    def learn(self, at: datetime, ends: Mapping[Place, int]) -> bool:
        """Take the ends as they were at a time; True where the topic became busy or quiet."""
        if not self._known:
            self._known.append((at, dict(ends)))
            return False
        since, before = self._known[0]
        if at - since < RATE_OVER:
            return False
        self._known.append((at, dict(ends)))
        grown = sum(max(end - before[place], 0) for place, end in ends.items() if place in before)
        self.rate = grown / (at - since).total_seconds()
        was = self.busy
        self._calm = self._calm + 1 if self.rate < CALM * self._above else 0
        self.busy = self.rate > self._above or (was and self._calm < CALM_TIMES)
        return self.busy is not was
