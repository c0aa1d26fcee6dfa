"""What is understood of a table's definition."""

from hypothesis import given
from hypothesis import strategies as st

from canary.edges.clickhouse import schema
from canary.edges.clickhouse.settings import Settings

SETTINGS = Settings(name="events", url="http://h", database="d", table="t")


def _raw(engine: str, full: str = "", *, key: str = "", partition: str = "", **columns: str) -> schema.Raw:
    return schema.Raw(engine, full or engine, partition, key, columns)


def _shape(raw: schema.Raw, local: schema.Raw | None = None) -> schema.Shape:
    wish = schema.wished(SETTINGS, raw.columns)
    types = [raw.columns.get(expression, "String") for expression in wish.values()]
    return schema.shape(SETTINGS, "t", raw=raw, local=local, wish=wish, types=types)


def test_keys_are_split_outside_of_brackets_and_quotes() -> None:
    """A comma inside a call or a text belongs to it."""
    assert schema.split("a, f(b, g(c)), concat(d, ',)'), `e,f`") == (
        "a",
        "f(b, g(c))",
        "concat(d, ',)')",
        "`e,f`",
    )
    assert schema.split("") == ()


@given(st.lists(st.from_regex(r"[a-z]+\((?:[a-z]+(?:, [a-z]+)*)?\)", fullmatch=True), max_size=5))
def test_splitting_undoes_joining(parts: list[str]) -> None:
    """Calls joined by commas come apart as they were."""
    assert schema.split(", ".join(parts)) == tuple(parts)


def test_a_distributed_table_names_what_it_stands_for() -> None:
    """Cluster, database and table, with and without quotes, whatever the sharding key holds."""
    for full in (
        "Distributed('posthog', 'posthog', 'sharded_events', sipHash64(distinct_id)) SETTINGS a = 1",
        "Distributed(posthog, posthog, sharded_events, cityHash64(concat(a, ')', b)))",
        "Distributed('posthog', 'posthog', 'sharded_events')",
    ):
        assert schema.behind(_raw("Distributed", full)) == ("posthog", "posthog", "sharded_events")
    assert schema.behind(_raw("MergeTree", "MergeTree ORDER BY a")) is None


def test_a_distributed_table_takes_the_keys_of_its_local_one() -> None:
    """And whether copies merge away."""
    outer = _raw("Distributed", "Distributed(c, d, l)", uuid="UUID")
    inner = _raw("ReplicatedReplacingMergeTree", key="uuid, b", partition="p", uuid="UUID")
    shape = _shape(outer, inner)
    assert (shape.sorting_key, shape.partition_key, shape.merges) == (("uuid", "b"), "p", True)
    assert (shape.distributed, shape.known_keys) == (True, True)
    assert not _shape(outer).known_keys


def test_a_distributed_table_keeps_its_rows_as_long_as_its_local_one() -> None:
    """Whose TTL stands between its keys and its settings."""
    outer = _raw("Distributed", "Distributed(c, d, l) SETTINGS a = 1")
    inner = _raw("MergeTree", "MergeTree ORDER BY uuid TTL t + toIntervalDay(7) SETTINGS a = 1", uuid="UUID")
    assert _shape(outer, inner).ttl == "t + toIntervalDay(7)"
    assert _shape(outer).ttl == ""


def test_only_some_engines_merge_rows_away() -> None:
    """Two equal rows of a plain MergeTree stay two."""
    assert _shape(_raw("ReplacingMergeTree", uuid="UUID")).merges
    assert _shape(_raw("SharedReplacingMergeTree", uuid="UUID")).merges
    assert not _shape(_raw("MergeTree", uuid="UUID")).merges
    assert not _shape(_raw("ReplicatedMergeTree", uuid="UUID")).merges


def test_a_lookup_that_must_scan_is_known_beforehand() -> None:
    """When the key begins with nothing that a canary tells, and no day or arrival prunes."""
    columns = {"uuid": "UUID", "event": "String", "timestamp": "DateTime", "other": "String"}
    assert _shape(_raw("MergeTree", key="other, uuid", **columns)).scans()
    assert _shape(_raw("Memory", **columns)).scans()
    assert not _shape(_raw("MergeTree", key="other", partition="toDate(timestamp)", **columns)).scans()
    assert not _shape(_raw("MergeTree", key="cityHash64(uuid), other", **columns)).scans()


def test_a_name_inside_another_name_is_not_in_the_key() -> None:
    """`_timestamp` and `timestamps` are not `timestamp`."""
    columns = {"uuid": "UUID", "timestamp": "DateTime"}
    for key in ("toDate(_timestamp)", "timestamps", "`my timestamp`s"):
        assert not _shape(_raw("MergeTree", key=key, **columns)).in_any_key("timestamp")
    for key in ("toDate(timestamp)", "timestamp", "toDate(`timestamp`)"):
        assert _shape(_raw("MergeTree", key=key, **columns)).in_any_key("timestamp")


def test_dead_letters_have_names_of_their_own() -> None:
    """The id is where it usually is, the reason comes along; without an id nothing can be asked."""
    columns = {"id": "UUID", "event_uuid": "UUID", "error": "String", "error_timestamp": "DateTime"}
    wish = schema.dead_letter_wished(SETTINGS, columns)
    assert wish == {"id": "event_uuid", "at": "error_timestamp", "reason": "error"}
    assert schema.dead_letter_wished(SETTINGS, {"raw": "String"}) is None


def test_nullable_and_low_cardinality_are_looked_through() -> None:
    """What counts for comparing is the type inside."""
    assert schema.Column("x", "LowCardinality(Nullable(String))").base == "String"
    assert schema.Column("x", "DateTime64(6, 'UTC')").base == "DateTime64(6, 'UTC')"
