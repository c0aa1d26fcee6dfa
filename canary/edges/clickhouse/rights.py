"""The rights that a ClickHouse stage needs, as statements for the one who grants them."""

from canary.edges.clickhouse.schema import quoted
from canary.edges.clickhouse.settings import Settings


def rights(settings: Settings) -> str:
    """SQL that makes a read-only user with just enough rights and limits of its own.

    `readonly = 2` lets the monitor tighten settings (no skipped shards, few threads) but write nothing;
    `readonly = 1` would forbid that too, and the stage would be blind unless the server's values are safe.
    """
    user = quoted(settings.user)
    tables = (settings.table, *settings.siblings, *settings.dead_letters)
    grants = [f"GRANT SELECT ON {quoted(settings.database)}.{quoted(table)} TO {user};" for table in tables]
    return "\n".join(
        (
            "CREATE SETTINGS PROFILE IF NOT EXISTS ingestion_canary SETTINGS readonly = 2,",
            "    max_concurrent_queries_for_user = 4, max_memory_usage = 2000000000;",
            f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '...' SETTINGS PROFILE 'ingestion_canary';",
            *grants,
            "-- With a Distributed table, also SELECT on the local table behind it (on every shard) and:",
            f"GRANT REMOTE ON *.* TO {user};",
            "-- Where the server hides its system tables, what lookups read to prune by the table's own key:",
            *(f"GRANT SELECT ON system.{table} TO {user};" for table in _SYSTEM),
            *([f"GRANT SELECT ON system.distribution_queue TO {user};"] if settings.queue_cluster else []),
            "-- Optional: what waits for a Kafka table whose group's positions cannot be read in Kafka:",
            f"GRANT SELECT ON system.kafka_consumers TO {user};",
            "-- Optional: whether a replicated table on the server that is asked is behind its replicas:",
            f"GRANT SELECT ON system.replicas TO {user};",
            "-- Optional, so that messages can name statements that leave no other trace, such as mutations:",
            f"GRANT SELECT ON system.query_log TO {user};",
        )
    )


_SYSTEM = ("tables", "columns", "data_skipping_indices", "settings")
