"""Our own time: a clock that can be replaced, and the monotonic line on which ages are measured."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

STEP = timedelta(seconds=1)
"""A difference between wall clock and line that counts as a step of the wall clock."""

MAX_AHEAD = timedelta(days=1)
"""An anchor further ahead of the wall clock than this came from a clock in a wrong year: not trusted."""


class Clock(Protocol):
    """What loops need of time. Rules take `now` instead."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def wall(self) -> datetime:
        """The wall clock, aware UTC. It may step."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)


class Line:
    """Monotonic time written as aware UTC, anchored to the wall clock and moved forward only.

    A step of the wall clock by more than a second starts a new epoch. After a step forward (a machine
    that slept, a clock set right) the line moves up to the wall clock; after a step back it goes on as
    it was, ahead of the wall clock: ids never repeat and no window opens twice.
    """

    def __init__(self, clock: Clock, *, not_before: datetime | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        wall = clock.wall()
        ahead = not_before is not None and not_before > wall
        trusted = ahead and not_before is not None and not_before - wall <= MAX_AHEAD
        anchor = not_before if trusted and not_before is not None else wall
        self._offset = wall - anchor
        self._base = (anchor, clock.monotonic())
        self.epoch = 1
        self.epoch_started_at = anchor
        self.jumped = timedelta(0)  # by how much the line moved up when this epoch began

    def now(self) -> datetime:
        """This instant on our line."""
        anchor, mono = self._base  # one read: another thread may start a new epoch meanwhile
        return anchor + timedelta(seconds=self._clock.monotonic() - mono)

    def instant(self) -> tuple[int, datetime]:
        """The epoch and this instant in it."""
        with self._lock:
            return self.epoch, self.now()

    @property
    def ahead(self) -> timedelta:
        """How far the line is ahead of the wall clock (zero but after a step back)."""
        return max(-self._offset, timedelta(0))

    def check(self) -> timedelta | None:
        """Look for a step of the wall clock; start a new epoch if there was one and say by how much."""
        with self._lock:
            mono, wall = self._clock.monotonic(), self._clock.wall()
            line = self._base[0] + timedelta(seconds=mono - self._base[1])
            step = (wall - line) - self._offset
            self._offset = wall - line  # a slow drift is followed and never adds up to a step
            if abs(step) <= STEP:
                return None
            self.jumped = max(wall - line, timedelta(0))
            if wall > line:
                self._base, line = (wall, mono), wall
                self._offset = timedelta(0)
            self.epoch += 1
            self.epoch_started_at = line
            return step
