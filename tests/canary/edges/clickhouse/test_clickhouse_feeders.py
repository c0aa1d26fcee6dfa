"""Which Kafka tables feed a table: what system.tables says of them, and what follows from it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.edges.clickhouse.feeders import Feeder, feeders, listed, strange, told_apart
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.clickhouse_engine import EngineError
from canary.traffic import Method
from tests.contract.audit_kit import OFFSETS, TABLE, table_audit

SETTINGS = (
    "Kafka SETTINGS kafka_broker_list = 'kafka:9092', kafka_topic_list = '{}', kafka_group_name = 'group1',"
    " kafka_format = 'JSONEachRow', kafka_num_consumers = 4"
)
PLACES = "Kafka('kafka:9092', '{}', 'group1', 'JSONEachRow')"
COLLECTION = "Kafka(warpstream, kafka_topic_list = '{}', kafka_group_name = 'group1')"
HIDDEN = "Kafka(warpstream) SETTINGS kafka_format = 'JSONEachRow', kafka_max_block_size = 65505"
NAMED = "Kafka(warpstream, kafka_group_name = 'group1', kafka_format = 'JSONEachRow')"

Rows = list[Mapping[str, str | None]]


def made(name: str, engine: str, full: str = "", create: str = "", feeds: str = "") -> dict[str, str | None]:
    return {"name": name, "engine": engine, "engine_full": full, "create": create, "dependencies": feeds}


def view(name: str, to: str) -> dict[str, str | None]:
    head = f"CREATE MATERIALIZED VIEW {name}{to and f' TO {to}'}"
    create = (
        f"{head} (`uuid` UUID, `timestamp` DateTime64(6, 'UTC')) AS SELECT uuid FROM posthog.kafka_events"
    )
    return made(name, "MaterializedView", "", create)


def posthog() -> Rows:
    """The way of PostHog's events: Kafka -> view -> Distributed -> the shard's own table."""
    return [
        made("posthog.kafka_events", "Kafka", SETTINGS.format("events"), feeds="posthog.events_mv"),
        view("posthog.events_mv", "posthog.writable_events"),
        made(
            "posthog.writable_events",
            "Distributed",
            "Distributed('posthog', 'posthog', 'sharded_events', sipHash64(distinct_id))",
        ),
        made("posthog.events", "Distributed", "Distributed('posthog', 'posthog', 'sharded_events', rand())"),
        made("posthog.kafka_other", "Kafka", SETTINGS.format("persons"), feeds="posthog.persons_mv"),
        view("posthog.persons_mv", "posthog.person"),
    ]


@pytest.mark.parametrize("table", ["sharded_events", "events", "writable_events"])
def test_every_name_of_the_table_has_the_same_feeder(table: str) -> None:
    """The shard's own table, and the Distributed ones in front of it."""
    assert feeders(posthog(), f"posthog.{table}") == [Feeder("posthog.kafka_events", ("events",))]


@pytest.mark.parametrize(
    ("full", "topics"),
    [
        (SETTINGS.format("events"), ("events",)),
        (PLACES.format("events"), ("events",)),
        (COLLECTION.format("events"), ("events",)),
        (SETTINGS.format("events, overflow"), ("events", "overflow")),
        (PLACES.format("events,overflow"), ("events", "overflow")),
        (HIDDEN, ()),
        (NAMED, ()),
        ("Kafka", ()),
    ],
)
def test_topics_are_read_from_every_way_to_write_them(full: str, topics: tuple[str, ...]) -> None:
    """By name, by place, in a collection; and where a collection keeps them to itself, nothing is made up."""
    rows: Rows = [made("db.kafka", "Kafka", full, feeds="db.mv"), view("db.mv", "db.events")]

    assert feeders(rows, "db.events") == [Feeder("db.kafka", topics)]


@pytest.mark.parametrize("between", ["Null", "MergeTree"])
def test_a_way_over_several_tables_is_followed(between: str) -> None:
    """Kafka -> view -> table -> view -> table, in a circle too; two views of one Kafka table count once."""
    rows: Rows = [
        made("db.kafka", "Kafka", PLACES.format("t"), feeds="db.first\ndb.also\ndb.hidden"),
        view("db.first", "db.middle"),
        view("db.also", "`db`.`middle`"),
        made("db.middle", between, feeds="db.second\ndb.round"),
        view("db.second", "events"),
        view("db.round", "db.middle"),
    ]

    assert feeders(rows, "db.events") == [Feeder("db.kafka", ("t",))]
    assert feeders(rows, "db.elsewhere") == []


def test_a_view_that_keeps_its_rows_is_a_table_itself() -> None:
    """Whatever its columns and its select look like."""
    create = (
        "CREATE MATERIALIZED VIEW db.own (`a TO b` String) ENGINE = MergeTree ORDER BY uuid SETTINGS"
        " index_granularity = 8192 AS SELECT x AS `a TO b` FROM db.kafka"
    )
    inner = create.replace("db.own", "db.own TO INNER UUID '2dba85eb-967d-48e9-9af1-8ad68e312b85'")
    for text in (create, inner):
        rows: Rows = [
            made("db.kafka", "Kafka", PLACES.format("t"), feeds="db.own"),
            made("db.own", "MaterializedView", "", text),
        ]
        assert feeders(rows, "db.own") == [Feeder("db.kafka", ("t",))]


ONE = Feeder("db.kafka", ("events",))
OVERFLOW = Feeder("db.kafka_overflow", ("overflow",))
MOVED = Feeder("db.kafka_new", ("events",))
BOTH = Feeder("db.kafka_both", ("events", "overflow"))
UNKNOWN = Feeder("db.kafka_named", ())


@pytest.mark.parametrize(
    ("sources", "alone", "by_column"),
    [
        ([], True, True),
        ([ONE], True, True),
        ([UNKNOWN], True, True),
        ([ONE, OVERFLOW], False, True),
        ([BOTH], False, True),
        ([ONE, MOVED], False, False),
        ([ONE, UNKNOWN], False, False),
        ([OVERFLOW, UNKNOWN], False, True),
        ([UNKNOWN, UNKNOWN], False, False),
    ],
)
def test_offsets_stand_for_one_topic_only_where_nothing_else_can_have_them(
    sources: list[Feeder], alone: bool, by_column: bool
) -> None:
    """A topic of the same name on another cluster is not told apart by a column with its name."""
    assert told_apart(sources, "events", by_column=False) is alone
    assert told_apart(sources, "events", by_column=True) is by_column


def test_a_table_that_is_fed_by_something_else_is_seen() -> None:
    """Where all topics are known; what is unknown may be the right one."""
    assert strange([OVERFLOW], ["events"])
    assert not strange([OVERFLOW], ["events", "overflow"])
    assert not strange([OVERFLOW, UNKNOWN], ["events"])
    assert not strange([], ["events"])
    assert listed([ONE, UNKNOWN]) == "fed by db.kafka (events), db.kafka_named (topics unknown)"


@given(st.lists(st.builds(made, *[st.text(max_size=30)] * 5), max_size=6), st.text(max_size=10))
def test_whatever_stands_in_the_catalogue_is_read(rows: Rows, table: str) -> None:
    """Anybody may have made those tables: nothing raises, and only Kafka tables feed."""
    kafka = {row["name"] for row in rows if row["engine"] == "Kafka"}
    assert {one.table for one in feeders(rows, table)} <= kafka


class Feeds:
    """Makes Kafka tables and their views. This engine never reads them, but its catalogue lists them."""

    def __init__(self, front: ClickHouseFront) -> None:
        self._front = front
        self.names: list[str] = []

    def __call__(self, table: str, topics: str) -> None:
        name = f"kafka_{len(self.names) // 2}"
        self.names += [name, f"{name}_mv"]
        columns = "(uuid UUID, event String)"
        engine = f"Kafka('127.0.0.1:1', '{topics}', 'group1', 'JSONEachRow')"
        with suppress(EngineError):  # it is made, and then its consumers cannot be started
            self._front.execute(f"CREATE TABLE posthog.{name} {columns} ENGINE = {engine}")
        self._front.execute(
            f"CREATE MATERIALIZED VIEW posthog.{name}_mv TO posthog.{table} AS SELECT * FROM posthog.{name}"
        )


@pytest.fixture
def feed(running: ClickHouseFront) -> Iterator[Feeds]:
    """Tables with offsets, with the topic too, and without either; what feeds them is dropped in the end."""
    tables = {"plain": OFFSETS, "named": OFFSETS + ", _topic String", "bare": ""}
    for name, more in tables.items():
        running.execute(TABLE.format(name=name, more=more, engine="MergeTree"))
    feeds = Feeds(running)
    yield feeds
    for name in (*reversed(feeds.names), *tables):
        running.execute(f"DROP TABLE posthog.{name} SYNC")


def method(front: ClickHouseFront, table: str, *siblings: str) -> Method:
    edge = table_audit(front, table, siblings=siblings)
    try:
        return edge.method()
    finally:
        edge.close()


@pytest.mark.sandbox
def test_the_audit_says_what_feeds_the_table_and_goes_by_what_tells_rows_apart(
    running: ClickHouseFront, feed: Feeds
) -> None:
    """By offset from one source, by the topic's column or a sibling's ids from several, else not at all."""
    feed("plain", "topic")
    one = method(running, "plain")
    assert (one.name, one.why) == ("offset", "fed by posthog.kafka_0 (topic)")
    feed("plain", "other")
    many = method(running, "plain")
    assert many.name == "none"
    assert "posthog.kafka_0 (topic), posthog.kafka_1 (other), and no column tells" in many.why
    feed("named", "topic")
    feed("named", "other")
    assert method(running, "named").name == "offset"
    by_id = method(running, "plain", "named")
    assert (by_id.name, by_id.why.split(";")[0]) == ("sibling", "offset to id from named")
    feed("named", "topic")
    assert (method(running, "named").name, method(running, "plain", "named").name) == ("none", "none")


@pytest.mark.sandbox
def test_a_table_of_another_topic_is_not_audited(running: ClickHouseFront, feed: Feeds) -> None:
    """All of it would look lost."""
    feed("plain", "persons")
    told = method(running, "plain")

    assert (told.name, told.why) == ("none", "fed by posthog.kafka_0 (persons), and none of them reads topic")


@pytest.mark.sandbox
def test_counts_are_compared_only_where_one_topic_feeds_the_table(
    running: ClickHouseFront, feed: Feeds
) -> None:
    """The rows of another would hide every loss."""
    feed("bare", "topic")
    assert method(running, "bare").name == "count"
    feed("bare", "other")
    assert method(running, "bare").name == "none"
