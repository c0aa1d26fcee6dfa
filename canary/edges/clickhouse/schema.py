"""What a table is like, as far as lookups care: its keys, its columns, what merges away. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from canary.edges.clickhouse.settings import DEFAULT_COLUMNS, LOGICAL, Settings

KEEP = timedelta(minutes=10)
"""For so long what a table is like is believed before it is asked for again."""

Place = tuple[str, str]
"""A database and a table in it."""

_MERGES = re.compile(r"(Replacing|Coalescing|Aggregating|Summing)MergeTree$")
_DISTRIBUTED = re.compile(r"^Distributed\(")
_TTL = re.compile(r"\sTTL\s(.+?)(?:\sSETTINGS\s|$)", re.DOTALL)
_HARMLESS_CALLS = frozenset({"coalesce", "ifnull", "assumenotnull"})


@dataclass(frozen=True, slots=True)
class Raw:
    """One row of `system.tables`, with what belongs to it from its neighbours."""

    engine: str
    engine_full: str
    partition_key: str
    sorting_key: str
    columns: Mapping[str, str]
    minmax: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """An expression over the table, and the type of its result."""

    expression: str
    type: str

    @property
    def base(self) -> str:
        """The type without Nullable and LowCardinality."""
        bare = self.type
        while match := re.fullmatch(r"(?:Nullable|LowCardinality)\((.*)\)", bare, re.DOTALL):
            bare = match.group(1)
        return bare


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as lookups need it.

    `columns` by logical name ("id" always there); `arrival` is an expression that an index or key
    knows and that tells when a row came, whatever the event's own timestamp says. `known_keys` is False
    where the local table behind a Distributed one could not be read. `ttl` says how long rows are kept.
    """

    database: str
    table: str
    columns: Mapping[str, Column]
    partition_key: str = ""
    sorting_key: tuple[str, ...] = ()
    arrival: Column | None = None
    distributed: bool = False
    merges: bool = False
    known_keys: bool = True
    reason: Column | None = None
    ttl: str = ""

    @property
    def place(self) -> str:
        return self.table

    def in_sorting_key(self, logical: str) -> bool:
        """Whether the sorting key speaks of this column (assumed where it could not be read)."""
        column = self.columns.get(logical)
        return column is not None and (not self.known_keys or _mentions(self.sorting_key, column.expression))

    def in_any_key(self, logical: str) -> bool:
        """The same for sorting or partition key."""
        column = self.columns.get(logical)
        return column is not None and (
            self.in_sorting_key(logical) or _mentions((self.partition_key,), column.expression)
        )

    @property
    def merges_events(self) -> bool:
        """Whether merges may make one row of several events', as far as is known: of those with one id."""
        by_offset = self.in_sorting_key("partition") and self.in_sorting_key("offset")
        return self.merges and self.known_keys and not by_offset

    @property
    def replaces(self) -> str:
        """By what they do where the events' ids differ; "" where each of them keeps a row."""
        names = re.findall(r"[A-Za-z_]\w*", self.columns["id"].expression)
        if not self.merges_events or any(_mentions(self.sorting_key, name) for name in names):
            return ""
        return ", ".join(self.sorting_key) or "nothing at all"

    @property
    def arrival_in_key(self) -> bool:
        return self.arrival is not None and _mentions(
            (*self.sorting_key, self.partition_key), self.arrival.expression
        )

    def scans(self) -> bool:
        """Whether a lookup must read the whole table, as far as its keys tell."""
        if not self.known_keys or self.in_any_key("timestamp") or self.arrival_in_key:
            return False
        first = self.sorting_key[:1]
        names = ("id", "tenant", "event", "distinct_id")
        return not any(
            _mentions(first, self.columns[name].expression) for name in names if name in self.columns
        )


def quoted(name: str) -> str:
    """An identifier that cannot break out of its quotes."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def split(text: str) -> tuple[str, ...]:
    """Split at the commas outside of brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    skip = False
    for at, char in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip, quote = char == "\\", "" if char == quote else quote
        elif char in "'`\"":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return tuple(part for part in (*parts, text[start:].strip()) if part)


def behind(raw: Raw) -> tuple[str, str, str] | None:
    """(cluster, database, table) that a Distributed table stands for; None for any other."""
    return target(raw.engine_full) if raw.engine == "Distributed" else None


def target(engine_full: str) -> tuple[str, str, str] | None:
    """The same, from the engine's own words."""
    if not _DISTRIBUTED.match(engine_full):
        return None
    inside = engine_full[len("Distributed(") :]
    parts = split(inside[: _closing(inside)])
    if len(parts) < 3:
        return None
    cluster, database, table = (part.strip("'`\"") for part in parts[:3])
    return cluster, database, table


def wished(settings: Settings, columns: Mapping[str, str]) -> dict[str, str]:
    """Logical name -> expression, for what is configured or there by its usual name."""
    found = {"id": settings.match}
    for logical in LOGICAL:
        usual = DEFAULT_COLUMNS[logical]
        expression = settings.columns.get(logical, usual if usual in columns else "")
        if expression:
            found[logical] = expression
    return found


def dead_letter_wished(settings: Settings, columns: Mapping[str, str]) -> dict[str, str] | None:
    """The same for a dead-letter table, which has names of its own; None where no id can be found."""
    match = next((name for name in (settings.match, "event_uuid", "uuid") if name in columns), None)
    if match is None:
        return None
    found = {"id": match}
    for logical in ("event", "distinct_id", "properties", "tenant", "offset", "partition"):
        if DEFAULT_COLUMNS[logical] in columns:
            found[logical] = DEFAULT_COLUMNS[logical]
    at = next((name for name in ("error_timestamp", "inserted_at") if name in columns), None)
    why = next((name for name in ("error", "reason", "dlq_reason") if name in columns), None)
    return found | ({"at": at} if at else {}) | ({"reason": why} if why else {})


def arrivals(settings: Settings) -> tuple[str, str]:
    """The columns that tell when a row came, whether the table has them or not."""
    return settings.columns.get("kafka_time", "_timestamp"), settings.columns.get("at", "inserted_at")


def arrival_expression(settings: Settings, raw: Raw) -> str:
    """What tells when a row came and is known to an index or a key; "" where nothing is."""
    names = arrivals(settings)
    keys = (*split(raw.sorting_key), raw.partition_key)
    for name in names:
        if name in raw.columns and _mentions(keys, name):
            return name
    fit = [expression for expression in raw.minmax if _is_arrival(expression, names)]
    return max(fit, key=len, default="")


def shape(
    settings: Settings,
    table: str,
    *,
    raw: Raw,
    local: Raw | None,
    wish: Mapping[str, str],
    types: Sequence[str],
) -> Shape:
    """Put together what was read; `types` are those of the wishes' expressions, then of the arrival's."""
    keys = local or raw
    columns = {name: Column(wish[name], kind) for name, kind in zip(wish, types, strict=False)}
    arrival = arrival_expression(settings, keys)
    distributed = raw.engine == "Distributed"
    return Shape(
        database=settings.database,
        table=table,
        columns={name: column for name, column in columns.items() if name != "reason"},
        partition_key=keys.partition_key if keys.engine != "Distributed" else "",
        sorting_key=split(keys.sorting_key),
        arrival=Column(arrival, types[-1]) if arrival and len(types) > len(wish) else None,
        distributed=distributed,
        merges=bool(_MERGES.search(keys.engine)),
        known_keys=not (distributed and local is None) and "View" not in keys.engine,
        reason=columns.get("reason"),
        ttl=ttl(keys.engine_full),
    )


def ttl(engine_full: str) -> str:
    """What a table's engine says of how long its rows are kept; "" where they stay."""
    told = _TTL.search(engine_full)
    return told.group(1).strip() if told else ""


def _is_arrival(expression: str, names: Sequence[str]) -> bool:
    words = set(re.findall(r"[A-Za-z_]\w*", expression))
    rest = {word.lower() for word in words - set(names)}
    return bool(words & set(names)) and rest <= _HARMLESS_CALLS


def _mentions(keys: Sequence[str], expression: str) -> bool:
    pattern = re.compile(rf"(?<![\w`]){re.escape(expression)}(?![\w`])|`{re.escape(expression)}`")
    return any(pattern.search(key) for key in keys)


def _closing(text: str) -> int:
    depth = 1
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return at
    return len(text)
