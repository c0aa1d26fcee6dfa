"""Keeps a table of many small inserts in few parts without merging, which would take duplicates away."""

import json

from canary.sandbox.clickhouse_engine import Engine, Statement

_COPY = "default.compacting"
_LARGE_ROWS = 100_000


def compact(engine: Engine, table: str, *, over: int) -> None:
    """Put the small parts of each partition that has more than `over` of them into one; large ones stay.

    Readers see the old parts or the new ones. Nobody may insert meanwhile. Without this, ClickHouse slows
    inserts down at 1000 parts, and lookups long before.
    """
    crowded = [
        partition for partition, small in _parts(engine, "posthog", table).items() if len(small) > over
    ]
    if not crowded:
        return
    _run(engine, f"CREATE OR REPLACE TABLE {_COPY} AS posthog.{table}")
    _run(engine, f"SYSTEM STOP MERGES {_COPY}")
    for partition in crowded:
        _copy_partition(engine, table, partition)
        _run(engine, f"ALTER TABLE posthog.{table} REPLACE PARTITION ID '{partition}' FROM {_COPY}")
    _run(engine, f"DROP TABLE {_COPY} SYNC")


def _copy_partition(engine: Engine, table: str, partition: str) -> None:
    """Large parts are attached, which costs nothing; the rows of small ones are written again."""
    small = _parts(engine, "posthog", table)[partition]
    if partition in _parts(engine, "posthog", table, large=True):
        _run(engine, f"ALTER TABLE {_COPY} ATTACH PARTITION ID '{partition}' FROM posthog.{table}")
        copied = _parts(engine, *_COPY.split("."))[partition]
        _run(engine, f"ALTER TABLE {_COPY} " + ", ".join(f"DROP PART '{part}'" for part in copied))
    names = ", ".join(f"'{part}'" for part in small)
    # An insert would drop duplicates inside its block by itself.
    _run(
        engine,
        f"INSERT INTO {_COPY} SELECT * FROM posthog.{table} WHERE _part IN ({names}) "
        "SETTINGS optimize_on_insert = 0, max_threads = 1",
    )


def _parts(engine: Engine, database: str, table: str, *, large: bool = False) -> dict[str, list[str]]:
    """Names of the parts below the limit, or from it on, by partition."""
    lines = engine.run(
        Statement(
            "SELECT partition_id, groupArray(name) AS names FROM system.parts "
            "WHERE active AND database = {database:String} AND table = {table:String} "
            "AND (rows >= {limit:UInt64}) = {large:UInt8} GROUP BY partition_id",
            format="JSONEachRow",
            params={
                "database": database,
                "table": table,
                "limit": str(_LARGE_ROWS),
                "large": str(int(large)),
            },
        )
    ).body.splitlines()
    return {row["partition_id"]: row["names"] for row in map(json.loads, lines)}


def _run(engine: Engine, sql: str) -> None:
    engine.run(Statement(sql))
