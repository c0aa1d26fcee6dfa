"""The statements: what they ask for, what they bind, and which keys they use."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.edges.clickhouse import schema, sql
from canary.edges.clickhouse.settings import Settings
from canary.values import Wanted

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POSTHOG_KEY = "team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid)"
POSTHOG_COLUMNS = {
    "uuid": "UUID",
    "event": "String",
    "distinct_id": "String",
    "timestamp": "DateTime64(6, 'UTC')",
    "properties": "String",
    "team_id": "Int64",
    "inserted_at": "Nullable(DateTime64(6, 'UTC'))",
    "_timestamp": "DateTime",
    "_offset": "UInt64",
}
LOOK = sql.Prune(day=True, rest=True, event=True)
COPIES = sql.Prune(day=False, rest=True)
LAST = sql.Prune(day=False, rest=False)


def _settings(**changed: object) -> Settings:
    return Settings(**{"name": "events", "url": "http://h", "database": "d", "table": "t", **changed})  # type: ignore[arg-type]


def _shape(
    columns: Mapping[str, str] = POSTHOG_COLUMNS,
    *,
    key: str = POSTHOG_KEY,
    partition: str = "toYYYYMM(timestamp)",
    engine: str = "ReplacingMergeTree",
    minmax: tuple[str, ...] = ("COALESCE(inserted_at, _timestamp)",),
    settings: Settings | None = None,
) -> schema.Shape:
    settings = settings or _settings()
    raw = schema.Raw(engine, engine, partition, key, columns, minmax)
    wish = schema.wished(settings, columns)
    arrival = schema.arrival_expression(settings, raw)
    types = [columns.get(expression, "String") for expression in wish.values()]
    return schema.shape(
        settings, "t", raw=raw, local=None, wish=wish, types=[*types, *(["DateTime"] if arrival else [])]
    )


def _wanted(*ages: float) -> list[Wanted]:
    return [
        Wanted(uuid.UUID(int=number), NOON - timedelta(days=age), "ingestion_canary", f"d{number}")
        for number, age in enumerate(ages)
    ]


def _lookup(shape: schema.Shape, prune: sql.Prune, *, tenants: frozenset[str] = frozenset()) -> sql.Statement:
    return sql.lookup(shape, _wanted(0, 0.25), prune=prune, tenants=tenants, rows_per_id=11)


def test_a_look_uses_every_part_of_posthogs_key() -> None:
    """Tenant, day, event and both hashes narrow the lookup; the ids alone decide it."""
    asked = _lookup(_shape(), LOOK, tenants=frozenset({"7"}))
    for part in (
        "uuid IN {ids:Array(UUID)}",
        "team_id IN {tenants:Array(Int64)}",
        "timestamp >= toDateTime64({since:String}, 6, 'UTC')",
        "timestamp < toDateTime64({until:String}, 6, 'UTC')",
        "event IN {events:Array(String)}",
        "cityHash64(distinct_id) IN (SELECT cityHash64(arrayJoin({pool:Array(String)})))",
        "cityHash64(uuid) IN (SELECT cityHash64(arrayJoin({ids:Array(UUID)})))",
    ):
        assert part in asked.sql
    assert asked.parameters["tenants"] == [7]
    assert asked.parameters["pool"] == ["d0", "d1"]
    assert "_timestamp) >=" not in asked.sql


def test_without_a_tenant_a_look_goes_by_arrival_too() -> None:
    """Where the key's first column is open, the index on arrival saves what it can."""
    assert "COALESCE(inserted_at, _timestamp) >=" in _lookup(_shape(), LOOK).sql


def test_days_reach_from_the_day_before_to_the_day_after() -> None:
    """Whole days, half-open, whatever the time of day."""
    asked = _lookup(_shape(), LOOK)
    assert asked.parameters["since"] == "2026-02-28 00:00:00"
    assert asked.parameters["until"] == "2026-03-03 00:00:00"


def test_copies_keep_all_but_the_day_and_the_name() -> None:
    """Copies may lie on any day and under any name, and rows that came before the send are none."""
    asked = _lookup(_shape(), COPIES)
    assert "since" not in asked.parameters
    assert "event IN" not in asked.sql
    assert "event IN" in _lookup(_shape(), replace(COPIES, event=True)).sql
    assert "COALESCE(inserted_at, _timestamp) >= toDateTime64({arrived:String}, 6, 'UTC')" in asked.sql
    assert asked.parameters["arrived"] == "2026-02-28 06:00:00"


def test_the_last_look_trusts_the_id_alone() -> None:
    """Neither day nor event nor distinct_id nor tenant: any of them may be what was mangled."""
    asked = _lookup(_shape(), LAST, tenants=frozenset({"7"}))
    assert set(asked.parameters) == {"ids", "arrived"}


def test_what_no_key_knows_is_no_condition() -> None:
    """A condition on a column outside the keys saves nothing and hides a mangled row."""
    asked = _lookup(_shape(key="uuid", partition="", minmax=()), LOOK)
    assert set(asked.parameters) == {"ids"}


def test_a_table_with_nothing_but_an_id_can_be_asked() -> None:
    """Ids as text, no event, no time, no properties."""
    columns = {"key": "LowCardinality(String)"}
    shape = _shape(columns, key="key", partition="", minmax=(), settings=_settings(match="key"))
    asked = _lookup(shape, LOOK)
    assert asked.fields == ("id", "key")
    assert "WHERE key IN {ids:Array(String)} LIMIT" in asked.sql


def test_an_id_inside_the_properties_can_be_matched() -> None:
    """Old versions replace the uuid: the id then stands in a property."""
    expression = "JSONExtractString(properties, 'canary_id')"
    shape = _shape(settings=_settings(match=expression))
    assert f"{expression} IN {{ids:Array(String)}}" in _lookup(shape, LOOK).sql


def test_a_timestamp_that_is_no_time_prunes_nothing() -> None:
    """Text or numbers cannot be compared with a day."""
    asked = _lookup(_shape({**POSTHOG_COLUMNS, "timestamp": "String"}), LOOK)
    assert "since" not in asked.parameters


def test_a_sorting_key_on_arrival_prunes_by_arrival() -> None:
    """`events_recent` is sorted by the hour in which a record came."""
    shape = _shape(key="team_id, toStartOfHour(_timestamp), event", partition="toStartOfHour(_timestamp)")
    asked = _lookup(shape, LOOK)
    assert "_timestamp >= toDateTime64({arrived:String}, 6, 'UTC')" in asked.sql


def test_long_lists_of_distinct_ids_stay_out() -> None:
    """Servers refuse form fields of 128 KiB; the ids are enough."""
    wanted = [Wanted(uuid.uuid4(), NOON, "e", "d" * 300 + str(n)) for n in range(300)]
    asked = sql.lookup(_shape(), wanted, prune=LOOK, tenants=frozenset(), rows_per_id=11)
    assert "pool" not in asked.parameters


@given(st.text(max_size=20), st.text(max_size=20))
def test_names_cannot_leave_their_quotes(database: str, table: str) -> None:
    """However a table is called, its name stays a name."""
    text = sql.about_types(database, table, ["1"]).sql
    inside = text.split(" FROM ", 1)[1].removesuffix(")")
    assert inside == f"{schema.quoted(database)}.{schema.quoted(table)}"
    for name in (database, table):
        quoted = schema.quoted(name)[1:-1]
        assert "`" not in quoted.replace("\\\\", "").replace("\\`", "")


def test_values_never_stand_in_the_text() -> None:
    """Everything that canaries bring is bound."""
    hostile = [Wanted(uuid.UUID(int=1), NOON, "e'); DROP TABLE x --", "d`'\\")]
    text = sql.lookup(_shape(), hostile, prune=LOOK, tenants=frozenset({"1"}), rows_per_id=11).sql
    assert "DROP" not in text
    assert "d`'" not in text
