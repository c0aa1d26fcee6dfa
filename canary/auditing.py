"""The composition root's part for audits: an auditor for each table that a topic feeds. Names edges."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from canary.audit import Auditor, Limits
from canary.clock import Line, SystemClock
from canary.config.models import Config
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig
from canary.edges import clickhouse, kafka
from canary.values import Now
from canary.wiring import clickhouse_settings, kafka_settings
from reconcile.traffic import Policy

Wait = Callable[[timedelta], bool]
"""Waits for so long; True where that was ended before its time."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A table and the topic that feeds it: the nearest one before it in the pipeline."""

    topic: KafkaStageConfig
    table: ClickHouseStageConfig

    @property
    def hop(self) -> tuple[str, str]:
        return self.topic.name, self.table.name


def pairs(config: Config) -> list[Pair]:
    """Every table that can be audited."""
    found: list[Pair] = []
    topic: KafkaStageConfig | None = None
    for stage in config.stages:
        if isinstance(stage, KafkaStageConfig):
            topic = stage
        elif topic is not None:
            found.append(Pair(topic, stage))
    return found


def limits(config: Config) -> Limits:
    """What an audit may assume and take."""
    told, canary = config.audit, config.canary
    return Limits(
        slack=told.slack,
        passed_grace=canary.passed_grace,
        lost_after=canary.lost_after,
        messages=told.max_messages,
        tiered=told.max_tiered_messages,
        ranges=told.max_gaps,
        offsets=told.max_offsets,
        seconds=told.max_seconds,
        tolerance=told.tolerance,
    )


def policy(config: Config) -> Policy:
    """What the pipeline drops on purpose."""
    told = config.audit
    return Policy(frozenset(told.filtered_events), frozenset(told.filtered_tokens))


def auditors(
    config: Config, *, wait: Wait, stage: str | None = None, now: Now | None = None
) -> list[Auditor]:
    """An auditor for each table that a topic feeds, or for one; touches no network yet."""
    now = now or Line(SystemClock()).now
    return [_auditor(config, pair, now, wait) for pair in pairs(config) if stage in (None, pair.table.name)]


def _auditor(config: Config, pair: Pair, now: Now, wait: Wait) -> Auditor:
    """With connections of its own."""
    told = config.audit
    topic = kafka_settings(pair.topic, None, config, every=timedelta(0))
    table = clickhouse_settings(pair.table)
    blurred = pair.table.through_distributed and not pair.table.queue_cluster
    group = None if blurred else pair.table.consumer_group
    names = dict.fromkeys((*_fields(pair.table.match), *told.id_fields))
    topic = replace(topic, next_group=group, client_id=f"{topic.client_id}-audit")
    table = replace(
        table,
        timeout=told.max_execution_time + timedelta(seconds=1),
        max_execution_time=told.max_execution_time,
        max_bytes_to_read=told.max_bytes_to_read,
        max_threads=told.max_threads,
        passed_grace=config.canary.passed_grace,
    )
    options = clickhouse.AuditOptions(
        topics=(pair.topic.topic, *pair.topic.alternates),
        kafka_time=told.kafka_time or "",
        topic_column=told.topic_column or "",
    )
    return Auditor(
        pair.table.name,
        f"{pair.table.database}.{pair.table.table}",
        topic=kafka.TopicAudit(topic, ids=tuple(names), now=now),
        table=clickhouse.TableAudit(table, options, now=now),
        limits=limits(config),
        policy=policy(config),
        now=now,
        wait=wait,
    )


def _fields(match: str) -> Sequence[str]:
    """The column that holds the id is fed from a field of its name, unless it is an expression."""
    return (match,) if match.isidentifier() else ()
