"""The question to a table of ingestion warnings, where the pipeline writes down what it dropped and why."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from canary.edges.clickhouse import sql
from canary.edges.clickhouse.client import Reply
from canary.edges.clickhouse.schema import quoted
from canary.edges.clickhouse.settings import Settings

DAYS_BACK = timedelta(days=7)
MOST = 20
_NEEDED = ("type", "details", "timestamp")


def warned(
    database: str, table: str, id_: UUID, *, since: datetime, ask: Callable[[sql.Statement], Reply]
) -> sql.Statement | None:
    """Warnings whose details name this id; None where no such table can be asked. Raises Blind."""
    columns = {row["name"] for row in ask(sql.about_columns(database, table)).rows}
    if not columns.issuperset(_NEEDED):
        return None
    source = "toString(source)" if "source" in columns else "''"
    where = f"{quoted(database)}.{quoted(table)}"
    return sql.Statement(
        f"SELECT toString(toTimeZone(timestamp, 'UTC')), toString(type), {source}, toString(details)"
        f" FROM {where} WHERE timestamp >= toDateTime64({{since:String}}, 6, 'UTC')"
        " AND positionCaseInsensitive(toString(details), {id:String}) > 0"
        f" ORDER BY timestamp LIMIT {MOST}",
        {"id": str(id_), "since": sql.stamp(since)},
        ("at", "type", "source", "details"),
    )


def counted(
    settings: Settings, table: str, *, since: datetime, ask: Callable[[sql.Statement], Reply]
) -> dict[str, int]:
    """How many warnings of each type since a time, of the stage's tenants where they are known.

    Nothing where there is no such table. Raises Blind.
    """
    columns = {row["name"] for row in ask(sql.about_columns(settings.database, table)).rows}
    if not columns.issuperset(("type", "timestamp")):
        return {}
    mine = bool(settings.tenants) and "team_id" in columns
    parameters: dict[str, sql.Parameter] = {"since": sql.stamp(since)}
    if mine:
        parameters["tenants"] = list(settings.tenants)
    rows = ask(
        sql.Statement(
            f"SELECT toString(type), toString(count()) FROM {quoted(settings.database)}.{quoted(table)}"
            " WHERE timestamp >= toDateTime64({since:String}, 6, 'UTC')"
            f"{' AND toString(team_id) IN {tenants:Array(String)}' if mine else ''}"
            f" GROUP BY type ORDER BY count() DESC LIMIT {MOST}",
            parameters,
            ("type", "count"),
        )
    ).rows
    return {row["type"] or "": int(row["count"] or 0) for row in rows}
