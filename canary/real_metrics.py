"""The metrics of the real traffic: before Kafka, between topics, into tables, and how long it all took."""

from collections.abc import Iterator, Sequence
from typing import Literal

from reconcile.sampling import OUTCOMES
from reconcile.traffic import UNSETTLED, Fate

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
    ("delay_late_rows_total", "counter", "Those of them that took longer than the objective.", ("stage",)),
    ("delay_blind", "gauge", "1 while the delay of the real traffic cannot be asked for.", ("stage",)),
    (
        "between_sampled_total",
        "counter",
        "Real events sampled in one topic, by their end.",
        ("hop", "outcome"),
    ),
    ("between_amended_total", "counter", "Samples of which something lost turned up later.", ("hop",)),
    ("between_share", "gauge", "Share of the events that was in the last sample.", ("hop",)),
    ("between_lost_at_most", "gauge", "Largest share lost that it does not speak against (95 %).", ("hop",)),
    ("between_blind", "gauge", "1 while the two topics cannot be compared.", ("hop",)),
    ("audit_windows_total", "counter", "Windows of real traffic audited, by verdict.", ("stage", "verdict")),
    (
        "audit_events_total",
        "counter",
        "Real events (offsets) audited into a table, by what became of them.",
        ("stage", "fate"),
    ),
    ("audit_open_events", "gauge", "Real events whose fate another audit may tell.", ("stage", "fate")),
    ("audit_rows_total", "counter", "Rows beyond one an event, and rows without one.", ("stage", "kind")),
    ("audit_amended_total", "counter", "Windows of real traffic that a later audit amended.", ("stage",)),
    ("audit_unbalanced", "gauge", "Appended less the sum of all fates, last audit: 0.", ("stage",)),
    ("audit_seconds", "gauge", "How long the last audit took.", ("stage",)),
    ("audit_read_total", "counter", "What audits cost, by unit.", ("stage", "unit")),
    ("audit_last_window_timestamp_seconds", "gauge", "End of the last audited window, Unix.", ("stage",)),
    ("audit_failed_total", "counter", "Rounds in which a table could not be audited.", ("stage",)),
)

QUANTILES = ("p50", "p90", "p99", "max")


def series(stages: Sequence[str], hops: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Name -> labels of what is there from the start."""
    yield "ingress_dropped_total", [("unknown",)]
    yield "delay_seconds", [(stage, quantile) for stage in stages for quantile in QUANTILES]
    for name in ("delay_rows_total", "delay_late_rows_total", "delay_blind"):
        yield name, [(stage,) for stage in stages]
    yield "between_sampled_total", [(hop, outcome) for hop in hops for outcome in OUTCOMES]
    for name in ("between_amended_total", "between_share", "between_lost_at_most", "between_blind"):
        yield name, [(hop,) for hop in hops]


_OF_AUDITS = (
    "audit_amended_total",
    "audit_unbalanced",
    "audit_seconds",
    "audit_failed_total",
    "audit_last_window_timestamp_seconds",
)


def audit_series(stages: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """The same for the tables that are audited."""
    final = [fate for fate in Fate if fate not in UNSETTLED]
    units = ("queries", "rows_read", "bytes_read", "messages_fetched")
    for stage in stages:
        yield "audit_windows_total", [(stage, v) for v in ("ok", "degraded", "fault", "unknown")]
        yield "audit_events_total", [(stage, fate) for fate in final]
        yield "audit_open_events", [(stage, fate) for fate in UNSETTLED]
        yield "audit_rows_total", [(stage, kind) for kind in ("mergeable", "permanent", "stray")]
        yield "audit_read_total", [(stage, unit) for unit in units]
        for name in _OF_AUDITS:
            yield name, [(stage,)]
