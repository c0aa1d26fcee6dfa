"""The composition root of what a person asks by hand: configuration in, searching objects out.

Beside `app`, which puts the daemon and the checks together, the only file that names a concrete edge.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from canary.app import App
from canary.audit.beside import Keeper, Real
from canary.audit.between import BetweenAudit, Pace
from canary.audit.calendar import Calendar
from canary.audit.delay import DelayAudit
from canary.audit.ingress import IngressAudit
from canary.audit.tables import Comparing, Wish
from canary.auditing import policy
from canary.clock import Line, SystemClock
from canary.config.models import Config
from canary.config.secret import Secret
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig
from canary.edges import clickhouse, kafka, prometheus
from canary.event import EVENT_NAME
from canary.lanes import Keying
from canary.ledger import LedgerError
from canary.trace import TablePlaces, TopicPlaces, Trace
from canary.traffic import BETWEEN, COUNTED, DELAY
from canary.values import Now
from canary.wiring import clickhouse_settings, kafka_settings
from reconcile.counters import Names
from reconcile.outcome import INGRESS

SETTLED = timedelta(seconds=2)
"""So long after its deadline a window of canaries is settled, and its latency known."""

FRESH = 5
"""So many windows of canaries: what the real traffic showed before them says nothing of now."""


@contextmanager
def tracing(config: Config) -> Iterator[Trace]:
    """What looks for one event in every stage; hangs up in the end."""
    line = Line(SystemClock())
    fields = _id_fields(config)
    topics: list[kafka.TopicTracer] = []
    tables: list[clickhouse.TableTracer] = []
    places: list[TopicPlaces | TablePlaces] = []
    for stage, following in pairwise((*config.stages, None)):
        if isinstance(stage, KafkaStageConfig):
            settings = kafka_settings(stage, following, config, every=timedelta(0))
            topics.append(
                kafka.TopicTracer(settings, predict=_Predict(stage), id_fields=fields, policy=policy(config))
            )
            places.append(topics[-1])
        elif isinstance(stage, ClickHouseStageConfig):
            told = clickhouse_settings(stage)
            tables.append(clickhouse.TableTracer(told, warnings=stage.warnings, now=line.now))
            places.append(tables[-1])
    pause = threading.Event()
    try:
        yield Trace(
            places,
            now=line.now,
            lost_after=config.canary.lost_after,
            passed_grace=config.canary.passed_grace,
            pause=lambda span: pause.wait(span.total_seconds()),
        )
    finally:
        for topic in topics:
            topic.close()
        for table in tables:
            table.close()


class _Predict:
    """The partition of an event's record, where its id alone decides that."""

    def __init__(self, stage: KafkaStageConfig) -> None:
        before, mark, after = stage.key.partition("{uuid}")
        known = bool(mark) and stage.partitioner != "unknown" and "{" not in before + after
        self._keying = Keying(f"{before}{{distinct_id}}{after}", stage.partitioner) if known else None

    def __call__(self, id_: UUID, partitions: int) -> int | None:
        if self._keying is None or partitions < 1:
            return None
        return self._keying.partition(str(id_), partitions)


def _id_fields(config: Config) -> tuple[str, ...]:
    """The columns that hold the id are, as a rule, what records call it."""
    matches = [stage.match for stage in config.stages if isinstance(stage, ClickHouseStageConfig)]
    return tuple(match for match in matches if match.isidentifier())


def beside(config: Config, app: App, audits: Calendar | None) -> dict[str, Callable[[], timedelta]]:
    """The daemon's steps that look at the real traffic, each for a loop of its own; the rules hear of what
    they and the running audits find."""
    now, metrics, window = app.watch.desk.line.now, app.metrics, config.canary.window
    keeper = Keeper(app.ledger, fresh_for=FRESH * window + config.canary.grace, now=now)
    app.watch.real = lambda: Real(audits.standing() if audits else (), keeper.standing())
    steps: dict[str, Callable[[], timedelta]] = {}
    first, told = config.stages[0], config.counters
    if told.urls and isinstance(first, KafkaStageConfig):
        names = Names(told.names_received, told.names_dropped, told.also)
        settings = kafka_settings(first, None, config, every=timedelta(0))
        audit = IngressAudit(
            [
                prometheus.Endpoint(url, names=names.all, cause=told.cause, timeout=told.timeout)
                for url in told.urls
            ],
            kafka.TopicEnds(settings),
            names,
            window=window,
            every=told.every,
            under_way=told.under_way,
            now=now,
            metrics=metrics,
            place=(hop := f"{INGRESS}->{first.name}"),
            hears=keeper.of(COUNTED, hop),
        )
        steps["ingress counters"] = audit.step
    for earlier, later in pairwise(config.stages):
        if isinstance(earlier, KafkaStageConfig) and isinstance(later, KafkaStageConfig):
            name = f"between {earlier.name} and {later.name}"
            if later.sample_budget:
                steps[name] = _between(config, earlier, later, app, keeper).step
    for stage in config.stages:
        if isinstance(stage, ClickHouseStageConfig) and stage.delay_from and stage.delay_to:
            steps[f"delay {stage.name}"] = _delay(config, stage, app, keeper).step
    return steps


def _between(
    config: Config, first: KafkaStageConfig, second: KafkaStageConfig, app: App, keeper: Keeper
) -> BetweenAudit:
    fields = _id_fields(config)
    window, now, hop = config.canary.window, app.watch.desk.line.now, f"{first.name}->{second.name}"
    kept = app.ledger.traffic(now() - config.audit.again_for, now())
    return BetweenAudit(
        kafka.SampledTopic(
            kafka_settings(first, second, config, every=timedelta(0)), id_fields=fields, policy=policy(config)
        ),
        kafka.SampledTopic(kafka_settings(second, None, config, every=timedelta(0)), id_fields=fields),
        Pace(
            window=window,
            after=config.canary.passed_grace,
            lost_after=config.canary.lost_after,
            messages=max(3, int(second.sample_budget * window.total_seconds())),
            again_for=config.audit.again_for,
            told_for=FRESH * window + config.canary.grace,
        ),
        now=now,
        metrics=app.metrics,
        hears=keeper.of(BETWEEN, hop),
        tell=lambda amendments: app.pager.amend(amendments, now=now()),
        earlier=[one for one in kept if (one.kind, one.place) == (BETWEEN, hop)],
    )


def real_objective(config: Config) -> timedelta:
    """Real rows that took longer are late."""
    return config.audit.objective or config.canary.objective


def _delay(config: Config, stage: ClickHouseStageConfig, app: App, keeper: Keeper) -> DelayAudit:
    now = app.watch.desk.line.now
    table = clickhouse.DelayTable(
        clickhouse_settings(stage),
        since=stage.delay_from,
        until=stage.delay_to,
        canary=EVENT_NAME,
        late_after=real_objective(config),
        now=now,
    )

    def canaries(start: datetime) -> Mapping[str, float]:
        try:
            reports = app.ledger.windows(start, start + timedelta.resolution)
        except LedgerError:
            return {}
        return next((report.latency for report in reports if report.latency), {})

    return DelayAudit(
        table,
        window=config.canary.window,
        after=config.canary.grace + SETTLED,
        now=now,
        metrics=app.metrics,
        canaries=canaries,
        hears=keeper.of(DELAY, stage.name),
    )


Chosen = tuple["Chooses", Path | None]
"""A side of a comparison, and the file with its password."""


class Chooses(Protocol):
    """What names a table: None where the stage's own setting holds."""

    @property
    def url(self) -> str | None: ...
    @property
    def user(self) -> str | None: ...
    @property
    def database(self) -> str | None: ...
    @property
    def table(self) -> str: ...


@contextmanager
def comparing(config: Config, sides: Sequence[Chosen], wish: Wish) -> Iterator[Comparing]:
    """What compares two tables with the limits of the last table stage. ValueError where there is none."""
    stage = next((one for one in reversed(config.stages) if isinstance(one, ClickHouseStageConfig)), None)
    if stage is None:
        raise ValueError("stages: there is no table whose server and limits could be used")
    line = Line(SystemClock())
    tables = [_compared(clickhouse_settings(stage), *side, now=line.now) for side in sides]
    try:
        yield Comparing(tables[0], tables[1], wish)
    finally:
        for one in tables:
            one.close()


def _compared(
    told: clickhouse.Settings, side: Chooses, password_file: Path | None, *, now: Now
) -> clickhouse.ComparedTable:
    if side.url is not None and side.url.rstrip("/") != told.url.rstrip("/"):
        # another server: neither the stage's user nor its password is any business of it
        told = replace(told, url=side.url, user=side.user or "default", password=None)
    elif side.user is not None:
        told = replace(told, user=side.user)
    if password_file is not None:
        told = replace(told, password=Secret(path=password_file))
    told = replace(told, database=side.database or told.database, table=side.table)
    host = urlsplit(told.url).netloc
    return clickhouse.ComparedTable(told, name=f"{told.database}.{told.table} at {host}", now=now)
