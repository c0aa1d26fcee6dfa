"""The composition root: configuration in, running objects out. It and `tools` alone make edges."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise

from prometheus_client import CollectorRegistry

from alerts.condition import Notice
from canary.around import NOTHING, Around
from canary.ask import Stage
from canary.clock import Clock, Line, SystemClock
from canary.config.models import Config
from canary.config.probes import ProbeConfig
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig, StageConfig
from canary.content import HABITS
from canary.courier import Courier, Ingress
from canary.desk import Desk, Plan
from canary.edges import clickhouse, http, kafka
from canary.event import EVENT_NAME, Payload
from canary.hints import accounts
from canary.identity import Mint, Verifier
from canary.laner import DISTINCT_PREFIX, Laner
from canary.ledger import Ledger
from canary.metrics import Metrics
from canary.pager import Pager
from canary.paging import make_pager
from canary.probe import Pace, Probe, Schedule
from canary.readings import StageSpec
from canary.values import Marks, Now
from canary.watch import Watch
from canary.ways import beats
from canary.wiring import clickhouse_settings, ingress_settings, kafka_settings
from reconcile.compare import Limits

MAX_WORKERS = 16


@dataclass(frozen=True, slots=True)
class Checking:
    """What makes a check differ from the daemon: so many canaries, quickly, under a name of its own."""

    count: int
    rate: float
    grace: timedelta
    probe: str | None = None


READ_EVERY = timedelta(milliseconds=500)
"""How often the daemon reads a topic that is read to its end; a check, which somebody waits for, reads on."""


@dataclass(frozen=True, slots=True)
class App:
    """What a driver needs."""

    watch: Watch
    ledger: Ledger
    metrics: Metrics
    pager: Pager
    clock: Clock
    listeners: list[Callable[[Notice], None]] = field(default_factory=list)

    def on_sent(self, listener: Callable[[Notice], None]) -> None:
        """Tell this listener of every message that went out."""
        self.listeners.append(listener)


def build(
    config: Config,
    *,
    ledger_url: str | None = None,
    checking: Checking | None = None,
    clock: Clock | None = None,
    around: Around = NOTHING,
) -> App:
    """Put everything together. Raises LedgerInUse, LedgerUnusable or SecretError; touches no network."""
    clock = clock or SystemClock()
    ledger = around.ledger(ledger_url or config.ledger.url)
    try:
        return _built(config, ledger, checking, clock, around)
    except BaseException:
        ledger.close()
        raise


def _built(config: Config, ledger: Ledger, checking: Checking | None, clock: Clock, around: Around) -> App:
    line = Line(clock, not_before=ledger.last_instant())
    names = [_probe_name(probe, checking) for probe in _chosen(config, checking)]
    metrics = Metrics(
        CollectorRegistry(),
        probes=names,
        stages=[stage.name for stage in config.stages],
        objectives=[objective.name for objective in config.objectives],
        audited=[stage.name for stage in config.stages if stage.kind == "clickhouse"],
    )
    metrics.add(ways=config.ways, beats=beats(config))
    desk = Desk(
        plan=_plan(config, checking),
        stages=[_spec(stage) for stage in config.stages],
        ledger=ledger,
        line=line,
        metrics=metrics,
    )
    secret = config.canary.made_key().encode()
    others = [name for probe in config.probes for name in (probe.name, f"{probe.name}/check")]
    verifier = Verifier(secret, [*names, *others])
    listeners: list[Callable[[Notice], None]] = []
    pager = make_pager(config, ledger, metrics, None if checking else listeners, around=around.sender)
    lanes = Laner(config)
    every = timedelta(0) if checking else READ_EVERY
    stages = _stages(config, verifier, line.now, ledger, every=every)
    watch = Watch(
        desk,
        probes=[
            _probe(
                one,
                secret,
                lanes,
                checking,
                around.ingress(http.HttpIngress(ingress_settings(one), now=line.now)),
            )
            for one in _chosen(config, checking)
        ],
        stages={name: around.stage(name, stage) for name, stage in stages.items()},
        verifier=verifier,
        pager=pager,
        relane=lanes.relane,
        aim=lanes.aim,
        retention=(config.ledger.keep_clean, config.ledger.keep_unclean, config.ledger.keep_windows),
    )
    watch.restore()
    return App(watch, ledger, metrics, pager, clock, listeners)


def _plan(config: Config, checking: Checking | None) -> Plan:
    told = config.canary
    grace = checking.grace if checking else told.grace
    limits = Limits(
        objective=told.objective,
        patience=told.patience,
        lost_after=told.lost_after,
        passed_grace=told.passed_grace,
        horizon=told.horizon,
    )
    return Plan(
        times=Schedule(told.window, grace, windows=checking is None),
        limits=limits,
        down_after=told.down_after,
        max_events_per_day=told.max_events_per_day,
        instance=told.instance,
        objectives=config.objectives if checking is None else (),
        accounts=accounts(config),
    )


def _chosen(config: Config, checking: Checking | None) -> Sequence[ProbeConfig]:
    if checking is None:
        return config.probes
    return [next(p for p in config.probes if checking.probe in (None, p.name))]


def _probe_name(probe: ProbeConfig, checking: Checking | None) -> str:
    return probe.name if checking is None else f"{probe.name}/check"


def _probe(told: ProbeConfig, secret: bytes, lanes: Laner, checking: Checking | None, via: Ingress) -> Probe:
    name = _probe_name(told, checking)
    rate = checking.rate if checking else told.rate
    pace = Pace(
        rate,
        min(told.batch, checking.count) if checking else told.batch,
        checking.count if checking else None,
    )
    mine = lanes.of(told, None)
    return Probe(
        name,
        pace=pace,
        mint=Mint(secret, name),
        payload=Payload(secret, name, person=told.person, template=told.template()),
        habits=HABITS[told.preset],
        courier=Courier(via, workers=MAX_WORKERS),
        lanes=mine,
    )


def _ingress(told: ProbeConfig, now: Now) -> Ingress:
    return http.HttpIngress(ingress_settings(told), now=now)


def _spec(stage: StageConfig) -> StageSpec:
    if isinstance(stage, KafkaStageConfig):
        system = ",".join(sorted(stage.bootstrap))
        return StageSpec(stage.name, topic=True, place=stage.topic, others=stage.alternates, system=system)
    blurred = stage.through_distributed
    return StageSpec(
        stage.name, topic=False, place=stage.table, system=stage.url, through_distributed=blurred
    )


def _stages(
    config: Config, verifier: Verifier, now: Now, ledger: Ledger, *, every: timedelta
) -> dict[str, Stage]:
    marks = Marks(recognise=verifier.recognises, event=EVENT_NAME, distinct_prefix=DISTINCT_PREFIX)
    stages: dict[str, Stage] = {}
    for stage, following in pairwise((*config.stages, None)):
        if isinstance(stage, KafkaStageConfig):
            settings = kafka_settings(stage, following, config, every=every)
            stages[stage.name] = kafka.KafkaStage(
                settings, marks=marks, now=now, resume=ledger.resume(stage.name)
            )
        elif isinstance(stage, ClickHouseStageConfig):
            table = replace(clickhouse_settings(stage), passed_grace=config.canary.passed_grace)
            stages[stage.name] = clickhouse.ClickHouseStage(table, marks=marks, now=now)
    return stages
