"""How far a Kafka table's consumer has read: on a copy of the engine's own table, which stays empty here."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from canary.clock import Line, SystemClock
from canary.edges.clickhouse.consumers import about_consumers, unread_from
from canary.edges.clickhouse.feeders import Feeder
from canary.edges.clickhouse.session import Session
from canary.sandbox.clickhouse import ClickHouseFront
from tests.canary.edges.clickhouse.test_clickhouse_feeders import method
from tests.contract.audit_kit import OFFSETS, TABLE, settings, table_audit

pytestmark = pytest.mark.sandbox

FEEDS = [Feeder("posthog.kafka_events", ("topic",))]


@pytest.fixture
def session(running: ClickHouseFront) -> Iterator[Session]:
    """Beside a copy of the catalogue's table."""
    running.execute(
        "CREATE TABLE posthog.kafka_consumers ENGINE = Memory EMPTY AS SELECT * FROM system.kafka_consumers"
    )
    made = Session(settings(running, "events"), running.url, now=Line(SystemClock()).now)
    yield made
    made.close()
    running.execute("DROP TABLE posthog.kafka_consumers SYNC")


def consumer(
    front: ClickHouseFront, places: dict[int, int], *, table: str = "kafka_events", **told: str
) -> None:
    """One that has these partitions of a topic and reads on there; it polled some seconds ago."""
    topics = [told.get("topic", "topic")] * len(places)
    front.execute(
        "INSERT INTO posthog.kafka_consumers (database, table, `assignments.topic`,"
        " `assignments.partition_id`, `assignments.current_offset`, last_poll_time)"
        f" SELECT 'posthog', '{table}', {topics}, {[*places]},"
        f" {[*places.values()]}, now() - {told.get('ago', '1')}"
    )


def test_what_lies_at_the_furthest_place_or_behind_is_unread(
    running: ClickHouseFront, session: Session
) -> None:
    """Of our tables' consumers of the topic that have polled lately, and where each has a place."""
    consumer(running, {0: 17, 1: 0, 2: -1001})
    consumer(running, {0: 12, 3: 5})
    consumer(running, {3: -1001})
    consumer(running, {4: 5}, ago="3600")
    consumer(running, {5: 5}, topic="other")
    consumer(running, {6: 5}, table="kafka_other")

    assert unread_from(session, FEEDS, "topic", catalog="posthog") == {0: 17, 1: 0}
    assert unread_from(session, [*FEEDS, Feeder("posthog.kafka_other", ())], "topic", catalog="posthog") == {
        0: 17,
        1: 0,
        6: 5,
    }


def test_where_nothing_can_be_read_nothing_is_known(running: ClickHouseFront, session: Session) -> None:
    """The engine's own table, empty here; no such table; no right to it."""
    asked = about_consumers(["posthog.kafka_events"], "topic", catalog="system")
    assert (list(session.catalog(asked).rows), unread_from(session, FEEDS, "topic")) == ([], {})
    assert unread_from(session, FEEDS, "topic", catalog="nowhere") == {}
    stranger = Session(
        replace(settings(running, "events"), password=lambda: "wrong"),
        running.url,
        now=Line(SystemClock()).now,
    )
    assert unread_from(stranger, FEEDS, "topic", catalog="posthog") == {}
    stranger.close()


def test_an_audit_asks_for_the_tables_that_feed_its_own(running: ClickHouseFront) -> None:
    """None here, and the engine answers."""
    running.execute(TABLE.format(name="fed", more=OFFSETS, engine="MergeTree"))
    edge = table_audit(running, "fed")
    assert (method(running, "fed").name, edge.unread_from()) == ("offset", {})
    edge.close()
    running.execute("DROP TABLE posthog.fed SYNC")
