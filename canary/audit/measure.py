"""Audits as metrics: counters of what is final, gauges of what stands open."""

from collections.abc import Mapping

from canary.audit.report import Cost, Report
from canary.metrics import Metrics
from canary.traffic import AuditWindow
from reconcile.traffic import UNSETTLED, Fate


class Measure:
    """Takes in every audit. A fate that changed is counted where it went to; counters never go down."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def __call__(self, report: Report, before: AuditWindow | None, verdict: str) -> None:
        metrics, stage = self._metrics, report.stage
        was = before.counts if before is not None else {}
        for fate in Fate:
            number = report.counts.get(fate, 0)
            if fate not in UNSETTLED:
                metrics.counter("audit_events_total", stage, fate).inc(
                    max(number - was.get(fate.value, 0), 0)
                )
        if before is None:
            metrics.counter("audit_windows_total", stage, verdict).inc()
            metrics.counter("audit_rows_total", stage, "mergeable").inc(report.twice.mergeable)
            metrics.counter("audit_rows_total", stage, "permanent").inc(report.twice.permanent)
            metrics.counter("audit_rows_total", stage, "stray").inc(report.stray_rows)
            metrics.gauge("audit_last_window_timestamp_seconds", stage).set(report.until.timestamp())
        elif {fate.value: report.counts.get(fate, 0) for fate in Fate} != dict(was):
            metrics.counter("audit_amended_total", stage).inc()
        metrics.gauge("audit_unbalanced", stage).set(report.unbalanced)
        metrics.gauge("audit_seconds", stage).set(report.cost.seconds)
        self._cost(stage, report.cost)

    def _cost(self, stage: str, cost: Cost) -> None:
        for unit in ("queries", "rows_read", "bytes_read", "messages_fetched"):
            self._metrics.counter("audit_read_total", stage, unit).inc(getattr(cost, unit))

    def looked_again(self, before: AuditWindow, after: AuditWindow, cost: Cost) -> None:
        """What turned up counts where it went to; the loss stays counted."""
        for fate, number in after.counts.items():
            if (more := number - before.counts.get(fate, 0)) > 0:
                self._metrics.counter("audit_events_total", after.stage, fate).inc(more)
        if after.amendments > before.amendments:
            self._metrics.counter("audit_amended_total", after.stage).inc()
        self._cost(after.stage, cost)

    def open(self, stage: str, counts: Mapping[str, int]) -> None:
        """Events, by fate, of the windows that will be audited again."""
        for fate, number in counts.items():
            self._metrics.gauge("audit_open_events", stage, fate).set(number)

    def failed(self, stage: str) -> None:
        """A round in which this table could not be audited."""
        self._metrics.counter("audit_failed_total", stage).inc()
