"""What one look at a stage moves in the metrics."""

from canary.follow import COSTS
from canary.metrics import MODES, Metrics
from canary.readings import Reading
from canary.values import Look


def measure(metrics: Metrics, reading: Reading, look: Look, *, behind: str | None) -> None:
    """Take in one look; the consumer of the stage `behind` has so much still to finish."""
    name = reading.spec.name
    metrics.gauge("blind", name).set(bool(look.blind))
    for reason, count in look.counts.items():
        if reason in COSTS:
            metrics.counter("read_total", name, reason).inc(count)
        else:
            metrics.counter("unparsable_total", name, reason).inc(count)
    if reading.spec.topic:
        metrics.gauge("partitions_visited", name).set(reading.visited(look.ended_at))
        metrics.counter("astray_total", name).inc(look.astray)
        for mode in MODES:
            metrics.gauge("reading", name, mode).set(mode == look.reading)
    if reading.skew is not None:
        metrics.gauge("clock_skew_seconds", name).set(reading.skew.offset.total_seconds())
        metrics.gauge("clock_skew_error_seconds", name).set(reading.skew.error.total_seconds())
    if behind is not None:
        lag = reading.lag()
        metrics.gauge("consumer_lag_messages", behind).set(float("nan") if lag is None else lag)
