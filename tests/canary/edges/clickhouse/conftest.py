"""A ClickHouse engine for each module of tests here, and stages that ask it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from canary.edges.clickhouse import ClickHouseStage, Settings
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from canary.values import Marks
from tests.canary.edges.clickhouse.bench import EVENT, LINE, PASSWORD, MakeStage


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def running(gate: Gate) -> Iterator[ClickHouseFront]:
    front = ClickHouseFront(gate=gate, user="canary", password=PASSWORD)
    front.start()
    front.execute(
        "CREATE TABLE posthog.dead (event_uuid UUID, event String, error String, properties String)"
        " ENGINE = MergeTree ORDER BY error"
    )
    yield front
    front.stop()


@pytest.fixture
def front(running: ClickHouseFront, gate: Gate) -> ClickHouseFront:
    gate.set("open")
    for table in ("events", "events_recent", "dead"):
        running.execute(f"TRUNCATE TABLE posthog.{table}")
    return running


@pytest.fixture
def stage(front: ClickHouseFront) -> Iterator[MakeStage]:
    """Makes stages, a thousand looks a second allowed unless told otherwise."""
    made: list[ClickHouseStage] = []

    def make(**changed: Any) -> ClickHouseStage:
        values: dict[str, Any] = {
            "name": "events",
            "url": front.url,
            "user": "canary",
            "password": lambda: PASSWORD,
            "database": "posthog",
            "table": "events",
            "max_queries_per_second": 1000,
            "last_look_every": timedelta(0),
        }
        settings = Settings(**(values | changed))
        made.append(ClickHouseStage(settings, marks=Marks(lambda _id: True, EVENT, "c-"), now=LINE.now))
        return made[-1]

    yield make
    for one in made:
        one.close()
