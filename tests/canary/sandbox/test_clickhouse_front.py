"""The ClickHouse front, as clickhouse-connect sees it."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from canary.sandbox.clickhouse import ClickHouseFront

pytestmark = pytest.mark.sandbox
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MakeEvent = Callable[..., dict[str, Any]]
Connect = Callable[..., Any]


def test_rows_come_back_as_they_were_inserted(
    front: ClickHouseFront, client: Any, make_event: MakeEvent
) -> None:
    """Text, microseconds and ids survive the way in and the way out."""
    front.insert("events", [make_event(7)])
    [row] = client.query("SELECT uuid, properties, timestamp, _offset FROM events").named_results()
    assert row["uuid"] == uuid.UUID(int=7)
    assert json.loads(row["properties"]) == {"text": "naïve 🐤 \\ ' \t"}
    assert row["timestamp"].replace(tzinfo=UTC) == NOON + timedelta(microseconds=123456)
    assert row["_offset"] == 7


@pytest.mark.parametrize("asked", [60, 3000])
def test_bound_ids_travel_in_the_url_and_as_a_form(
    front: ClickHouseFront, client: Any, asked: int, make_event: MakeEvent
) -> None:
    """Array(UUID) parameters are bound, however many there are."""
    front.insert("events", [make_event(number) for number in range(50)])
    ids = [uuid.UUID(int=number) for number in range(asked)]
    found = client.query("SELECT uuid FROM events WHERE uuid IN {ids:Array(UUID)}", parameters={"ids": ids})
    assert sorted(row[0].int for row in found.result_rows) == list(range(50))


@pytest.mark.parametrize("text", ["it's", "back\\slash", "tab\tand\nline", "🐤", "", "\\N", "['x']"])
@pytest.mark.parametrize("form", [False, True])
def test_bound_text_is_taken_literally(text: str, form: bool, connect: Connect) -> None:
    """No character of a parameter is read as SQL or as an escape, alone or in an array."""
    client = connect(form_encode_query_params=form)
    query = "SELECT {one:String} AS one, {many:Array(String)} AS many"
    [row] = client.query(query, parameters={"one": text, "many": [text]}).result_rows
    assert (row[0], list(row[1])) == (text, [text])


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_both_ways_can_be_compressed(compress: str | bool, connect: Connect) -> None:
    """Every codec that clickhouse-connect offers works for answers and for inserts."""
    admin = connect(username="default", password="root", compress=compress)
    admin.insert(
        "events", [[uuid.UUID(int=1), "a" * 5000, NOON]], column_names=["uuid", "properties", "timestamp"]
    )
    assert admin.query("SELECT properties FROM events").result_rows == [("a" * 5000,)]


def test_settings_apply_to_one_query_alone(
    front: ClickHouseFront, client: Any, make_event: MakeEvent
) -> None:
    """A setting of one query is gone for the next, which shares the connection."""
    front.insert("events", [make_event(number) for number in range(100)])
    with pytest.raises(DatabaseError) as raised:
        client.query("SELECT sum(_offset) FROM events", settings={"max_bytes_to_read": 10})
    assert raised.value.code == 307
    assert client.query("SELECT sum(_offset) FROM events").result_rows == [(4950,)]
    query = "SELECT value FROM system.settings WHERE name = 'log_comment'"
    assert client.query(query, settings={"log_comment": "it's me"}).result_rows == [("it's me",)]
    assert client.query(query).result_rows == [("",)]


def test_the_settings_of_a_safe_lookup_are_taken(client: Any) -> None:
    """What the monitor must be able to forbid or limit can be set by its read-only user."""
    settings = {
        "skip_unavailable_shards": 0,
        "fallback_to_stale_replicas_for_distributed_queries": 0,
        "max_replica_delay_for_distributed_queries": 10,
        "read_overflow_mode": "throw",
        "result_overflow_mode": "throw",
        "timeout_overflow_mode": "throw",
        "max_execution_time": 2.5,
        "max_threads": 1,
        "priority": 10,
        "use_query_cache": 0,
        "use_query_condition_cache": 0,
    }
    rows = client.query(
        "SELECT name, value FROM system.settings WHERE name IN {names:Array(String)}",
        parameters={"names": list(settings)},
        settings=settings,
    ).result_rows
    assert dict(rows) == {name: str(value) for name, value in settings.items()}


@pytest.mark.parametrize(
    ("query", "settings", "code"),
    [
        ("SELECT nope", {}, 47),
        ("SELECT 1 FROM posthog.nope", {}, 60),
        ("SELEC 1", {}, 62),
        ("SELECT 1; SELECT 2", {}, 62),
        ("SELECT 1", {"no_such_setting": 1}, 115),
        ("SELECT sleep(2)", {"max_execution_time": 1}, 159),
        ("SELECT {missing:UInt8}", {}, 456),
    ],
)
def test_errors_carry_clickhouses_codes(client: Any, query: str, settings: dict[str, Any], code: int) -> None:
    """The client sees the number that a real server would send."""
    with pytest.raises(DatabaseError) as raised:
        client.query(query, settings=settings)
    assert raised.value.code == code


def test_many_threads_ask_at_once(connect: Connect) -> None:
    """Answers do not get mixed up between callers."""
    clients = [connect() for _ in range(6)]
    wrong: list[tuple[int, Any]] = []

    def ask(number: int) -> None:
        for step in range(10):
            expected = number * 1000 + step
            settings = {"log_comment": str(expected)}
            query = "SELECT {n:UInt32}, getSetting('log_comment')"
            row = clients[number].query(query, parameters={"n": expected}, settings=settings).result_rows[0]
            if row != (expected, str(expected)):
                wrong.append((expected, row))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
