"""Do the rules, the hours of maintenance and the objectives make sense?"""

from collections.abc import Mapping, Sequence

from canary.config.alerts import AlertsConfig, ObjectiveConfig
from canary.config.ledger import LedgerConfig
from canary.config.models import CanaryConfig
from canary.config.probes import ProbeConfig
from canary.config.problems import Draft, plain
from canary.config.schema import Path

COUNTED_IN = {"on_time": "events", "delivered": "events", "latency": "windows"}
"""What an objective counts; the others count minutes."""


def check_alerts(draft: Draft, alerts: AlertsConfig) -> None:
    """Rules that contradict themselves or each other."""
    matches = [rule.match for rule in alerts.rules]
    for index, rule in enumerate(alerts.rules):
        path: Path = ("alerts", "rules", index)
        if rule.match in matches[:index]:
            draft.fault((*path, "match"), "has a rule already")
        if rule.close_at is not None and (rule.open_at is None or rule.close_at > rule.open_at):
            draft.fault((*path, "close_at"), "must not be above open_at, which must be set with it")
    for index, window in enumerate(alerts.maintenance):
        path = ("alerts", "maintenance", index)
        twice = window.model_fields_set & {"at", "days", "zone"}
        if window.start is not None and twice:
            draft.fault((*path, "start"), f"is once, so it goes without {', '.join(sorted(twice))}")


def check_objectives(
    draft: Draft,
    objectives: Mapping[Path, ObjectiveConfig],
    *,
    canary: CanaryConfig,
    ledger: LedgerConfig,
    probes: Sequence[ProbeConfig],
) -> None:
    """Objectives that nothing can be held against, or that one event would break."""
    names: set[str] = set()
    for path, one in objectives.items():
        if one.name in names:
            draft.fault((*path, "name"), "is the name of another objective")
        names.add(one.name)
        if one.probe is not None and one.probe not in {probe.name for probe in probes}:
            draft.fault((*path, "probe"), "is not the name of a probe")
        if (one.kind == "latency") != (one.within is not None):
            what = "is missing: within what must the p99 of a window be?"
            draft.fault((*path, "within"), what if one.kind == "latency" else 'is only for kind "latency"')
        if one.over > ledger.keep_windows:
            got = f"got {plain(one.over)}, keep_windows is {plain(ledger.keep_windows)}"
            draft.fault((*path, "over"), "must not be above ledger.keep_windows", got=got)
        _thin(draft, path, one, canary=canary, probes=probes)


def _thin(
    draft: Draft, path: Path, one: ObjectiveConfig, *, canary: CanaryConfig, probes: Sequence[ProbeConfig]
) -> None:
    """A budget of a few events is no budget: each of them is a large part of it."""
    mine = [probe for probe in probes if one.probe in (None, probe.name)]
    seconds = one.over.total_seconds()
    counted = {
        "events": sum(probe.rate for probe in mine) * seconds,
        "windows": len(mine) * seconds / canary.window.total_seconds(),
    }
    unit = COUNTED_IN.get(one.kind, "minutes")
    total = counted.get(unit, len(mine) * seconds / 60)
    budget = total * (100 - one.target) / 100
    if budget < 10:
        what = (
            f"allows {budget:.1f} bad {unit} of {total:,.0f} in {plain(one.over)}: "
            "a single one decides, so rather send more, promise less, or look further back"
        )
        draft.warn((*path, "target"), what)
