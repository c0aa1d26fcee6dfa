"""The metrics of the real traffic: before Kafka, between topics, and how long rows were under way."""

from collections.abc import Iterator, Sequence
from typing import Literal

Told = tuple[str, Literal["counter", "gauge", "histogram"], str, tuple[str, ...]]

REAL: tuple[Told, ...] = (
    ("ingress_received_total", "counter", "Real events that the ingress says it received.", ()),
    ("ingress_dropped_total", "counter", "Real events that it says it dropped.", ("cause",)),
    ("ingress_appended_total", "counter", "Offsets by which the first topic grew in the same windows.", ()),
    ("ingress_left", "gauge", "Received less dropped less appended, in the last window.", ()),
    ("ingress_left_error", "gauge", "What may have been under way at its two ends.", ()),
    ("ingress_blind", "gauge", "1 while the ingress's counters cannot be read.", ()),
    ("delay_seconds", "gauge", "Delay of the real traffic in the last window.", ("stage", "quantile")),
    ("delay_rows_total", "counter", "Rows of the real traffic whose delay was asked for.", ("stage",)),
    ("delay_blind", "gauge", "1 while the delay of the real traffic cannot be asked for.", ("stage",)),
    (
        "between_sampled_total",
        "counter",
        "Real events sampled in one topic, by their end.",
        ("hop", "outcome"),
    ),
    ("between_share", "gauge", "Share of the events that was in the last sample.", ("hop",)),
    ("between_lost_at_most", "gauge", "Largest share lost that it does not speak against (95 %).", ("hop",)),
    ("between_blind", "gauge", "1 while the two topics cannot be compared.", ("hop",)),
)

QUANTILES = ("p50", "p90", "p99", "max")
OUTCOMES = ("arrived", "dead_lettered", "waiting", "unread", "lost")


def series(stages: Sequence[str], hops: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Name -> labels of what is there from the start."""
    yield "ingress_dropped_total", [("unknown",)]
    yield "delay_seconds", [(stage, quantile) for stage in stages for quantile in QUANTILES]
    for name in ("delay_rows_total", "delay_blind"):
        yield name, [(stage,) for stage in stages]
    yield "between_sampled_total", [(hop, outcome) for hop in hops for outcome in OUTCOMES]
    for name in ("between_share", "between_lost_at_most", "between_blind"):
        yield name, [(hop,) for hop in hops]
