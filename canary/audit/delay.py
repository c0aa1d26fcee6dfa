"""The delay of the real traffic, window by window, beside the canaries' latency."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from canary.audit.beside import Hears
from canary.compared import TableTroubleError
from canary.delays import Delay
from canary.metrics import Metrics
from canary.traffic import DELAY, TrafficWindow
from canary.values import Now
from reconcile.window import window_of

REST = timedelta(seconds=1)
TOLERATED = 0.01
"""The share of late rows from which on a window is degraded: its p99 is over the objective."""


class Measured(Protocol):
    """A table that can tell how long its rows were under way."""

    name: str

    def measure(self, start: datetime, end: datetime) -> Delay:
        """Of the rows that came in `[start, end)`. Raises TableTroubleError."""
        ...


class DelayAudit:
    """One question a window, asked `after` its end, when the canaries' windows are settled too.

    `canaries` tells their latency in the window of a start, by quantile; nothing where there is none. A
    window that could not be asked is told and not asked again: the next one is due.
    """

    def __init__(
        self,
        table: Measured,
        *,
        window: timedelta,
        after: timedelta,
        now: Now,
        metrics: Metrics,
        canaries: Callable[[datetime], Mapping[str, float]],
        hears: Hears,
    ) -> None:
        self._table = table
        self._window = window
        self._after = after
        self._now = now
        self._metrics = metrics
        self._canaries = canaries
        self._hears = hears
        self._next = window_of(now(), window)

    def step(self) -> timedelta:
        """Measure the window that is due, if one is; how long until the next."""
        now = self._now()
        due = self._next + self._window + self._after
        if now < due:
            return min(due - now, REST)
        start = max(self._next, window_of(now - self._window - self._after, self._window))
        self._next = start + self._window
        try:
            delay = self._table.measure(start, self._next)
        except TableTroubleError as trouble:
            self._metrics.gauge("delay_blind", self._table.name).set(1)
            self._hears.blind(trouble.reason)
            return timedelta(0)
        self._hears.blind("")
        self._measured(delay, now)
        return timedelta(0)

    def _measured(self, delay: Delay, now: datetime) -> None:
        name = self._table.name
        self._metrics.gauge("delay_blind", name).set(0)
        self._metrics.counter("delay_rows_total", name).inc(delay.rows)
        for quantile, seconds in delay.seconds.items():
            self._metrics.gauge("delay_seconds", name, quantile).set(seconds)
        self._metrics.counter("delay_late_rows_total", name).inc(delay.late)
        canaries = self._canaries(delay.start)
        window = TrafficWindow(
            DELAY,
            name,
            delay.start,
            delay.end,
            now,
            "degraded" if delay.late > TOLERATED * delay.rows else "ok",
            {
                "rows": delay.rows,
                "late": delay.late,
                "late_after": delay.late_after.total_seconds(),
                "unknown": delay.unknown,
                "negative": delay.negative,
                "seconds": dict(delay.seconds),
                "canaries": dict(canaries),
            },
        )
        # a window without real traffic is no news
        self._hears.found(window, line(name, delay, canaries) if delay.rows else "")


def line(name: str, delay: Delay, canaries: Mapping[str, float]) -> str:
    """One window for a person."""
    head = f"delay into {name} {delay.start:%H:%M:%S}: {delay.rows} rows"
    odd = [f"{delay.late} late"] if delay.late else []
    odd += [f"{delay.unknown} without a time"] if delay.unknown else []
    odd += [f"{delay.negative} before they were sent (clocks differ)"] if delay.negative else []
    rest = f" ({', '.join(odd)})" if odd else ""
    real = _told(delay.seconds)
    beside = _told(canaries)
    return f"{head}{rest}{', ' + real if real else ''}{'; canaries ' + beside if beside else ''}"


def _told(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {seconds[name]:.2f} s" for name in ("p50", "p99", "max") if name in seconds)
