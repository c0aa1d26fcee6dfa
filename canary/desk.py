"""What the steps share: time, the book, what is not saved yet, and the lock on them."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from canary.book import Book
from canary.clock import Line
from canary.config.alerts import ObjectiveConfig
from canary.ledger import Ledger
from canary.metrics import Metrics
from canary.minutes import Minutes
from canary.probe import Schedule
from canary.readings import StageSpec
from canary.unsaved import Unsaved
from reconcile.compare import Limits


@dataclass(frozen=True, slots=True)
class Plan:
    """What the watch is told once."""

    times: Schedule
    limits: Limits
    down_after: timedelta = timedelta(minutes=5)
    max_events_per_day: int | None = None
    instance: str = ""
    objectives: Sequence[ObjectiveConfig] = ()
    accounts: Mapping[str, int] = field(default_factory=dict)
    """Probe -> which token at which ingress it sends with: equal numbers share one."""


class Desk:
    """Shared by the steps. Take `lock` to touch `book`, `minutes` or `missed`; never while an edge works."""

    def __init__(
        self, *, plan: Plan, stages: Sequence[StageSpec], ledger: Ledger, line: Line, metrics: Metrics
    ) -> None:
        self.plan = plan
        self.line = line
        self.ledger = ledger
        self.metrics = metrics
        self.lock = threading.RLock()
        self.awaited = threading.Event()  # an answer that settling waits for has come
        self.book = Book(stages, epoch_started_at=line.now(), grace=plan.times.grace)
        self.minutes = Minutes(self.book.last, topic=self.book.stages[-1].topic, down_after=plan.down_after)
        self.unsaved = Unsaved(ledger, on_failure=self._ledger_says)
        self.ledger_problem: str | None = None
        self.uncounted = ""
        self.missed: dict[tuple[str, datetime], int] = {}

    def _ledger_says(self, reason: str | None) -> None:
        if reason is not None:
            self.metrics.counter("ledger_errors_total").inc()
        self.metrics.gauge("ledger_up").set(reason is None)
        self.ledger_problem = reason

    def restore(self) -> int:
        """Take up what an earlier run left open; return how many canaries."""
        with self.lock:
            for track in self.ledger.open_tracks(self.line.now()):
                if track.judged is None or not track.judged.final:
                    self.book.restore(track)
            since = self.book.oldest() or self.line.now()
            for name, reading in self.book.readings.items():
                reading.restore(
                    self.ledger.coverage(name), self.ledger.positions(name, since), now=self.line.now()
                )
            return len(self.book.entries)
