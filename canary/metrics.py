"""Every metric: its name, help, labels and buckets, on a registry that is passed in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from canary import __version__
from canary.real_metrics import REAL, audit_series, series
from reconcile.outcome import FINAL, INGRESS, Flag, Outcome, Receipt

PREFIX = "ingestion_canary"
END_TO_END = "end_to_end"
MODES = ("full", "targeted", "on_demand")
"""How a topic may be read."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

BURN_WINDOWS = ("5m", "30m", "1h", "6h", "3d")

Kind = Literal["counter", "gauge", "histogram"]
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric of the catalogue; `name` without the prefix, as a scraper sees it."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


CATALOGUE = (
    Spec("sent_total", "counter", "Canaries sent (written to the ledger, then posted).", ("probe",)),
    Spec("receipts_total", "counter", "What the ingress said of canaries.", ("probe", "receipt")),
    Spec(
        "outcomes_total",
        "counter",
        "First final verdicts. The hop is end_to_end unless lost.",
        ("probe", "outcome", "hop"),
    ),
    Spec(
        "flags_total", "counter", "Canaries flagged, by the stage that showed it.", ("probe", "flag", "stage")
    ),
    Spec("amended_total", "counter", "Verdicts that changed after settling.", ("probe", "from", "to")),
    Spec(
        "latency_seconds",
        "histogram",
        "Send to sighting, per hop and end to end; time unknown is kept out.",
        ("probe", "hop"),
    ),
    Spec(
        "latency_error_seconds",
        "gauge",
        "Half the width of the last latency's interval: not there yet, there.",
        ("probe", "hop"),
    ),
    Spec("pending", "gauge", "Canaries whose deadline has not passed.", ("probe",)),
    Spec("overdue", "gauge", "Canaries past their deadline, not proven lost.", ("probe",)),
    Spec(
        "unread", "gauge", "Canaries past their deadline while the last stage could not be read.", ("probe",)
    ),
    Spec(
        "unbalanced", "gauge", "Sent less the sum of all outcomes in the last settled window: 0.", ("probe",)
    ),
    Spec("not_sent_total", "counter", "Canaries due and not sent, by reason.", ("probe", "reason")),
    Spec(
        "stored_after_refusal_total", "counter", "Canaries refused by the ingress and seen later.", ("probe",)
    ),
    Spec(
        "off_lane_total",
        "counter",
        "Canaries that the first topic shows in another partition than their lane's.",
        ("probe",),
    ),
    Spec(
        "copies_unchecked_total",
        "counter",
        "Canaries whose window closed before the table could be asked for copies of them.",
        ("probe",),
    ),
    Spec(
        "unexpected_total", "counter", "Canaries not in the ledger, by stage and reason.", ("stage", "reason")
    ),
    Spec("foreign_total", "counter", "Records that look like a canary and prove nothing.", ("stage",)),
    Spec("unparsable_total", "counter", "Records that could not be read, by reason.", ("stage", "reason")),
    Spec("read_total", "counter", "What reading cost, by unit.", ("stage", "unit")),
    Spec("coverage_age_seconds", "gauge", "Since the stage was last read to its end.", ("stage",)),
    Spec("blind", "gauge", "1 while the stage cannot be read.", ("stage",)),
    Spec(
        "partitions_visited", "gauge", "Partitions in which canaries were seen in the last hour.", ("stage",)
    ),
    Spec(
        "astray_total",
        "counter",
        "Canaries not in the partition where key and partitioner lead (not counted where all is read).",
        ("stage",),
    ),
    Spec("reading", "gauge", "1 for how the topic is read now.", ("stage", "mode")),
    Spec(
        "consumer_lag_messages", "gauge", "Messages the consumer into this stage has to finish.", ("stage",)
    ),
    Spec(
        "consumer_lag_seconds", "gauge", "Age of the oldest canary that consumer has to finish.", ("stage",)
    ),
    Spec("clock_skew_seconds", "gauge", "The stage's clock minus ours.", ("stage",)),
    Spec("clock_skew_error_seconds", "gauge", "Half the round trip that measured the skew.", ("stage",)),
    Spec("clock_steps_total", "counter", "Steps of our own wall clock by more than a second."),
    Spec(
        "down_minutes_total", "counter", "Minutes of ingestion downtime, by their one definition.", ("probe",)
    ),
    Spec(
        "last_settled_window_timestamp_seconds",
        "gauge",
        "Start of the last settled window, Unix.",
        ("probe",),
    ),
    *(Spec(*told) for told in REAL),
    Spec("ledger_errors_total", "counter", "Steps whose record could not be written (kept in memory)."),
    Spec("ledger_up", "gauge", "1 while the ledger can be written."),
    Spec("notices_sent_total", "counter", "Messages delivered, by kind.", ("kind",)),
    Spec("notices_failed_total", "counter", "Deliveries that failed and are tried again, or cannot be."),
    Spec("way_out_up", "gauge", "1 while the last try or check of this way out went well.", ("way",)),
    Spec(
        "way_out_failures_total", "counter", "Tries and checks of a way out that failed.", ("way", "reason")
    ),
    Spec("notices_owed", "gauge", "Messages that somebody is still owed."),
    Spec("objective_target_ratio", "gauge", "What was promised, as a share.", ("objective",)),
    Spec("objective_counted", "gauge", "What an objective counted in its period.", ("objective",)),
    Spec("objective_bad", "gauge", "What of it was bad.", ("objective",)),
    Spec(
        "objective_budget_left_ratio",
        "gauge",
        "The share of its error budget that is left; below 0 where the promise is broken.",
        ("objective",),
    ),
    Spec(
        "objective_burn_rate",
        "gauge",
        "How many times as fast as promised the budget was used up, by window.",
        ("objective", "window"),
    ),
    Spec(
        "heartbeats_total",
        "counter",
        "Signs of life sent, withheld because windows do not settle, or failed.",
        ("to", "result"),
    ),
    Spec("heartbeat_last_sent_timestamp_seconds", "gauge", "Last sign of life sent, Unix.", ("to",)),
    Spec("step_age_seconds", "gauge", "Since each loop last finished a step.", ("step",)),
    Spec("build_info", "gauge", "1, with the version.", ("version",)),
)


_OF_STAGES = (
    "clock_skew_seconds",
    "clock_skew_error_seconds",
    "consumer_lag_messages",
    "consumer_lag_seconds",
)


class Metrics:
    """The catalogue's metrics, every known series at 0 from the start."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        probes: Sequence[str] = (),
        stages: Sequence[str] = (),
        objectives: Sequence[str] = (),
        audited: Sequence[str] = (),
    ) -> None:
        self.registry = registry
        self.hops = tuple(f"{a}->{b}" for a, b in pairwise((INGRESS, *stages)))
        self._by_name = {spec.name: _make(spec, registry) for spec in CATALOGUE}
        self._known: dict[tuple[str, tuple[str, ...]], MetricWrapperBase] = {}  # labels() is slow
        self._start(probes, stages)
        for name, labels in audit_series(audited):
            self._touch(name, labels)
        for name in ("target_ratio", "counted", "bad", "budget_left_ratio"):
            self._touch(f"objective_{name}", [(objective,) for objective in objectives])
        burns = [(objective, window) for objective in objectives for window in BURN_WINDOWS]
        self._touch("objective_burn_rate", burns)

    def add(self, *, ways: Sequence[str] = (), beats: Sequence[str] = ()) -> None:
        """The series of the ways out and of those who get a sign of life."""
        self._touch("heartbeat_last_sent_timestamp_seconds", [(to,) for to in beats])
        self._touch("heartbeats_total", [(to, r) for to in beats for r in ("sent", "withheld", "failed")])
        self._touch("way_out_up", [(way,) for way in ways])
        self._touch("way_out_failures_total", [(way, why) for way in ways for why in ("no_answer", "to_fix")])

    def _start(self, probes: Sequence[str], stages: Sequence[str]) -> None:
        for probe in probes:
            for name in ("sent_total", "pending", "overdue", "unread", "unbalanced", "down_minutes_total"):
                self._touch(name, [(probe,)])
            self._touch("stored_after_refusal_total", [(probe,)])
            self._touch("off_lane_total", [(probe,)])
            self._touch("copies_unchecked_total", [(probe,)])
            self._touch("last_settled_window_timestamp_seconds", [(probe,)])
            self._touch("receipts_total", [(probe, receipt) for receipt in Receipt])
            self._touch("outcomes_total", self._outcome_series(probe))
            self._touch("flags_total", [(probe, flag, stage) for flag in Flag for stage in stages])
            for name in ("latency_seconds", "latency_error_seconds"):
                self._touch(name, [(probe, hop) for hop in (*self.hops, END_TO_END)])
            self._touch("not_sent_total", [(probe, r) for r in ("ledger", "budget", "behind")])
            gone = (Outcome.LOST, Outcome.UNDELIVERED, Outcome.REJECTED, Outcome.OVERDUE, Outcome.UNREAD)
            self._touch(
                "amended_total", [(probe, a, b) for a in gone for b in (Outcome.ON_TIME, Outcome.LATE)]
            )
        for stage in stages:
            for name in (
                "foreign_total",
                "blind",
                "coverage_age_seconds",
                *_OF_STAGES,
            ):
                self._touch(name, [(stage,)])
            self._touch(
                "read_total",
                [(stage, unit) for unit in ("records_read", "rows_read", "bytes_read", "queries")],
            )
            for name in ("partitions_visited", "astray_total"):
                self._touch(name, [(stage,)])
            self._touch("reading", [(stage, mode) for mode in MODES])
            self._touch("unexpected_total", [(stage, "not_in_ledger")])
            self._touch("unparsable_total", [(stage, "unparsable")])
        self._touch(
            "notices_sent_total", [(kind,) for kind in ("opened", "still", "resolved", "amended", "summary")]
        )
        for name, labels in series(stages, self.hops):
            self._touch(name, labels)
        self.gauge("build_info", __version__).set(1)
        self.gauge("ledger_up").set(1)

    def _outcome_series(self, probe: str) -> list[tuple[str, ...]]:
        ends = [
            (probe, outcome, END_TO_END)
            for outcome in (*FINAL, Outcome.UNREAD)
            if outcome is not Outcome.LOST
        ]
        return [*ends, *((probe, Outcome.LOST, hop) for hop in self.hops)]

    def _touch(self, name: str, series: Iterable[tuple[str, ...]]) -> None:
        for labels in series:
            self._by_name[name].labels(*labels)

    def counter(self, name: str, *labels: str) -> Counter:
        """One counter's series, by its name as scraped."""
        return _checked(self._series(name, labels), Counter)

    def gauge(self, name: str, *labels: str) -> Gauge:
        """One gauge's series."""
        return _checked(self._series(name, labels), Gauge)

    def histogram(self, name: str, *labels: str) -> Histogram:
        """One histogram's series."""
        return _checked(self._series(name, labels), Histogram)

    def _series(self, name: str, labels: tuple[str, ...]) -> MetricWrapperBase:
        found = self._known.get((name, labels))
        if found is None:
            metric = self._by_name[name]
            found = self._known[name, labels] = metric.labels(*labels) if labels else metric
        return found


def _checked(series: object, kind: type[M]) -> M:
    if not isinstance(series, kind):
        raise TypeError(f"metrics: wrong kind of metric (got {type(series).__name__}). This is a bug.")
    return series


def _make(spec: Spec, registry: CollectorRegistry) -> MetricWrapperBase:
    name = f"{PREFIX}_{spec.name}"
    if spec.kind == "counter":
        return Counter(name, spec.help, spec.labels, registry=registry)
    if spec.kind == "gauge":
        return Gauge(name, spec.help, spec.labels, registry=registry)
    return Histogram(name, spec.help, spec.labels, registry=registry, buckets=BUCKETS)


def table() -> str:
    """The catalogue as the README's Markdown table."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for spec in CATALOGUE:
        labels = ", ".join(f"`{label}`" for label in spec.labels)
        rows.append(f"| `{PREFIX}_{spec.name}` | {spec.kind} | {labels} | {spec.help} |")
    return "\n".join(rows)
