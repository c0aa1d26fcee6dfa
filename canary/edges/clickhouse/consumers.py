"""How far the consumers of Kafka tables have read, by `system.kafka_consumers`.

`current_offset` is where a consumer reads on (ClickHouse's documentation, "system.kafka_consumers"; it is
librdkafka's position), so it runs ahead of the insert, and what lies before it proves nothing. What lies at
it or behind has not even been read. Without a place (a negative one) a consumer has read nothing since it got
the partition, though another may have; and one that has not polled lately may have lost it unawares.
"""

from collections.abc import Sequence

from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.feeders import Feeder
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.sql import Statement

POLLED = 60
"""Seconds: a consumer that polled since then is asked."""


def unread_from(
    session: Session, sources: Sequence[Feeder], topic: str, *, catalog: str = "system"
) -> dict[int, int]:
    """By partition of a topic the offset from which on these tables' consumers have read nothing yet; only
    those of which the server knows that. Never raises."""
    try:
        asked = about_consumers([one.table for one in sources], topic, catalog=catalog)
        rows = session.catalog(asked).rows if sources else ()
        return {int(row["partition"] or ""): int(row["offset"] or "") for row in rows}
    except (Blind, ValueError, KeyError):  # no right to see them, or an older server: nothing is known
        return {}


def about_consumers(tables: Sequence[str], topic: str, *, catalog: str) -> Statement:
    """By partition of a topic the furthest place of these tables' ("database.name") consumers."""
    return Statement(
        f"SELECT toString(place), toString(max(reads)) FROM {catalog}.kafka_consumers ARRAY JOIN"
        " assignments.topic AS read, assignments.partition_id AS place, assignments.current_offset AS reads"
        " WHERE has(splitByChar('\\n', {tables:String}), concat(database, '.', table))"
        f" AND read = {{topic:String}} AND last_poll_time > now() - {POLLED}"
        " GROUP BY place HAVING min(reads) >= 0",
        {"tables": "\n".join(tables), "topic": topic},
        ("partition", "offset"),
    )
