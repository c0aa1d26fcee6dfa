"""What is known of the real traffic beside the audits by offset: counters, samples and delays.

Every comparison tells its windows here. They are written to the ledger, and kept in mind for the rules while
they are fresh.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from canary.audit.standing import Standing
from canary.ledger import Ledger, LedgerError
from canary.traffic import TrafficWindow
from canary.values import Now

Key = tuple[str, str]

_log = logging.getLogger("canary")


@dataclass(frozen=True, slots=True)
class Beside:
    """One comparison now: its fresh windows, oldest first, the last one in words, and why it cannot be made
    (since when)."""

    kind: str
    place: str
    windows: Sequence[TrafficWindow] = ()
    line: str = ""
    trouble: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Real:
    """All that is known of the real traffic now."""

    audits: Sequence[Standing] = ()
    beside: Sequence[Beside] = ()


class Hears(Protocol):
    """Hears of one comparison."""

    def found(self, window: TrafficWindow, line: str) -> None:
        """A window is done; `line` tells it to a person, "" where it is no news."""
        ...

    def blind(self, reason: str) -> None:
        """Why it cannot be made now; "" when it can be again."""
        ...


class Keeper:
    """Keeps what all comparisons told. Any thread may call it."""

    def __init__(self, ledger: Ledger, *, fresh_for: timedelta, now: Now) -> None:
        self._ledger = ledger
        self._fresh_for = fresh_for
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[Key, Beside] = {}
        self._unsaved: dict[tuple[str, str, datetime], TrafficWindow] = {}

    def of(self, kind: str, place: str) -> Hears:
        """Who hears of one comparison. From now on it is known to be made."""
        with self._lock:
            self._known[kind, place] = Beside(kind, place)
        return _Place(self, (kind, place))

    def standing(self) -> list[Beside]:
        """What is known now, for the rules: windows that ended long ago say nothing of now."""
        since = self._now() - self._fresh_for
        with self._lock:
            return [
                replace(one, windows=tuple(w for w in one.windows if w.told_at >= since))
                for one in self._known.values()
            ]

    def found(self, key: Key, window: TrafficWindow, line: str) -> None:
        """Keep a window."""
        since = self._now() - self._fresh_for
        with self._lock:
            one = self._known[key]
            fresh = [w for w in one.windows if w.told_at >= since and w.start != window.start]
            windows = sorted((*fresh, window), key=lambda w: w.start)
            self._known[key] = replace(one, windows=tuple(windows), line=line or one.line)
            self._unsaved[*key, window.start] = window
        self._save()

    def blind(self, key: Key, reason: str) -> bool:
        """Keep why a comparison cannot be made; whether that is news."""
        now = self._now()
        with self._lock:
            one = self._known[key]
            since = (one.since or now) if reason else None
            self._known[key] = replace(one, trouble=reason, since=since)
        return reason != one.trouble

    def _save(self) -> None:
        """Write what is not yet in the ledger; kept in mind where that fails."""
        with self._lock:
            owed = dict(self._unsaved)
        try:
            with self._ledger.step() as step:
                step.record_traffic(owed.values())
        except LedgerError as error:
            _log.warning("a window of the real traffic could not be written down: %s", error)
            return
        with self._lock:
            for key, window in owed.items():
                if self._unsaved.get(key) is window:
                    del self._unsaved[key]


@dataclass(frozen=True, slots=True)
class _Place:
    keeper: Keeper
    key: Key

    def found(self, window: TrafficWindow, line: str) -> None:
        if line:
            _log.info("%s", line)
        self.keeper.found(self.key, window, line)

    def blind(self, reason: str) -> None:
        if self.keeper.blind(self.key, reason) and reason:
            _log.warning("%s of the real traffic, %s: %s", *self.key, reason)
