"""Tables for the contract of an audit's questions, and rows of the audits' world in them."""

import random
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from canary.clock import Line, SystemClock
from canary.edges.clickhouse import AuditOptions, Settings, TableAudit
from canary.sandbox.clickhouse import ClickHouseFront
from canary.traffic import Times
from tests.canary.audit.world import START, Row, World

PASSWORD = "pass:word"
TIMES = Times(START - timedelta(minutes=5), START + timedelta(minutes=5))
TABLE = """CREATE TABLE posthog.{name} (uuid UUID, event String, distinct_id String, team_id Int64,
    timestamp DateTime64(6, 'UTC'), _timestamp DateTime('UTC'){more}) ENGINE = {engine}
    ORDER BY (distinct_id, uuid) SETTINGS allow_nullable_key = 1"""
OFFSETS = ", _partition Nullable(UInt64), _offset Nullable(UInt64)"


def settings(front: ClickHouseFront, table: str, **changed: object) -> Settings:
    return Settings(
        name="table",
        url=front.url,
        user="canary",
        password=lambda: PASSWORD,
        database="posthog",
        table=table,
        timeout=timedelta(seconds=20),
        max_execution_time=timedelta(seconds=20),
        **changed,  # type: ignore[arg-type]
    )


def table_audit(
    front: ClickHouseFront,
    table: str,
    topics: tuple[str, ...] = ("topic",),
    *,
    kafka_time: str = "",
    **changed: object,
) -> TableAudit:
    options = AuditOptions(topics=topics, kafka_time=kafka_time)
    return TableAudit(settings(front, table, **changed), options, now=Line(SystemClock()).now)


def insert(front: ClickHouseFront, table: str, rows: Sequence[Row], **more: str) -> None:
    """Rows of the world, each variant with another sorting key; copies in blocks of their own."""
    fresh: list[dict[str, object]] = []
    seen: set[Row] = set()
    for row in rows:
        body: dict[str, object] = {
            "uuid": row.id,
            "event": "plain",
            "distinct_id": f"variant {row.variant}",
            "team_id": 1,
            "timestamp": row.at,
            "_timestamp": row.at,
            **more,
        }
        if table != "bare":
            body |= {"_partition": row.partition, "_offset": row.offset}
        if row in seen:
            front.insert(table, [body])
        else:
            fresh.append(body)
        seen.add(row)
    front.insert(table, fresh)


def random_world(seed: int) -> World:
    """Three partitions with holes, copies, rows of other times, of no offset and of no partition."""
    chance = random.Random(seed)
    world = World(logs={0: [], 1: [], 4: []}, positions={})
    for partition in world.logs:
        offsets = world.append(partition, chance.randrange(0, 60))
        world.consume(partition, without={n for n in offsets if chance.random() < 0.3})
    for row in [row for row in world.rows if chance.random() < 0.2]:
        world.rows.append(Row(row.partition, row.offset, row.id, row.at, chance.randrange(2)))
    for row in [row for row in world.rows if chance.random() < 0.1]:
        world.rows.append(Row(row.partition, row.offset, str(UUID(int=chance.getrandbits(128))), row.at))
    for row in [*world.rows[:2], Row(0, 70, str(uuid4()), START)]:
        world.rows.append(Row(0, 70, row.id, START + timedelta(hours=1), 2))
    world.rows.append(Row(None, None, str(uuid4()), START))
    world.rows.append(Row(9, 1, str(uuid4()), START))
    world.rows.append(Row(1, 99, str(uuid4()), START))
    return world
