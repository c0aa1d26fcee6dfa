"""A ClickHouse front for each module of tests here: chDB has one set of data in a process."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import clickhouse_connect
import pytest

from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def clickhouse_gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def started_front(clickhouse_gate: Gate) -> Iterator[ClickHouseFront]:
    front = ClickHouseFront(gate=clickhouse_gate, user="canary", password="pass:word", admin_password="root")
    front.start()
    yield front
    front.stop()


@pytest.fixture
def front(started_front: ClickHouseFront, clickhouse_gate: Gate) -> ClickHouseFront:
    """The module's front with empty tables and an open gate."""
    clickhouse_gate.set("open")
    for table in ("events", "events_recent"):
        started_front.execute(f"TRUNCATE TABLE posthog.{table}")
    return started_front


@pytest.fixture
def connect(front: ClickHouseFront) -> Callable[..., Any]:
    """A client of the read-only user, or of whom the options name."""

    def connected(**options: Any) -> Any:
        settings = {"username": "canary", "password": "pass:word", "database": "posthog", **options}
        return clickhouse_connect.get_client(
            host="127.0.0.1", port=front.port, autogenerate_session_id=False, **settings
        )

    return connected


@pytest.fixture
def client(connect: Callable[..., Any]) -> Iterator[Any]:
    connected = connect()
    yield connected
    connected.close()


@pytest.fixture
def make_event() -> Callable[..., dict[str, Any]]:
    """A row of `events`, told apart by its number."""

    def event(number: int = 0, **changed: Any) -> dict[str, Any]:
        return {
            "uuid": str(uuid.UUID(int=number)),
            "event": "ingestion_canary",
            "properties": json.dumps({"text": "naïve 🐤 \\ ' \t"}),
            "timestamp": NOON + timedelta(microseconds=123456),
            "team_id": 1,
            "distinct_id": f"d{number}",
            "created_at": NOON,
            "person_mode": "propertyless",
            "_timestamp": int(NOON.timestamp()),
            "_offset": number,
            **changed,
        }

    return event
