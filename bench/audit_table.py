"""The table of the audit's benchmark: the topic's events made once more, less what was planted."""

from datetime import timedelta

from bench.audit_topic import DUPLICATES, OLD, OWNERS, SPREAD, Plan
from canary.sandbox.clickhouse import ClickHouseFront

PASSWORD = "bench:bench"
PAST = "posthog.past"
ID = (
    "toUUID(concat(leftPad(lower(hex(toUInt32({p}))), 8, '0'), '-0000-7000-8000-',"
    " leftPad(lower(hex(toUInt64(number))), 12, '0')))"
)


def fill_table(front: ClickHouseFront, plan: Plan) -> None:
    """The rows that a Kafka engine would have made, less what was planted, and what stands there twice."""
    for partition in range(plan.partitions):
        skipped = plan.skipped().get(partition, [])
        less = "".join(f" AND NOT (number >= {one.start} AND number < {one.end})" for one in skipped)
        _insert(front, plan, partition, f"number < {plan.each}{less}", plan.each)
    for offset, number in plan.kept:
        _insert(front, plan, 0, f"number = {number}", number + 1, first=offset - number, at=0)
    twice = f"number < {DUPLICATES}"
    _insert(front, plan, 6, twice, DUPLICATES)
    _insert(front, plan, 7, twice, DUPLICATES, owner="'somebody else'")


def _insert(
    front: ClickHouseFront,
    plan: Plan,
    partition: int,
    where: str,
    most: int,
    *,
    owner: str = f"concat('user-', toString(number % {OWNERS}))",
    first: int | None = None,
    at: int | None = None,
) -> None:
    first = plan.bulk[partition] if first is None else first
    start, step = int(plan.started.timestamp() * 1000), int(SPREAD / timedelta(milliseconds=1))
    moved = f"intDiv(number * {step}, {plan.each})" if at is None else str(at)
    time_of = f"fromUnixTimestamp64Milli(toInt64({start} + {moved}), 'UTC')"
    numbers = f"numbers({most - 1}, 1)" if at is not None else f"numbers({most})"  # one event, or all
    front.execute(
        f"""INSERT INTO posthog.events_recent
            (uuid, event, properties, timestamp, team_id, distinct_id, created_at, person_mode,
             _timestamp, _timestamp_ms, _offset, _partition)
        SELECT {ID.format(p=partition)}, '$pageview', '{{}}', {time_of}, 2, {owner}, {time_of},
               'propertyless', toDateTime({time_of}), {time_of}, toInt64(number) + {first}, {partition}
        FROM {numbers} WHERE {where}
        SETTINGS max_threads = 2, max_partitions_per_insert_block = 1000, optimize_on_insert = 0"""
    )


def fill_past(front: ClickHouseFront, plan: Plan, rows: int) -> None:
    """A table of its own with rows of a day long gone, of the same topic as it was then: offsets that no
    window of today has."""
    front.execute(f"CREATE TABLE {PAST} AS posthog.events_recent")
    front.execute(f"SYSTEM STOP MERGES {PAST}")
    front.execute(
        f"""INSERT INTO {PAST}
            (uuid, event, properties, timestamp, team_id, distinct_id, created_at, person_mode,
             _timestamp, _timestamp_ms, _offset, _partition)
        SELECT generateUUIDv4(), '$pageview', '{{}}', at, 2, concat('user-', toString(number % {OWNERS})), at,
               'propertyless', toDateTime(at), at, {OLD} + number, number % {plan.partitions}
        FROM (SELECT number, toDateTime64('{plan.started:%Y-%m-%d} 00:00:00', 3, 'UTC')
              - toIntervalDay(2) + intDiv(number * 86000, {rows}) AS at FROM numbers({rows}))
        SETTINGS max_threads = 2, max_partitions_per_insert_block = 1000"""
    )


def grow(front: ClickHouseFront, rows: int) -> int:
    """Attach the past to the table until it has so many rows, or would have more; returns how many it has.

    Whole parts are attached, which costs nothing; so the same old rows stand there several times.
    """
    sql = f"SELECT DISTINCT _partition_id AS id FROM {PAST}"
    each = ", ".join(f"ATTACH PARTITION ID '{row['id']}' FROM {PAST}" for row in front.query(sql))
    count = "SELECT count() AS n FROM "
    there = int(front.query(count + "posthog.events_recent")[0]["n"])
    more = int(front.query(count + PAST)[0]["n"])
    for _ in range(round((rows - there) / more)):
        front.execute(f"ALTER TABLE posthog.events_recent {each}")
        there += more
    return there
