"""What one look at a stage moves in the metrics."""

from itertools import pairwise

from canary.desk import Desk
from canary.follow import COSTS
from canary.metrics import MODES
from canary.values import Look


def measure(desk: Desk, name: str, look: Look) -> None:
    """Take in one look at the stage of that name."""
    metrics, reading = desk.metrics, desk.book.readings[name]
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
    for here, behind in pairwise(desk.book.stages):
        if here.name == name:  # the consumer that fills the next stage reads this one
            lag = reading.lag()
            metrics.gauge("consumer_lag_messages", behind.name).set(float("nan") if lag is None else lag)
