"""A row policy hides rows from our user: what is missing then is no loss, for audits, traces and canaries."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from canary.edges.clickhouse import ClickHouseStage, TableTracer
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from canary.trails import Question
from canary.values import Marks
from tests.canary.edges.clickhouse.bench import EVENT, LINE, PASSWORD, row, wanted
from tests.contract.audit_kit import settings, table_audit

pytestmark = pytest.mark.sandbox
HIDES = "a row policy hides rows of {} from our user"


@pytest.fixture(scope="module")
def front() -> Iterator[ClickHouseFront]:
    policies = {"events": "team_id = 7", "dead": "error = ''", "open": "1"}
    running = ClickHouseFront(gate=Gate(), user="canary", password=PASSWORD, policies=policies)
    running.start()
    for table in ("plain", "open", "dead"):
        running.execute(
            f"CREATE TABLE posthog.{table} (uuid UUID, error String, timestamp DateTime64(6, 'UTC'))"
            " ENGINE = MergeTree ORDER BY uuid"
        )
        running.execute(f"INSERT INTO posthog.{table} (error) VALUES ('x')")
    running.execute("INSERT INTO posthog.events (team_id) VALUES (1)")
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("table", "letters", "hides"),
    [
        ("events", (), HIDES.format("events")),
        ("plain", (), ""),
        ("plain", ("dead",), HIDES.format("dead")),
        ("plain", ("missing",), ""),
        ("open", (), ""),
    ],
)
def test_the_plan_of_a_question_shows_a_policy(
    front: ClickHouseFront, table: str, letters: tuple[str, ...], hides: str
) -> None:
    """On the table or its dead letters; one that lets all rows pass hides none."""
    audit = table_audit(front, table, dead_letters=letters)
    holds = audit.holds()
    audit.close()

    assert holds.hides == hides


def test_a_trace_cannot_tell_what_a_policy_hides(front: ClickHouseFront) -> None:
    """Where the table has none, its empty answer stands."""
    told = []
    for table in ("events", "plain"):
        tracer = TableTracer(settings(front, table), warnings=(), now=LINE.now)
        told.append(tracer.search(Question(wanted(1).id, LINE.now() - timedelta(hours=1), None, 10)).gap)
        tracer.close()

    assert told == [HIDES.format("events"), ""]


def test_a_last_look_cannot_tell_what_a_policy_hides(front: ClickHouseFront) -> None:
    """The stage is blind then, and nothing is lost, until a later canary shows that they are let pass."""
    made = settings(front, "events", max_queries_per_second=1000, last_look_every=timedelta(0))
    stage = ClickHouseStage(made, marks=Marks(lambda _id: True, EVENT, "c-"), now=LINE.now)
    lost, later = wanted(1), wanted(1)
    doubtful = stage.last_look([lost])
    for one in (lost, later):
        front.insert("events", [row(one, team_id=7 if one is later else 1)])
    while not stage.look([lost, later]).sightings:
        pass
    proven = stage.last_look([lost])
    stage.close()

    assert doubtful.blind == HIDES.format("events")
    assert (proven.blind, proven.asked, proven.sightings) == ("", (lost.id,), ())
