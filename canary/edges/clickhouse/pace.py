"""The guest's limit: how often one table may be asked."""

import threading
from datetime import datetime, timedelta

from canary.values import Now


class Pace:
    """Gives out slots that are at least `every` apart, whoever asks."""

    def __init__(self, every: timedelta, now: Now) -> None:
        self._every = every
        self._now = now
        self._lock = threading.Lock()
        self._next = now()

    def next_in(self) -> timedelta:
        """How long until the next free slot."""
        return max(timedelta(0), self._next - self._now())

    def take(self) -> bool:
        """Use a slot if one is free at this moment."""
        with self._lock:
            now = self._now()
            if self._next > now:
                return False
            self._next = now + self._every
            return True

    def used(self, at: datetime) -> None:
        """The slot was used only now, after connecting: the next one keeps its distance from here."""
        with self._lock:
            self._next = max(self._next, at + self._every)

    def reserve(self, *, at_most: timedelta) -> timedelta | None:
        """Book the next free slot and say how long to wait for it; None when that would be too long."""
        with self._lock:
            now = self._now()
            wait = max(timedelta(0), self._next - now)
            if wait > at_most:
                return None
            self._next = now + wait + self._every
            return wait
