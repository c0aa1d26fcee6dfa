"""What a server says of how its tables are made: the related ones, and what was changed in them and when."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from canary.described import CannotTellError, Change, Description, changes
from canary.edges.clickhouse import Settings, TableDescriber
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from tests.canary.edges.clickhouse.bench import LINE, PASSWORD

pytestmark = pytest.mark.sandbox
LOG = """CREATE TABLE IF NOT EXISTS system.query_log (event_time DateTime, event_date Date,
    type Enum8('QueryStart' = 1, 'QueryFinish' = 2), query_kind LowCardinality(String), query String,
    user String, tables Array(LowCardinality(String))) ENGINE = MergeTree ORDER BY event_time"""
"""The columns of the real one that are asked for: chDB keeps no log of its own."""


@pytest.fixture
def settings(front: ClickHouseFront) -> Settings:
    return Settings(
        name="events",
        url=front.url,
        user="canary",
        password=lambda: PASSWORD,
        database="posthog",
        table="distributed_events",
        siblings=("events_recent",),
    )


@pytest.fixture
def describer(settings: Settings) -> TableDescriber:
    return TableDescriber(settings, warnings=("ingestion_warnings",), now=LINE.now)


@pytest.fixture
def view(front: ClickHouseFront) -> Iterator[str]:
    """A view that feeds the table, and a table that has nothing to do with it."""
    front.execute("CREATE TABLE posthog.source (uuid UUID, event String) ENGINE = Null")
    front.execute(
        "CREATE MATERIALIZED VIEW posthog.events_mv TO posthog.events AS SELECT * FROM posthog.source"
    )
    front.execute("CREATE TABLE posthog.apart (a String) ENGINE = Memory")
    yield "events_mv"
    for name in ("events_mv", "source", "apart"):
        front.execute(f"DROP TABLE posthog.{name}")


def _told(found: list[Change]) -> list[str]:
    return [change.told for change in found]


def _ask(describer: TableDescriber, since: datetime | None = None, *, trouble: bool = False) -> Description:
    return describer.describe(since or LINE.now() - timedelta(hours=1), trouble=trouble)


def test_the_tables_that_belong_together_are_described(describer: TableDescriber, view: str) -> None:
    """The one behind a Distributed table, the sibling, what feeds them; nothing else of the database."""
    told = _ask(describer)

    tables = {thing for thing in told.said if thing != "ClickHouse"}
    wanted = {"events", "distributed_events", "distributed_events_half", "events_recent", view}
    assert tables == {f"posthog.{name}" for name in wanted}
    assert told.said["posthog.events"]["column uuid"] == "UUID"
    assert "SELECT" not in str(told.said)
    assert told.said["ClickHouse"]["version"].count(".") >= 2


def test_an_alteration_is_told_with_its_time(describer: TableDescriber, front: ClickHouseFront) -> None:
    """What was added, and when, by the table's own word."""
    before = _ask(describer)
    front.execute("ALTER TABLE posthog.events ADD COLUMN extra Array(String)")
    try:
        now = _ask(describer)
    finally:
        front.execute("ALTER TABLE posthog.events DROP COLUMN extra")

    found = changes("events", before, now)

    assert _told(found) == ["posthog.events: column extra is new (Array(String))"]
    assert found[0].since == found[0].until
    assert before.at - timedelta(seconds=2) <= found[0].until <= now.at + timedelta(seconds=2)


def test_another_query_of_a_view_is_told_and_not_shown(
    describer: TableDescriber, front: ClickHouseFront, view: str
) -> None:
    """That it changed is evidence; what it says may be a secret."""
    before = _ask(describer)
    front.execute(f"ALTER TABLE posthog.{view} MODIFY QUERY SELECT uuid, 'pass' AS event FROM posthog.source")

    assert _told(changes("events", before, _ask(describer))) == ["posthog.events_mv: its query changed"]


def test_without_a_reading_before_an_alteration_shows_by_its_time(
    describer: TableDescriber, view: str
) -> None:
    """A monitor that was started after the change can still name it."""
    assert f"posthog.{view}: altered" in _told(changes("events", None, _ask(describer)))


def test_the_log_of_queries_tells_what_leaves_no_trace(settings: Settings, front: ClickHouseFront) -> None:
    """Who ran which statement on our tables and when; literals, selects and other tables are left out."""
    assert _ask(TableDescriber(settings, now=LINE.now)).done == ()  # there is no log
    front.execute(LOG)
    for kind, table, query in (
        ("Alter", "posthog.events", "ALTER TABLE posthog.events DELETE WHERE event = \\'secret\\'"),
        ("Select", "posthog.events", "SELECT 1 FROM posthog.events"),
        ("Drop", "posthog.apart", "DROP TABLE posthog.apart"),
    ):
        row = f"(now(), today(), 'QueryFinish', '{kind}', '{query}', 'ann', ['{table}'])"
        front.execute(f"INSERT INTO system.query_log VALUES {row}")
    try:
        found = changes("events", None, _ask(TableDescriber(settings, now=LINE.now)))
    finally:
        front.execute("DROP TABLE system.query_log")

    logged = [told for told in _told(found) if "ann" in told]
    assert logged == ["posthog.events: Alter by ann: ALTER TABLE posthog.events DELETE WHERE event = ?"]


def test_warnings_are_counted_by_reason_in_trouble(describer: TableDescriber, front: ClickHouseFront) -> None:
    """What the pipeline wrote down lately; asked for in trouble alone, and no fault where it is absent."""
    assert _ask(describer, trouble=True).warned == {}
    front.execute(
        "CREATE TABLE posthog.ingestion_warnings (team_id Int64, source String, type String,"
        " details String, timestamp DateTime64(6, 'UTC')) ENGINE = MergeTree ORDER BY timestamp"
    )
    front.execute(
        "INSERT INTO posthog.ingestion_warnings SELECT 1, 's', if(number < 2, 'too_large', 'bad'), '',"
        " if(number = 3, now() - 7200, now()) FROM numbers(4)"
    )
    try:
        told = _ask(describer, trouble=True)
        calm = _ask(describer)
    finally:
        front.execute("DROP TABLE posthog.ingestion_warnings")

    assert told.warned == {"too_large": 2, "bad": 1}
    assert (calm.warned, calm.warned_since) == ({}, None)


def test_a_server_that_is_away_is_no_change(describer: TableDescriber, gate: Gate) -> None:
    """It says why, in a line."""
    gate.set("down")
    with pytest.raises(CannotTellError, match=r"events: .*(refused|reset|no way)"):
        _ask(describer)
    gate.set("open")
