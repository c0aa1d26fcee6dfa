"""What no single key can tell: the sense that the tables make together."""

from collections.abc import Iterable, Mapping

from canary.config.alerts import AlertsConfig, ObjectiveConfig
from canary.config.audit import AuditConfig
from canary.config.checks_alerts import check_alerts, check_objectives
from canary.config.checks_files import check_files
from canary.config.checks_probes import check_probes
from canary.config.checks_stages import check_stages
from canary.config.checks_ways import check_ways
from canary.config.fields import Table
from canary.config.ledger import LedgerConfig
from canary.config.models import CanaryConfig, WebConfig
from canary.config.probes import ProbeConfig
from canary.config.problems import Draft, plain
from canary.config.schema import Path
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig, StageConfig

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check(draft: Draft, tables: Mapping[Path, Table]) -> None:
    """Add to the draft whatever is wrong, or worth a warning, in and between the sound tables."""
    probes = {path: table for path, table in tables.items() if isinstance(table, ProbeConfig)}
    stages = {
        path: table
        for path, table in tables.items()
        if isinstance(table, KafkaStageConfig | ClickHouseStageConfig)
    }
    canary = tables.get(("canary",))
    ledger = tables.get(("ledger",))
    web = tables.get(("web",))
    if isinstance(canary, CanaryConfig):
        _times(draft, canary)
        if isinstance(ledger, LedgerConfig):
            _retention(draft, canary, ledger)
            promised = {path: table for path, table in tables.items() if isinstance(table, ObjectiveConfig)}
            check_objectives(draft, promised, canary=canary, ledger=ledger, probes=list(probes.values()))
        check_probes(draft, canary, probes=probes, stages=stages)
        check_stages(draft, canary, stages)
    if isinstance(web, WebConfig) and web.host not in _LOOPBACK:
        draft.warn(
            ("web", "listen"),
            "everybody who reaches this address can read metrics and the status page, which ask for no login",
            got=f"got {plain(web.listen)}",
        )
    if isinstance(audit := tables.get(("audit",)), AuditConfig):
        _delays(draft, audit, stages.values())
    check_ways(draft, tables)
    if isinstance(alerts := tables.get(("alerts",)), AlertsConfig):
        check_alerts(draft, alerts)
    check_files(draft, tables)


def _delays(draft: Draft, audit: AuditConfig, stages: Iterable[StageConfig]) -> None:
    """An objective that nothing is held against."""
    measured = any(s.delay_from and s.delay_to for s in stages if isinstance(s, ClickHouseStageConfig))
    if audit.objective is not None and not measured:
        what = "is held against nothing: no table has both delay_from and delay_to"
        draft.warn(("audit", "objective"), what, got=f"got {plain(audit.objective)}")


def _times(draft: Draft, canary: CanaryConfig) -> None:
    for key, floor in (("grace", "objective"), ("lost_after", "grace"), ("horizon", "lost_after")):
        value, least = getattr(canary, key), getattr(canary, floor)
        if value < least:
            got = f"got {plain(value)}, {floor} is {plain(least)}"
            draft.fault(("canary", key), f"must not be below canary.{floor}", got=got, also=(floor,))
    if canary.secret is not None and "secret_file" in canary.model_fields_set:
        draft.fault(("canary", "secret"), "give either secret or secret_file, not both")


def _retention(draft: Draft, canary: CanaryConfig, ledger: LedgerConfig) -> None:
    if ("canary", "horizon") in draft.doubtful:
        return
    for key in ("keep_clean", "keep_unclean", "keep_windows"):
        value = getattr(ledger, key)
        if value < canary.horizon:
            got = f"got {plain(value)}, horizon is {plain(canary.horizon)}"
            draft.fault(("ledger", key), "must not be below canary.horizon", got=got)
