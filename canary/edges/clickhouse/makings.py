"""How tables are made: the questions, which of them belong together, and what is compared of them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from canary.described import ALTERED, OPAQUE
from canary.edges.clickhouse import sql
from canary.edges.clickhouse.feeders import behind, view_target

Row = Mapping[str, str]

MOST_LOGGED = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PASSING = "'Kafka', 'MaterializedView', 'Distributed'"
"""Engines of what stands between a topic and a table."""
CHANGING = (
    "Alter",
    "Create",
    "Drop",
    "Rename",
    "Truncate",
    "Attach",
    "Detach",
    "Undrop",
    "Optimize",
    "System",
)
"""Kinds of statements that change a table or what happens in it."""


def about_makings(database: str) -> sql.Statement:
    """Every table of a database, and every one that could stand between a topic and it."""
    passing = f"engine IN ({PASSING})"
    return sql.Statement(
        f"SELECT concat(database, '.', name), engine, if({passing}, engine_full, ''),"
        f" if({passing}, create_table_query, ''), arrayStringConcat(arrayMap((d, t) -> concat(d, '.', t),"
        " dependencies_database, dependencies_table), '\\n'), sorting_key, partition_key,"
        " toString(cityHash64(engine_full)), toString(cityHash64(as_select)), toString(uuid),"
        " toString(toUnixTimestamp(metadata_modification_time)), hostName(), version()"
        f" FROM system.tables WHERE {passing} OR database = {{database:String}}",
        {"database": database},
        (
            "name",
            "engine",
            "engine_full",
            "create",
            "dependencies",
            "sorting",
            "partition",
            "engine_hash",
            "select_hash",
            "uuid",
            "altered",
            "host",
            "version",
        ),
    )


def about_all_columns(names: Sequence[str]) -> sql.Statement:
    """The columns of these tables, with their types and what fills them in."""
    return sql.Statement(
        "SELECT concat(database, '.', table), name, type, default_kind,"
        " if(default_expression = '', '', toString(cityHash64(default_expression))), hostName()"
        " FROM system.columns WHERE concat(database, '.', table) IN {names:Array(String)}",
        {"names": list(names)},
        ("table", "name", "type", "kind", "default", "host"),
    )


def about_log(names: Sequence[str], since: datetime) -> sql.Statement:
    """Statements since a time that changed one of these tables; literals are left out by the server."""
    kinds = ", ".join(f"'{kind}'" for kind in CHANGING)
    hit = "has(tables, one) OR (empty(tables) AND position(query, one) > 0)"
    named = f"arrayFirst(one -> {hit}, {{names:Array(String)}})"
    return sql.Statement(
        f"SELECT toString(toUnixTimestamp(event_time)), {named} AS hit, toString(query_kind), user,"
        " substring(normalizeQuery(query), 1, 120) FROM system.query_log"
        " WHERE event_date >= toDate({since:UInt32}) AND event_time > toDateTime({since:UInt32})"
        f" AND type = 'QueryFinish' AND toString(query_kind) IN ({kinds}) AND hit != ''"
        f" ORDER BY event_time DESC LIMIT {MOST_LOGGED}",
        {"names": list(names), "since": str(max(int((since - EPOCH).total_seconds()), 0))},
        ("at", "table", "kind", "user", "text"),
    )


def related(rows: Iterable[Row], own: Iterable[str]) -> dict[str, Row]:
    """Of these tables ("database.name") the own ones, and all that feed them or lie behind them."""
    known = {row["name"]: row for row in rows}
    found = {name for name in own if name in known}
    while more := {name for name in known if name not in found and _belongs(known, name, found)}:
        found |= more
    return {name: known[name] for name in sorted(found)}


def _belongs(known: Mapping[str, Row], name: str, found: set[str]) -> bool:
    row = known[name]
    if any(behind(known[one]) == name for one in found):
        return True
    return bool(found & {behind(row), *_fed(row)})


def _fed(row: Row) -> Iterator[str]:
    """What a view or a Kafka table passes rows on to."""
    if row["engine"] == "MaterializedView" and (fed := view_target(row["create"], row["name"])):
        yield fed
    if row["engine"] == "Kafka":
        yield from row["dependencies"].split("\n")


def aspects(row: Row) -> dict[str, str]:
    """What is compared of a table."""
    return {
        "engine": row["engine"],
        "sorting key": row["sorting"],
        "partition key": row["partition"],
        "engine, settings or TTL changed": f"{OPAQUE}{row['engine_hash']}",
        "its query changed": f"{OPAQUE}{row['select_hash']}",
        "was made again": f"{OPAQUE}{row['uuid']}",
        ALTERED: f"{OPAQUE}{row['altered']}",
    }


def column(row: Row) -> dict[str, str]:
    """What is compared of a column; of what fills it in only whether that changed."""
    told = {f"column {row['name']}": f"{row['type']} {row['kind']}".strip()}
    if row["kind"]:
        told[f"what fills column {row['name']} in changed"] = f"{OPAQUE}{row['default']}"
    return told


def moment(text: str, ahead: timedelta) -> datetime | None:
    """Unix seconds of a server's clock that is `ahead` of our line; None for a time that was never set."""
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0
    return EPOCH + timedelta(seconds=seconds) - ahead if seconds else None
