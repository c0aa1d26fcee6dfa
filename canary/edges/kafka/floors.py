"""Where a topic stood when: offsets that nothing which arrives later can lie below; pure, no Kafka in it.

A watermark answered at a moment is a floor for all that arrives after it: whatever was appended later has
that offset or a higher one. So a canary sent after that moment can be looked for from there, and reading
on from there covers the partition since then. No record's time is trusted.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

Place = tuple[str, int]

FINE = timedelta(minutes=5)
"""So far back every floor is kept; further back one in `COARSE`."""

COARSE = timedelta(seconds=30)
MANY = 1500


@dataclass(frozen=True, slots=True)
class Floor:
    """All that arrives after `at` (our line) has at least these offsets; 0 in partitions not named."""

    at: datetime
    offsets: Mapping[Place, int]

    def offset(self, place: Place) -> int:
        """Where to begin in one partition."""
        return self.offsets.get(place, 0)


class Floors:
    """The floors in the order of their times."""

    def __init__(self) -> None:
        self._kept: list[Floor] = []

    def learn(self, at: datetime, ends: Mapping[Place, int]) -> None:
        """Take watermarks that were answered by `at`. A partition that was not told keeps what it had."""
        last = self._kept[-1].offsets if self._kept else {}
        told = {place: max(end, last.get(place, 0)) for place, end in ends.items()}
        self._kept.append(Floor(at, {**last, **told}))
        if len(self._kept) > MANY:
            self._thin(at)

    def went_back(self, ends: Mapping[Place, int]) -> bool:
        """Whether these watermarks, asked for just now, lie below what was told before."""
        last = self._kept[-1].offsets if self._kept else {}
        return any(end < last.get(place, 0) for place, end in ends.items())

    def _thin(self, now: datetime) -> None:
        kept: list[Floor] = []
        for floor in self._kept:
            if not kept or now - floor.at < FINE or floor.at - kept[-1].at >= COARSE:
                kept.append(floor)
        self._kept = kept

    def before(self, moment: datetime) -> Floor | None:
        """The latest floor of what arrives after `moment`; None where the topic was not known by then."""
        index = bisect_right(self._kept, moment, key=lambda floor: floor.at)
        return self._kept[index - 1] if index else None

    def forget(self, before: datetime) -> None:
        """Drop what nothing sent at or after `before` needs."""
        index = bisect_right(self._kept, before, key=lambda floor: floor.at)
        del self._kept[: max(index - 1, 0)]

    def clear(self) -> None:
        """Offsets mean something else now."""
        self._kept.clear()
