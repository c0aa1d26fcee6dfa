"""The sandbox's tables, and the faults of the server that holds them."""

import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Down, Gate
from canary.sandbox.tables import fill_events

pytestmark = pytest.mark.sandbox
MakeEvent = Callable[..., dict[str, Any]]


def test_identical_rows_stay_apart(front: ClickHouseFront, make_event: MakeEvent) -> None:
    """Merges are stopped: a duplicate inserted by itself can be seen, and FINAL shows what would be left."""
    for _ in range(2):
        front.insert("events", [make_event()])
    assert front.query("SELECT count() AS rows FROM posthog.events") == [{"rows": 2}]
    assert front.query("SELECT count() AS rows FROM posthog.events FINAL") == [{"rows": 1}]


def test_many_inserts_stay_in_few_parts_and_keep_their_duplicates(
    front: ClickHouseFront, make_event: MakeEvent
) -> None:
    """Small inserts for hours neither slow the tables down nor lose a row, an identical one least of all."""
    front.execute(
        "INSERT INTO posthog.events (uuid, event, timestamp) "
        "SELECT toUUID('11111111-1111-1111-1111-111111111111'), 'large', '2026-03-01' FROM numbers(100000) "
        "SETTINGS optimize_on_insert = 0"
    )
    for number in range(120):
        front.insert("events", [make_event(number), make_event(0)])
    [parts] = front.query("SELECT count() AS n FROM system.parts WHERE active AND table = 'events'")
    [rows] = front.query(
        "SELECT countIf(event = 'large') AS large, count() - large AS small, "
        "uniqExactIf(uuid, event != 'large') AS ids FROM posthog.events"
    )
    assert parts["n"] < 60
    assert rows == {"large": 100_000, "small": 239, "ids": 120}


def test_both_tables_are_shaped_as_posthogs(front: ClickHouseFront) -> None:
    """Only events_recent has _partition; the sorting keys are the ones that lookups must prune by."""
    found = {
        row["name"]: row
        for row in front.query(
            "SELECT name, engine, sorting_key, partition_key FROM system.tables WHERE database = 'posthog'"
        )
    }
    assert found["events"]["sorting_key"] == (
        "team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid)"
    )
    assert found["events_recent"]["partition_key"] == "toStartOfHour(_timestamp)"
    assert {row["engine"] for row in found.values()} == {"ReplacingMergeTree", "Distributed"}
    with_partition = front.query(
        "SELECT table FROM system.columns WHERE database = 'posthog' AND name = '_partition'"
    )
    assert with_partition == [{"table": "events_recent"}]


def test_a_distributed_table_with_a_shard_away_can_tell_half_truths(
    front: ClickHouseFront, client: Any, make_event: MakeEvent
) -> None:
    """The shard that cannot be reached is an error, or, with the unsafe setting, silently left out."""
    front.insert("events", [make_event()])
    assert client.query("SELECT count() FROM distributed_events").result_rows == [(1,)]
    query = "SELECT count() FROM distributed_events_half"
    assert client.query(query, settings={"skip_unavailable_shards": 1}).result_rows == [(1,)]
    with pytest.raises(DatabaseError) as raised:
        client.query(query, settings={"skip_unavailable_shards": 0})
    assert raised.value.code == 279


def test_a_skewed_server_writes_other_times(front: ClickHouseFront, make_event: MakeEvent) -> None:
    """inserted_at shifts by the skew and comes back."""
    query = "SELECT dateDiff('second', now64(6), inserted_at) AS ahead FROM posthog.events"
    front.skew(timedelta(hours=1))
    front.insert("events", [make_event()])
    assert 3590 <= front.query(query)[0]["ahead"] <= 3600
    front.skew(timedelta())
    front.execute("TRUNCATE TABLE posthog.events")
    front.insert("events", [make_event()])
    assert -10 <= front.query(query)[0]["ahead"] <= 0


def test_the_filler_makes_what_it_says(front: ClickHouseFront) -> None:
    """Rows of many teams around, and as many canaries on the day as asked for."""
    fill_events(front, 5000, 300, date(2026, 3, 1))
    counts = front.query(
        "SELECT count() AS rows, countIf(event = 'ingestion_canary' AND team_id = 1 "
        "AND toDate(timestamp) = '2026-03-01') AS canaries, uniqExact(uuid) AS ids, "
        "uniq(team_id) > 20 AS teams FROM posthog.events"
    )
    assert counts == [{"rows": 5300, "canaries": 300, "ids": 5300, "teams": 1}]


def test_down_breaks_connections_and_writers_hear_of_it(
    front: ClickHouseFront, clickhouse_gate: Gate, client: Any, make_event: MakeEvent
) -> None:
    """A server that is down resets its callers and refuses the pipeline's rows; afterwards all is well."""
    clickhouse_gate.set("down")
    with pytest.raises(OperationalError):
        client.query("SELECT 1")
    with pytest.raises(Down):
        front.insert("events", [make_event()])
    clickhouse_gate.set("open")
    assert client.query("SELECT count() FROM events").result_rows == [(0,)]


def test_a_frozen_server_answers_after_the_thaw(
    front: ClickHouseFront, clickhouse_gate: Gate, client: Any, make_event: MakeEvent
) -> None:
    """Requests and inserts hang while frozen and go through when opened."""
    answers: list[Any] = []

    def insert() -> None:
        front.insert("events", [make_event()])
        answers.append("inserted")

    clickhouse_gate.set("freeze")
    threads = [
        threading.Thread(target=lambda: answers.append(client.query("SELECT 1").result_rows), daemon=True),
        threading.Thread(target=insert, daemon=True),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert answers == []
    assert front.query("SELECT count() AS rows FROM posthog.events") == [{"rows": 0}]
    clickhouse_gate.set("open")
    for thread in threads:
        thread.join(10)
    assert len(answers) == 2


def test_a_restart_keeps_port_and_rows(front: ClickHouseFront, client: Any, make_event: MakeEvent) -> None:
    """After a restart the same address answers with the same rows."""
    front.insert("events", [make_event()])
    port = front.port
    front.restart(away=timedelta(milliseconds=50))
    assert front.port == port
    assert client.query("SELECT count() FROM events").result_rows == [(1,)]
