"""The always-on driver: a thread for each edge and step, a calendar for the rest, an orderly end."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from canary.audit.calendar import Calendar
from canary.clock import Clock
from canary.settle import Settled
from canary.watch import Watch

SETTLE = "settle"
SETTLE_EVERY = timedelta(milliseconds=500)
IDLE_PAGE = timedelta(milliseconds=250)
SHORTEST = timedelta(milliseconds=10)
AUDIT_LOOK = timedelta(seconds=5)
"""How often the calendar asks whether an audit is due."""

STUCK_AFTER = timedelta(seconds=30)
GRACE = timedelta(seconds=3)

_log = logging.getLogger(__name__)

Step = Callable[[], timedelta]


class Daemon:
    """Repeats the watch's steps until told to stop, or until one of them fails."""

    def __init__(
        self,
        watch: Watch,
        *,
        clock: Clock,
        on_settled: Sequence[Callable[[Settled], None]] = (),
        audits: Calendar | None = None,
        beside: Mapping[str, Step] | None = None,
    ) -> None:
        self._watch = watch
        self._clock = clock
        self._on_settled = on_settled
        self._audits = audits
        self._beside = dict(beside or {})
        self._stop = threading.Event()
        self._ticks: dict[str, float] = {}
        self._scheduler: BackgroundScheduler | None = None
        self._more: dict[str, Step] = {}
        self._epoch = watch.desk.line.epoch
        self.failure: BaseException | None = None

    def add(self, name: str, step: Step) -> None:
        """Repeat this step too; before `run`."""
        self._more[name] = step

    def run(self) -> None:
        """Work until `stop`; raises what a step raised, for a loop that ended is a monitor that lies."""
        threads = [
            threading.Thread(target=self._loop, args=(name, step), name=name, daemon=True)
            for name, step in self._steps().items()
        ]
        self._arm()
        for thread in threads:
            thread.start()
        self._stop.wait()
        self._end(threads)
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Let every step finish what it is doing, then end. Safe in a signal handler."""
        self._stop.set()
        if self._audits is not None:
            self._audits.stop()
        self._watch.desk.awaited.set()

    def health(self) -> Mapping[str, float]:
        """Seconds since each loop last finished a step."""
        now = self._clock.monotonic()
        return {name: now - tick for name, tick in dict(self._ticks).items()}

    def stuck(self) -> list[str]:
        """The loops that have stopped ticking."""
        ages = self.health()
        limit = STUCK_AFTER.total_seconds()
        return [
            f"the step {name!r} has not ticked for {age:.0f} s" for name, age in ages.items() if age > limit
        ]

    def unready(self) -> list[str]:
        """Why the daemon does not watch everything: stuck steps, stages that cannot be read, no ledger."""
        desk = self._watch.desk
        blind = [f"{name}: {r.blind}" for name, r in list(desk.book.readings.items()) if r.blind]
        trouble = desk.ledger_problem
        ledger = [f"ledger: {trouble.removeprefix('ledger: ')}"] if trouble else []
        return [*self.stuck(), *blind, *ledger]

    def _steps(self) -> dict[str, Step]:
        watch = self._watch
        steps: dict[str, Step] = {SETTLE: self._settle, "page": self._page, **self._more}
        for probe in watch.probes:
            steps[f"inject {probe}"] = lambda probe=probe: watch.inject(probe)  # type: ignore[misc]
        for stage in watch.stages:
            steps[f"follow {stage}"] = lambda stage=stage: watch.follow(stage)  # type: ignore[misc]
        return steps | self._beside

    def _loop(self, name: str, step: Step) -> None:
        self._ticks[name] = self._clock.monotonic()
        wake = self._watch.desk.awaited if name == SETTLE else self._stop
        self._watch.desk.metrics.gauge("step_age_seconds", name).set_function(lambda: self.health()[name])
        try:
            while not self._stop.is_set():
                pause = step()
                self._ticks[name] = self._clock.monotonic()
                if pause > timedelta(0):
                    wake.wait(max(min(pause, timedelta(seconds=1)), SHORTEST).total_seconds())
        except BaseException as error:
            _log.exception("the step %r failed; the daemon ends. This is a bug.", name)
            self.failure = error
            self._stop.set()

    def _settle(self) -> timedelta:
        self._watch.desk.awaited.clear()
        settled = self._watch.settle()
        for tell in self._on_settled:
            tell(settled)
        if self._watch.desk.line.epoch != self._epoch:
            self._epoch = self._watch.desk.line.epoch
            self._arm()
        due = self._watch.settles_in()
        return SETTLE_EVERY if due is None or due <= timedelta(0) else min(SETTLE_EVERY, due)

    def _page(self) -> timedelta:
        return timedelta(0) if self._watch.page() else IDLE_PAGE

    def _arm(self) -> None:
        """Start the calendar, anew after every step of the wall clock that it lives by."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
        self._scheduler = BackgroundScheduler(daemon=True, timezone="UTC")
        self._scheduler.add_job(
            self._watch.prune, "interval", seconds=20, max_instances=1, coalesce=True, misfire_grace_time=60
        )
        if self._audits is not None:
            self._scheduler.add_job(
                self._audit,
                "interval",
                seconds=AUDIT_LOOK.total_seconds(),
                max_instances=1,
                coalesce=True,
                misfire_grace_time=60,
            )
        self._scheduler.start()

    def _audit(self) -> None:
        """What is due of the audits, in a thread of the calendar's."""
        try:
            if self._audits is not None and not self._stop.is_set():
                self._audits.step()
        except BaseException as error:
            _log.exception("the step 'audit' failed; the daemon ends. This is a bug.")
            self.failure = error
            self.stop()

    def _end(self, threads: list[threading.Thread]) -> None:
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
        deadline = self._clock.monotonic() + GRACE.total_seconds()
        for thread in threads:
            thread.join(max(deadline - self._clock.monotonic(), 0.01))
        self._watch.save()
        self._watch.close_soon()
