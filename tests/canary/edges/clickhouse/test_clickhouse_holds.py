"""What a table may have removed by its TTL, in the engine's own words."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from canary.edges.clickhouse import AuditOptions, TableAudit, TableTracer
from canary.sandbox.clickhouse import ClickHouseFront
from canary.trails import Question
from canary.values import Wanted
from reconcile.offsets import Range
from tests.canary.edges.clickhouse.bench import LINE, in_front, passing_on, row
from tests.contract.audit_kit import settings, table_audit

pytestmark = pytest.mark.sandbox

DAY = timedelta(days=1)
TABLE = """CREATE TABLE IF NOT EXISTS posthog.kept (uuid UUID, team_id Int64, timestamp DateTime64(6, 'UTC'),
    _timestamp DateTime('UTC')) ENGINE = MergeTree ORDER BY uuid
    TTL {} SETTINGS index_granularity = 8192"""


def test_what_the_ttl_of_a_table_may_have_removed(front: ClickHouseFront) -> None:
    """Every part of it that removes rows counts; one that packs them does not."""
    parts = (
        "timestamp + INTERVAL 1 MONTH WHERE team_id = 7",
        "_timestamp + INTERVAL 7 DAY DELETE",
        "_timestamp + INTERVAL 1 DAY RECOMPRESS CODEC(LZ4)",
    )
    front.execute(TABLE.format(", ".join(parts)))
    audit = table_audit(front, "kept")
    tracer = TableTracer(settings(front, "kept"), warnings=(), now=LINE.now)
    holds = audit.holds()
    searched = tracer.search(Question(uuid4(), LINE.now() - DAY, None, 10))
    audit.close()
    tracer.close()
    now = LINE.now()

    assert "toIntervalDay(7)" in holds.removes({}, now - 7 * DAY)
    assert holds.removes({}, now - 6 * DAY) == ""
    assert "toIntervalMonth(1)" in holds.removes({"timestamp": "2026-01-01T00:00:00Z"}, now - DAY)
    assert holds.ttl
    assert searched.kept_since is not None  # a time in `timestamp` may be any
    assert searched.kept_since > now


@pytest.mark.parametrize(
    ("engine", "key", "replaces"),
    [
        ("ReplacingMergeTree(_timestamp)", "(team_id, timestamp)", "team_id, timestamp"),
        ("ReplacingMergeTree(_timestamp)", "tuple()", "nothing at all"),
        ("ReplacingMergeTree(_timestamp)", "(team_id, cityHash64(uuid))", ""),
        ("ReplacingMergeTree(_timestamp)", "(_partition, _offset)", ""),
        ("MergeTree", "(team_id, timestamp)", ""),
    ],
)
def test_whether_merges_make_one_row_of_several_events(
    front: ClickHouseFront, engine: str, key: str, replaces: str
) -> None:
    """By the table's sorting key: with the id in it, or partition and offset, each event keeps a row."""
    front.execute("DROP TABLE IF EXISTS posthog.merged")
    front.execute(
        "CREATE TABLE posthog.merged (uuid UUID, team_id Int64, timestamp DateTime64(6, 'UTC'),"
        f" _timestamp DateTime('UTC'), _partition UInt64, _offset UInt64) ENGINE = {engine} ORDER BY {key}"
    )
    by_column, by_expression = (
        table_audit(front, "merged", match=match) for match in ("uuid", "toString(uuid)")
    )
    told = [one.holds().replaces for one in (by_column, by_expression)]
    assert by_column.holds().merges == (engine != "MergeTree" and key != "(_partition, _offset)")
    for one in (by_column, by_expression):
        one.close()

    assert told == [replaces, replaces]


def test_what_no_event_fills_refuses_none(front: ClickHouseFront) -> None:
    """A column that the table computes takes nothing from a field of its name."""
    front.execute("DROP TABLE IF EXISTS posthog.computed")
    front.execute(
        "CREATE TABLE posthog.computed (uuid UUID, plain Float64, filled Float64 DEFAULT 1,"
        " kept Float64 MATERIALIZED 1, other Float64 ALIAS 1) ENGINE = MergeTree ORDER BY uuid"
    )
    audit = table_audit(front, "computed")
    refuses = audit.holds().refuses
    audit.close()

    assert [refuses({name: "abc"}) != "" for name in ("plain", "filled", "kept", "other")] == [
        *(True, True),
        *(False, False),
    ]


def test_copies_whose_key_has_a_null_are_counted_as_any_others(front: ClickHouseFront) -> None:
    """A table may be sorted by what need not be there."""
    front.execute(
        "CREATE TABLE posthog.loose (uuid UUID, person Nullable(String), _partition UInt64,"
        " _offset Nullable(Int64)) ENGINE = ReplacingMergeTree ORDER BY (uuid, person)"
        " SETTINGS allow_nullable_key = 1"
    )
    front.execute("SYSTEM STOP MERGES posthog.loose")
    edge = table_audit(front, "loose")
    try:
        for person in ("NULL", "NULL", "'ann'"):
            id_ = "00000000-0000-7000-8000-000000000001"
            front.execute(f"INSERT INTO posthog.loose VALUES ('{id_}', {person}, 0, 3)")
        told = edge.twice([Range(0, 0, 9)], [(0, 0)], None)
    finally:
        edge.close()
        front.execute("DROP TABLE posthog.loose")

    assert (told.mergeable, told.permanent) == (1, 1)


def test_what_is_missing_was_asked_of_no_replica_that_may_lack_it(front: ClickHouseFront) -> None:
    """Behind a Distributed table one that lags by seconds may count a window; its silence proves nothing."""
    id_, letter = str(uuid4()), str(uuid4())
    front.insert("events", [row(Wanted(UUID(id_), LINE.now(), "e", "d"))])
    front.execute(f"INSERT INTO posthog.dead (event_uuid) VALUES ('{letter}')")
    nothing = quote("{'posthog.events': '0', 'posthog.dead': '0'}")

    def lags(path: str) -> str:
        up_to_date = "max_replica_delay_for_distributed_queries=2&" in f"{path}&"
        return "" if up_to_date else f"additional_table_filters={nothing}"

    with in_front(passing_on(front.url, lags)) as url:
        told = replace(settings(front, "events", dead_letters=("dead",)), url=url, max_replica_delay=DAY)
        audit = TableAudit(told, AuditOptions(("topic",)), now=LINE.now)
        found = audit.having({id_}), audit.letters({letter})
        audit.close()

    assert [*found[0]] == [id_]
    assert [*found[1][0]] == [letter]
