"""Looking for one event in tables: on any day, beside the table, and in the pipeline's own warnings."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from canary.edges.clickhouse import Settings, TableTracer
from canary.sandbox.clickhouse import ClickHouseFront
from canary.trails import DEAD_LETTER, SIBLING, WARNING, Question
from tests.canary.edges.clickhouse.bench import LINE, PASSWORD, free_port, row, wanted

pytestmark = pytest.mark.sandbox


@pytest.fixture
def tracer(front: ClickHouseFront) -> Iterator[TableTracer]:
    """On the events table with its neighbours."""
    front.execute(
        "CREATE TABLE IF NOT EXISTS posthog.ingestion_warnings (team_id Int64, source LowCardinality(String),"
        " type String, details String, timestamp DateTime64(6, 'UTC'))"
        " ENGINE = MergeTree PARTITION BY toYYYYMMDD(timestamp) ORDER BY (team_id, timestamp)"
    )
    front.execute("TRUNCATE TABLE posthog.ingestion_warnings")
    made = TableTracer(_settings(front.url), warnings=["ingestion_warnings", "nowhere"], now=LINE.now)
    yield made
    made.close()


def _settings(url: str, **changed: Any) -> Settings:
    values: dict[str, Any] = {
        "name": "events",
        "url": url,
        "user": "canary",
        "password": lambda: PASSWORD,
        "database": "posthog",
        "table": "events",
        "siblings": ("events_recent",),
        "dead_letters": ("dead",),
        "max_queries_per_second": 1000,
    }
    return Settings(**(values | changed))


def question(id_: uuid.UUID, *, timed: bool = True, payload: bool = False) -> Question:
    since = LINE.now() - timedelta(minutes=5) if timed else None
    return Question(id_, since, None, 1000, payload)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("days", [0, 400])
def test_a_row_is_found_on_any_day_with_a_time_or_without(
    front: ClickHouseFront, tracer: TableTracer, days: int, timed: bool
) -> None:
    """Its own day is only the first place to look; the payload comes only when it is asked for."""
    one = wanted()
    front.insert(
        "events", [row(one, timestamp=one.sent_at - timedelta(days=days), _offset=9, properties='{"a": 1}')]
    )

    plain = tracer.search(question(one.id, timed=timed))
    shown = tracer.search(question(one.id, timed=timed, payload=True))

    assert [(find.offset, find.payload) for find in plain.finds] == [(9, None)]
    assert json.loads(shown.finds[0].payload or "")["properties"] == {"a": 1}


def test_an_absent_event_is_proven_absent(front: ClickHouseFront, tracer: TableTracer) -> None:
    """The whole table was asked by id."""
    front.insert("events", [row(wanted())])

    absent = tracer.search(question(uuid.uuid4()))

    assert (absent.finds, absent.gap) == ((), "")


def test_what_hangs_beside_is_told_apart(front: ClickHouseFront, tracer: TableTracer) -> None:
    """Sibling, dead letters with their error, warnings with their type; what is not there is a gap."""
    one = wanted()
    front.insert("events_recent", [row(one, _partition=2)])
    front.insert(
        "dead", [{"event_uuid": str(one.id), "event": "x", "error": "too large", "properties": "{}"}]
    )
    warning = {
        "team_id": 3,
        "source": "plugin-server",
        "type": "event_dropped_too_old",
        "details": json.dumps({"eventUuid": str(one.id).upper()}),
        "timestamp": one.sent_at,
    }
    front.insert("ingestion_warnings", [warning, {**warning, "details": "{}"}])

    beside = {(searched.place, searched.side): searched for searched in tracer.beside(question(one.id))}

    assert [find.partition for find in beside["events_recent", SIBLING].finds] == [2]
    assert [find.reason for find in beside["dead", DEAD_LETTER].finds] == ["too large"]
    warnings = beside["ingestion_warnings", WARNING].finds
    assert [(find.reason, find.facts, find.payload) for find in warnings] == [
        ("event_dropped_too_old", (("source", "plugin-server"),), None)
    ]
    assert "not there" in beside["nowhere", WARNING].gap


def test_a_server_that_is_away_is_a_gap() -> None:
    """Nothing is raised, and nothing is proven."""
    away = TableTracer(_settings(f"http://127.0.0.1:{free_port()}"), warnings=["w"], now=LINE.now)

    found = [away.search(question(uuid.uuid4())), *away.beside(question(uuid.uuid4()))]

    assert {one.gap for one in found} == {"connection refused"}
    away.close()


def test_a_question_over_budget_is_a_gap(front: ClickHouseFront) -> None:
    """Without a time and without the bytes to read everything, absence is not proven."""
    front.execute(
        "INSERT INTO posthog.events (uuid, timestamp) SELECT generateUUIDv4(), now64(6) FROM numbers(200000)"
    )
    poor = TableTracer(_settings(front.url, last_look_bytes=10_000), warnings=(), now=LINE.now)

    found = poor.search(question(uuid.uuid4(), timed=False))

    assert found.gap
    poor.close()


@pytest.mark.parametrize("spell", [str, lambda id_: str(id_).upper(), lambda id_: id_.hex])
def test_an_id_is_found_however_text_spells_it(front: ClickHouseFront, spell: Callable[..., str]) -> None:
    """A column of text has ids as their senders wrote them."""
    id_ = uuid.uuid4()
    front.execute("CREATE TABLE posthog.spelt_ids (uuid String) ENGINE = MergeTree ORDER BY uuid")
    front.execute(f"INSERT INTO posthog.spelt_ids VALUES ('{spell(id_)}')")
    tracer = TableTracer(_settings(front.url, table="spelt_ids"), warnings=(), now=LINE.now)
    searched = tracer.search(question(id_))
    tracer.close()
    front.execute("DROP TABLE posthog.spelt_ids")

    assert len(searched.finds) == 1
