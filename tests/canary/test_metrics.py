"""The catalogue: one typed place, unique names, and every known series at 0 from the start."""

from prometheus_client import CollectorRegistry

from canary.metrics import CATALOGUE, PREFIX, Metrics, table
from reconcile.outcome import Flag, Outcome, Receipt

STAGES = ("raw", "events")
LATER = frozenset({"step_age_seconds"})
"""Their labels are known only when the daemon has its loops."""


def _series(name: str) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    metrics = Metrics(registry, probes=["p"], stages=STAGES, objectives=["o"], audited=["events"])
    metrics.add(ways=["slack"], beats=["url"])
    spec = next(spec for spec in CATALOGUE if spec.name == name)
    wanted = f"{PREFIX}_{name}" + ("_count" if spec.kind == "histogram" else "")
    return {
        tuple(sample.labels[label] for label in spec.labels): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == wanted
    }


def test_every_metric_is_there_from_the_start() -> None:
    """A series that appears with its first fault has no rate to alert on."""
    empty = [spec.name for spec in CATALOGUE if not _series(spec.name) and spec.name not in LATER]
    assert empty == []


def test_they_start_at_zero() -> None:
    """All but what is true from the start: the version, and a ledger that works."""
    for spec in CATALOGUE:
        if spec.name not in ("build_info", "ledger_up"):
            assert set(_series(spec.name).values()) <= {0.0}, spec.name


def test_every_label_that_can_be_known_is() -> None:
    """Losses by hop, everything else end to end."""
    ends = {(o, "end_to_end") for o in ("on_time", "late", "rejected", "undelivered", "unread")}
    lost = {("lost", "ingress->raw"), ("lost", "raw->events")}
    assert {key[1:] for key in _series("outcomes_total")} == ends | lost
    assert {key[1] for key in _series("receipts_total")} == set(Receipt)
    assert {key[1] for key in _series("flags_total")} == set(Flag)
    gone = {Outcome.LOST, Outcome.UNDELIVERED, Outcome.REJECTED, Outcome.OVERDUE, Outcome.UNREAD}
    assert {key[1] for key in _series("amended_total")} == gone


def test_the_table_names_every_metric_once() -> None:
    """The README's table is made from it."""
    assert all(table().count(f"`{PREFIX}_{spec.name}`") == 1 for spec in CATALOGUE)
