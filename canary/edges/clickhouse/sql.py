"""Builds the statements that are sent to ClickHouse. Pure: text and bound parameters out, nothing asked."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from canary.edges.clickhouse.schema import Column, Place, Shape, quoted
from canary.values import Wanted

Parameter = str | list[str] | list[int]

ARRIVAL_MARGIN = timedelta(days=1)
"""Rows can be stamped this much before their send by clocks that are wrong."""

MAX_LIST_BYTES = 60_000
"""Lists beyond this stay out of a query: servers refuse form fields of 128 KiB."""

_CALL = re.compile(r"(\w+)\(`?(\w+)`?\)")
_CLOCK = "SELECT toString(toUnixTimestamp64Micro(now64(6)))"


@dataclass(frozen=True, slots=True)
class Statement:
    """Text, bound parameters and the logical names of the answer's columns."""

    sql: str
    parameters: Mapping[str, Parameter]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prune:
    """What a lookup may rely on as it was sent: the row's day, its tenant and distinct_id, its event."""

    day: bool
    rest: bool
    event: bool = False
    day_margin: timedelta = timedelta(days=1)


def clock() -> Statement:
    """The server's clock in microseconds."""
    return Statement(_CLOCK, {}, ("clock",))


def about_table(database: str, table: str, *, cluster: str = "") -> Statement:
    """Engine and keys, from this server or from any shard of a cluster."""
    source = f"cluster({_text(cluster)}, system.tables)" if cluster else "system.tables"
    return Statement(
        f"SELECT engine, engine_full, partition_key, sorting_key FROM {source}"
        " WHERE database = {database:String} AND name = {table:String} LIMIT 1",
        {"database": database, "table": table},
        ("engine", "engine_full", "partition_key", "sorting_key"),
    )


def about_columns(database: str, table: str) -> Statement:
    """Names and types of the columns we may read, and of what kind their default is."""
    return Statement(
        "SELECT name, type, toString(default_kind) FROM system.columns"
        " WHERE database = {database:String} AND table = {table:String}",
        {"database": database, "table": table},
        ("name", "type", "kind"),
    )


def about_indexes(database: str, table: str) -> Statement:
    """Expressions that have a minmax index."""
    return Statement(
        "SELECT expr FROM system.data_skipping_indices"
        " WHERE database = {database:String} AND table = {table:String} AND type = 'minmax'",
        {"database": database, "table": table},
        ("expr",),
    )


def about_distributed() -> Statement:
    """Every Distributed table, and what it leads to in its engine's own words."""
    return Statement(
        "SELECT database, name, engine_full FROM system.tables WHERE engine = 'Distributed'",
        {},
        ("database", "name", "engine_full"),
    )


def queued(cluster: str, places: Sequence[Place]) -> Statement:
    """How many files wait in the queues of these Distributed tables, on all servers of the cluster."""
    named = ", ".join(f"({_text(database)}, {_text(table)})" for database, table in places)
    return Statement(
        f"SELECT toString(sum(data_files)) FROM clusterAllReplicas({_text(cluster)},"
        f" system.distribution_queue) WHERE (database, table) IN ({named})",
        {},
        ("files",),
    )


def about_types(database: str, table: str, expressions: Sequence[str]) -> Statement:
    """The types of expressions over a table: analysed by the server, no row is read."""
    listed = ", ".join(f"({expression}) AS canary_{n}" for n, expression in enumerate(expressions))
    return Statement(f"DESCRIBE TABLE (SELECT {listed} FROM {_from(database, table)})", {}, ("name", "type"))


def lookup(
    shape: Shape,
    wanted: Sequence[Wanted],
    *,
    prune: Prune,
    tenants: AbstractSet[str],
    rows_per_id: int,
    contents: bool = True,
) -> Statement:
    """All rows of these canaries, at most `rows_per_id` of each, with as little read as `prune` allows.

    Without `contents` the properties stay where they are.
    """
    parameters: dict[str, Parameter] = {"ids": [str(one.id) for one in wanted]}
    conditions = [id_condition(shape.columns["id"])]
    kind = _id_type(shape.columns["id"])
    conditions += hash_conditions(shape, "id", f"{{ids:Array({kind})}}", kind)
    if prune.rest:
        conditions += _rest_conditions(shape, wanted, tenants, parameters)
    if prune.event and shape.in_sorting_key("event"):
        conditions.append(_event_condition(shape.columns["event"], wanted, parameters))
    if prune.day and shape.in_any_key("timestamp") and _is_time(shape.columns["timestamp"]):
        conditions += _day_conditions(shape.columns["timestamp"], wanted, prune.day_margin, parameters)
        if shape.arrival_in_key or (not tenants and shape.in_sorting_key("tenant")):
            conditions += _arrival_condition(shape, wanted, parameters)
    else:
        conditions += _arrival_condition(shape, wanted, parameters)
    outputs = _outputs(shape, contents)
    listed = ", ".join(f"{expression} AS canary_{n}" for n, expression in enumerate(outputs.values()))
    sql = (
        f"SELECT {listed} FROM {_from(shape.database, shape.table)}"
        f" WHERE {' AND '.join(conditions)} LIMIT {rows_per_id:d} BY canary_0"
    )
    return Statement(sql, parameters, tuple(outputs))


def _outputs(shape: Shape, contents: bool) -> dict[str, str]:
    """Everything as text: a row whose values no client type could hold is still readable."""
    columns = shape.columns if contents else {n: c for n, c in shape.columns.items() if n != "properties"}
    outputs = {name: _as_text(column) for name, column in columns.items()}
    if shape.reason is not None:
        outputs["reason"] = _as_text(shape.reason)
    if shape.partition_key:
        outputs["part"] = f"toString(tuple({shape.partition_key}))"
    if shape.sorting_key:
        outputs["key"] = f"toString(tuple({', '.join(shape.sorting_key)}))"
    if shape.distributed:
        outputs["shard"] = "toString(_shard_num)"
    return outputs


def _as_text(column: Column) -> str:
    if column.base.startswith("DateTime"):
        return f"toString(toTimeZone({column.expression}, 'UTC'))"
    return f"toString({column.expression})"


def _id_type(column: Column) -> str:
    return "UUID" if column.base == "UUID" else "String"


def id_condition(column: Column, listed: str = "") -> str:
    """The id is one of the parameter `ids`, or of what an expression lists."""
    if column.base == "UUID":
        return f"{column.expression} IN {listed or '{ids:Array(UUID)}'}"
    plain = column.base == "String"
    expression = column.expression if plain else f"toString({column.expression})"
    return f"{expression} IN {listed or '{ids:Array(String)}'}"


def hash_conditions(shape: Shape, logical: str, listed: str, kind: str) -> list[str]:
    """`hash(column)` in the sorting key prunes only when asked for by the same expression."""
    column = shape.columns[logical]
    if column.base != kind:
        return []
    found = []
    for key in shape.sorting_key:
        call = _CALL.fullmatch(key)
        if call and call.group(2) == column.expression.strip("`"):
            found.append(f"{key} IN (SELECT {call.group(1)}(arrayJoin({listed})))")
    return found


def _rest_conditions(
    shape: Shape, wanted: Sequence[Wanted], tenants: AbstractSet[str], parameters: dict[str, Parameter]
) -> list[str]:
    conditions = []
    pool = sorted({one.distinct_id for one in wanted})
    if shape.in_sorting_key("distinct_id") and sum(len(one.encode()) + 4 for one in pool) < MAX_LIST_BYTES:
        conditions += _distinct_conditions(shape, pool, parameters)
    if tenants and shape.in_sorting_key("tenant"):
        conditions.append(_tenant_condition(shape.columns["tenant"], tenants, parameters))
    return conditions


def _event_condition(column: Column, wanted: Sequence[Wanted], parameters: dict[str, Parameter]) -> str:
    parameters["events"] = sorted({one.event for one in wanted})
    expression = column.expression if column.base == "String" else f"toString({column.expression})"
    return f"{expression} IN {{events:Array(String)}}"


def _distinct_conditions(shape: Shape, pool: list[str], parameters: dict[str, Parameter]) -> list[str]:
    column = shape.columns["distinct_id"]
    conditions = hash_conditions(shape, "distinct_id", "{pool:Array(String)}", "String")
    if column.base == "String" and column.expression in shape.sorting_key:
        conditions.append(f"{column.expression} IN {{pool:Array(String)}}")
    if conditions:
        parameters["pool"] = pool
    return conditions


def _tenant_condition(column: Column, tenants: AbstractSet[str], parameters: dict[str, Parameter]) -> str:
    if re.fullmatch(r"U?Int(8|16|32|64)", column.base):
        parameters["tenants"] = sorted(int(one) for one in tenants)
        return f"{column.expression} IN {{tenants:Array({column.base})}}"
    parameters["tenants"] = sorted(tenants)
    expression = column.expression if column.base == "String" else f"toString({column.expression})"
    return f"{expression} IN {{tenants:Array(String)}}"


def _day_conditions(
    column: Column, wanted: Sequence[Wanted], margin: timedelta, parameters: dict[str, Parameter]
) -> list[str]:
    """Whole days: what is asked again a second later is the same text, whose plan servers may keep."""
    first = _midnight(min(one.sent_at for one in wanted) - margin)
    last = _midnight(max(one.sent_at for one in wanted) + margin) + timedelta(days=1)
    parameters["since"], parameters["until"] = stamp(first), stamp(last)
    convert = "toDate({%s:String})" if column.base.startswith("Date") and "Time" not in column.base else None
    convert = convert or "toDateTime64({%s:String}, 6, 'UTC')"
    return [f"{column.expression} >= {convert % 'since'}", f"{column.expression} < {convert % 'until'}"]


def _arrival_condition(shape: Shape, wanted: Sequence[Wanted], parameters: dict[str, Parameter]) -> list[str]:
    arrival = shape.arrival
    if arrival is None or not _is_time(arrival):
        return []
    parameters["arrived"] = stamp(min(one.sent_at for one in wanted) - ARRIVAL_MARGIN)
    later = f"{arrival.expression} >= toDateTime64({{arrived:String}}, 6, 'UTC')"
    if arrival.type.startswith("Nullable"):
        later = f"({later} OR {arrival.expression} IS NULL)"
    return [later]


def _is_time(column: Column) -> bool:
    return column.base.startswith("Date")


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def stamp(moment: datetime) -> str:
    """A time in whole seconds, in UTC, as a parameter carries it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _from(database: str, table: str) -> str:
    return f"{quoted(database)}.{quoted(table)}"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def precise_stamp(moment: datetime) -> str:
    """The same with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
