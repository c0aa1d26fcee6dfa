"""The tables of the sandbox, shaped as PostHog's, and a filler that makes them as full as a busy one's."""

from datetime import date
from typing import Protocol

_COLUMNS = """
    uuid UUID,
    event String,
    properties String CODEC(ZSTD(3)),
    timestamp DateTime64(6, 'UTC'),
    team_id Int64,
    distinct_id String,
    elements_chain String,
    created_at DateTime64(6, 'UTC'),
    person_id UUID,
    person_created_at DateTime64(3),
    person_properties String CODEC(ZSTD(3)),
    person_mode Enum8('full' = 0, 'propertyless' = 1, 'force_upgrade' = 2),
    historical_migration Bool,
    captured_at Nullable(DateTime64(6, 'UTC')),
    _timestamp DateTime,
    _offset UInt64,
    inserted_at Nullable(DateTime64(6, 'UTC')) DEFAULT now64(6),
    consumer_breadcrumbs Array(String)"""

_EVENTS = f"""CREATE TABLE IF NOT EXISTS posthog.events ({_COLUMNS},
    INDEX minmax_kafka_timestamp _timestamp TYPE minmax GRANULARITY 1,
    INDEX minmax_inserted_at COALESCE(inserted_at, _timestamp) TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(_timestamp)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid))
SAMPLE BY cityHash64(distinct_id)
SETTINGS old_parts_lifetime = 5"""

_EVENTS_RECENT = f"""CREATE TABLE IF NOT EXISTS posthog.events_recent ({_COLUMNS},
    _timestamp_ms DateTime64(3),
    _partition UInt64
) ENGINE = ReplacingMergeTree(_timestamp)
PARTITION BY toStartOfHour(_timestamp)
ORDER BY (team_id, toStartOfHour(_timestamp), event, cityHash64(distinct_id), cityHash64(uuid))
TTL _timestamp + INTERVAL 7 DAY
SETTINGS old_parts_lifetime = 5"""

TABLES = ("events", "events_recent")


class Database(Protocol):
    """What runs the statements here."""

    def execute(self, sql: str, /) -> None: ...


def create_tables(database: Database, *, merges: bool = False) -> None:
    """Make both tables, and two Distributed ones over `events`, of which one has a shard that is away.

    Without `merges` they are stopped, or identical rows would be merged away before anybody could see them.
    """
    database.execute("CREATE DATABASE IF NOT EXISTS posthog")
    for create in (_EVENTS, _EVENTS_RECENT):
        database.execute(create)
    for table, cluster in (("distributed_events", "posthog"), ("distributed_events_half", "posthog_half")):
        database.execute(
            f"CREATE TABLE IF NOT EXISTS posthog.{table} AS posthog.events "
            f"ENGINE = Distributed('{cluster}', 'posthog', 'events', sipHash64(distinct_id))"
        )
    for table in () if merges else TABLES:
        database.execute(f"SYSTEM STOP MERGES posthog.{table}")
        database.execute(f"SYSTEM STOP TTL MERGES posthog.{table}")


def fill_events(
    database: Database, rows: int, canaries: int, day: date, *, days: int = 30, canary_team: int = 1
) -> None:
    """Add `rows` events of 50 teams over the `days` up to `day`, and on that day `canaries` of one more team.

    Ids are UUIDv7s of their event's time, as PostHog's are; the canaries are spread evenly over their day.
    """
    _fill(database, rows, day=f"toDate('{day}') - rand(2) % {days}", team=f"{canary_team} + 1 + rand(3) % 50")
    _fill(
        database,
        canaries,
        day=f"toDate('{day}')",
        team=str(canary_team),
        event="'ingestion_canary'",
        distinct_id="concat('canary-', toString(number % 64))",
        second=f"intDiv(number * 86400, {max(canaries, 1)})",
    )


def _fill(
    database: Database,
    rows: int,
    *,
    day: str,
    team: str,
    event: str = "['$pageview', '$autocapture', '$identify', 'purchase'][1 + rand(4) % 4]",
    distinct_id: str = "concat('user-', toString(rand(5) % 200000))",
    second: str = "rand(6) % 86400",
) -> None:
    database.execute(f"""
        INSERT INTO posthog.events
            (uuid, event, properties, timestamp, team_id, distinct_id, created_at, person_mode,
             _timestamp, _offset, inserted_at)
        SELECT dateTimeToUUIDv7(toDateTime(at)), {event}, '{{"$lib":"web","$current_url":"https://example.com/"}}',
               at, {team}, {distinct_id}, at, 'propertyless', at, number, at + 1
        FROM (SELECT number, toDateTime64({day}, 3, 'UTC') + {second} AS at FROM numbers({rows}))
        SETTINGS max_threads = 2, min_insert_block_size_rows = 500000""")
