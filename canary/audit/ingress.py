"""Before Kafka: what the ingress says it took in and dropped, against how far its topics grew.

Counters are read often, so that a restart between two readings hides little; a window closes at the first
readings past its end in which everything could be read. Where something could not, the window grows longer
rather than being guessed at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from canary.audit.beside import Hears
from canary.counted import CounterTroubleError, Ends, Replica
from canary.metrics import Metrics
from canary.traffic import COUNTED, TrafficWindow
from canary.values import Now
from reconcile.counters import Balance, Counters, Growth, Names, balance, growth
from reconcile.window import window_of

VERDICTS = {"adds up": "ok", "more": "ok", "missing": "degraded", "uncertain": "unknown"}
"""Counters prove no loss: what is missing is degraded, and never a fault."""


@dataclass(frozen=True, slots=True)
class IngressWindow:
    """One closed window. `trouble` names what could not be read in between."""

    start: datetime
    end: datetime
    balance: Balance
    trouble: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For reports; keys may be added."""
        told = self.balance
        return {
            "received": told.received,
            "dropped": dict(told.dropped),
            "appended": told.appended,
            "left": told.left,
            "error": told.error,
            "state": told.state,
            "restarts": told.restarts,
            "trouble": list(self.trouble),
        }

    def line(self) -> str:
        """For a person."""
        told = self.balance
        causes = ", ".join(
            f"{value:.0f} {cause or 'without a cause'}" for cause, value in told.dropped.items()
        )
        dropped = f", dropped {causes}" if causes else ""
        again = f"; {told.restarts} restarts of its counters" if told.restarts else ""
        return (
            f"ingress {self.start:%H:%M:%S} to {self.end:%H:%M:%S}: received {told.received:.0f}{dropped}, "
            f"appended {told.appended}, left {told.left:.0f} ± {told.error:.0f}: {told.state}{again}"
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """Everything at one time, bracketed: it was read between `started` and `ended`."""

    started: datetime
    ended: datetime
    ends: dict[tuple[str, int], int]


class IngressAudit:
    """Reads, adds up, and closes windows. One thread."""

    def __init__(
        self,
        replicas: Sequence[Replica],
        topics: Ends,
        names: Names,
        *,
        window: timedelta,
        every: timedelta,
        under_way: timedelta,
        now: Now,
        metrics: Metrics,
        place: str,
        hears: Hears,
    ) -> None:
        self._replicas = replicas
        self._topics = topics
        self._names = names
        self._window = window
        self._every = every
        self._under_way = under_way
        self._now = now
        self._metrics = metrics
        self._place = place
        self._hears = hears
        self._last: dict[str, Counters] = {}
        self._grown = Growth()
        self._opened: _Reading | None = None
        self._trouble: list[str] = []

    def step(self) -> timedelta:
        """One reading of everything; how long until the next is due."""
        started = self._now()
        whole = self._read_counters()
        ends = self._ends() if whole and self._due(started) else None
        ended = self._now()
        if ends is not None:
            reading = _Reading(started, ended, ends)
            if self._opened is not None:
                self._close(self._opened, reading)
            self._opened, self._grown, self._trouble = reading, Growth(), []
        self._metrics.gauge("ingress_blind").set(0 if not self._trouble else 1)
        self._hears.blind("; ".join(self._trouble))
        return max(timedelta(0), min(self._every, self._next_end(ended) - ended))

    def _due(self, now: datetime) -> bool:
        return self._opened is None or window_of(now, self._window) > window_of(
            self._opened.started, self._window
        )

    def _next_end(self, now: datetime) -> datetime:
        return window_of(now, self._window) + self._window

    def _read_counters(self) -> bool:
        whole = True
        for replica in self._replicas:
            try:
                counters = replica.read()
            except CounterTroubleError as error:
                self._noted(str(error))
                whole = False
                continue
            before = self._last.get(replica.url)
            if before is not None:
                self._grown += growth(before, counters)
            self._last[replica.url] = counters
        return whole

    def _ends(self) -> dict[tuple[str, int], int] | None:
        try:
            return self._topics.ends()
        except CounterTroubleError as error:
            self._noted(str(error))
            return None

    def _noted(self, trouble: str) -> None:
        if trouble not in self._trouble:
            self._trouble.append(trouble)

    def _close(self, opened: _Reading, closed: _Reading) -> None:
        """Counters and ends were read somewhere inside of either bracket, and an event takes its time from
        being counted to being in the topic."""
        length = (closed.started - opened.started).total_seconds()
        open_for = opened.ended - opened.started + closed.ended - closed.started + self._under_way
        slack = min(1.0, open_for.total_seconds() / length) if length > 0 else 1.0
        told = balance(self._grown, _appended(opened.ends, closed.ends), self._names, slack=slack)
        window = IngressWindow(opened.started, closed.started, told, tuple(self._trouble))
        self._count(told)
        self._hears.found(
            TrafficWindow(
                COUNTED,
                self._place,
                window.start,
                window.end,
                closed.ended,
                VERDICTS[told.state],
                window.as_json(),
            ),
            window.line(),
        )

    def _count(self, told: Balance) -> None:
        self._metrics.counter("ingress_received_total").inc(told.received)
        self._metrics.counter("ingress_appended_total").inc(told.appended)
        for cause, value in told.dropped.items():
            self._metrics.counter("ingress_dropped_total", cause or "unknown").inc(value)
        self._metrics.gauge("ingress_left").set(told.left)
        self._metrics.gauge("ingress_left_error").set(told.error)


def _appended(before: dict[tuple[str, int], int], after: dict[tuple[str, int], int]) -> int:
    """A partition whose end fell is a topic made again: it begins at 0, as a new one does."""
    total = 0
    for place, end in after.items():
        known = before.get(place, 0)
        total += end - known if end >= known else end
    return total
