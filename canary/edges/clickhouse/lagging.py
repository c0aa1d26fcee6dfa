"""How far the server that is asked is behind its replicas, as `system.replicas` tells.

Rows that another replica took in come to it by and by, after the consumer's commit. It knows of those that it
has not fetched yet (ClickHouse's documentation, "system.replicas"); one that is read-only fetches none.
"""

from collections.abc import Sequence
from datetime import timedelta

from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.schema import Place
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.sql import Statement


def about_replicas(tables: Sequence[Place], *, catalog: str) -> Statement:
    """The worst of these tables on this server; nothing of those that are not replicated."""
    return Statement(
        "SELECT toString(max(absolute_delay)), toString(max(is_readonly))"
        f" FROM {catalog}.replicas WHERE has({{tables:Array(String)}}, concat(database, '.', table))"
        " HAVING count() > 0",
        {"tables": [f"{database}.{table}" for database, table in tables]},
        ("delay", "readonly"),
    )


def lagging(session: Session, tables: Sequence[Place], grace: timedelta, *, catalog: str = "system") -> str:
    """Why what these tables lack may be on its way to them; "" where nothing says so. Never raises."""
    try:
        rows = session.catalog(about_replicas(tables, catalog=catalog)).rows
        delay, readonly = (int(rows[0][name] or 0) if rows else 0 for name in ("delay", "readonly"))
    except (Blind, ValueError, KeyError):  # no right to see them
        return ""
    if readonly:
        return "the server takes no rows from its replicas (read-only)"
    return f"the server is {delay} s behind its replicas" if delay > grace.total_seconds() else ""
