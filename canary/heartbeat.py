"""The dead-man's switch: a sign of life that goes out only while windows are really settling."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.alertmanager import AlertmanagerSender
from alerts.delivery import DeliveryError
from canary.clock import Clock
from canary.metrics import Metrics
from canary.values import WindowReport
from canary.watch import Watch

LEAST_SLACK = timedelta(seconds=30)
LIVES = 5
"""A watchdog alert outlives this many beats, so that one lost beat is no alarm."""
SUMMARY = "The ingestion canary settles its windows. Worry when this alert is gone."
STEP = "heartbeat"

_log = logging.getLogger(__name__)


class Beat(Protocol):
    """Somebody who misses us when we fall silent. Each call may raise DeliveryError."""

    def start(self) -> None:
        """We begin."""
        ...

    def success(self) -> None:
        """All is well."""
        ...

    def fail(self, reasons: Sequence[str]) -> None:
        """It is not."""
        ...


@dataclass(frozen=True, slots=True)
class Watchdog:
    """The Alertmanager pattern: an alert that always fires, and ends by itself when we do not renew it."""

    alertmanager: AlertmanagerSender
    every: timedelta

    def start(self) -> None:
        """Nothing is known yet."""

    def success(self) -> None:
        """Renew it."""
        self.alertmanager.watchdog("IngestionCanaryWatchdog", SUMMARY, lifetime=LIVES * self.every)

    def fail(self, reasons: Sequence[str]) -> None:
        """Its absence tells."""
        del reasons


def unsettled(
    probes: Iterable[str],
    latest: Mapping[str, WindowReport],
    *,
    now: datetime,
    since: datetime,
    window: timedelta,
    grace: timedelta,
) -> list[str]:
    """Why windows are not settling as they should, a line a probe; nothing while they are.

    `since`: from when on there could have been windows (the start, or the last step of the clock).
    """
    slack = max(LEAST_SLACK, window)
    found = []
    for probe in probes:
        report = latest.get(probe)
        # The window after the last settled one has to end, wait out its grace, and be settled.
        ended = max(report.end, since) if report is not None else since + window
        late = now - (ended + window + grace + slack)
        if late > timedelta(0):
            last = "none" if report is None else f"{report.start:%Y-%m-%d %H:%M:%S} UTC"
            over = (late + slack).total_seconds()
            found.append(
                f"probe {probe}: no window has settled for {over:.0f} s longer than due (last: {last})"
            )
    return found


class Settling:
    """Whether the watch's windows settle, asked at any time."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._started_at = watch.desk.line.now()

    def __call__(self) -> list[str]:
        """Why not, if so."""
        desk = self._watch.desk
        with desk.lock:
            latest = dict(self._watch.settler.latest)
        return unsettled(
            self._watch.probes,
            latest,
            now=desk.line.now(),
            since=max(self._started_at, desk.line.epoch_started_at or self._started_at),
            window=desk.plan.times.window,
            grace=desk.plan.times.grace,
        )


class Heartbeat:
    """A step of the daemon: tells everybody who listens, each time it is due."""

    def __init__(
        self,
        beats: Mapping[str, Beat],
        *,
        unwell: Callable[[], list[str]],
        every: timedelta,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """`unwell` says why we are not really watching, or nothing."""
        self._beats, self._unwell, self._every = beats, unwell, every.total_seconds()
        self._clock, self._metrics = clock, metrics
        self._due: float | None = None

    def step(self) -> timedelta:
        """Beat where it is time to; return how long until then."""
        now = self._clock.monotonic()
        if self._due is None:
            for name, beat in self._beats.items():
                self._tell(name, beat.start, "start")
            self._due = now
        if now >= self._due:
            self._beat()
            self._due += self._every
            if self._due <= now:
                self._due = now + self._every
        return timedelta(seconds=max(self._due - self._clock.monotonic(), 0.0))

    def _beat(self) -> None:
        reasons = self._unwell()
        for name, beat in self._beats.items():
            if reasons:
                self._tell(name, lambda beat=beat: beat.fail(reasons), "withheld")  # type: ignore[misc]
            elif self._tell(name, beat.success, "sent"):
                moment = self._clock.wall().timestamp()
                self._metrics.gauge("heartbeat_last_sent_timestamp_seconds", name).set(moment)
        if reasons:
            _log.warning("heartbeat: withheld: %s", "; ".join(reasons))

    def _tell(self, name: str, call: Callable[[], None], result: str) -> bool:
        try:
            call()
        except DeliveryError as error:
            _log.warning("heartbeat: %s", error.reason)
            self._metrics.counter("heartbeats_total", name, "failed").inc()
            return False
        if result != "start":
            self._metrics.counter("heartbeats_total", name, result).inc()
        return True
