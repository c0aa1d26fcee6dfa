"""Keeps a table of many small inserts in few parts without merging, which would take duplicates away."""

import json

from canary.sandbox.clickhouse_engine import Engine, Statement

_COPY = "default.compacting"


def compact(engine: Engine, table: str, *, over: int) -> None:
    """Write each partition of more than `over` parts again as it is; readers see the old parts or the new.

    Nobody may insert meanwhile. ClickHouse slows inserts down at 1000 parts, and lookups long before.
    """
    partitions = _crowded(engine, table, over)
    if not partitions:
        return
    _run(engine, f"CREATE OR REPLACE TABLE {_COPY} AS posthog.{table}")
    _run(engine, f"SYSTEM STOP MERGES {_COPY}")
    for partition in partitions:
        # An insert would drop duplicates inside its block by itself.
        _run(
            engine,
            f"INSERT INTO {_COPY} SELECT * FROM posthog.{table} WHERE _partition_id = '{partition}' "
            "SETTINGS optimize_on_insert = 0, max_threads = 1",
        )
        _run(engine, f"ALTER TABLE posthog.{table} REPLACE PARTITION ID '{partition}' FROM {_COPY}")
    _run(engine, f"DROP TABLE {_COPY} SYNC")


def _crowded(engine: Engine, table: str, over: int) -> list[str]:
    lines = engine.run(
        Statement(
            "SELECT partition_id FROM system.parts "
            "WHERE active AND database = 'posthog' AND table = {table:String} "
            "GROUP BY partition_id HAVING count() > {over:UInt64}",
            format="JSONEachRow",
            params={"table": table, "over": str(over)},
        )
    ).body.splitlines()
    return [str(json.loads(line)["partition_id"]) for line in lines]


def _run(engine: Engine, sql: str) -> None:
    engine.run(Statement(sql))
