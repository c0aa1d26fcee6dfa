"""The queues of Distributed tables on the real engine: one cluster is whole, the other lacks a shard."""

from collections.abc import Iterator
from typing import Any

import pytest

from canary.sandbox.clickhouse import ClickHouseFront
from canary.traffic import Waiting
from tests.canary.edges.clickhouse.bench import LINE, MakeStage, wanted
from tests.contract.audit_kit import table_audit

pytestmark = pytest.mark.sandbox

COLUMNS = (
    "uuid, event, properties, timestamp, team_id, distinct_id, created_at, person_mode, _timestamp, _offset"
)


@pytest.fixture
def stuck(front: ClickHouseFront) -> Iterator[ClickHouseFront]:
    """Two rows taken in by a table that cannot send them all on."""
    yield front
    front.execute("TRUNCATE TABLE posthog.distributed_events_half")
    front.execute("DROP TABLE IF EXISTS posthog.waiting SYNC")


def insert(front: ClickHouseFront, table: str, distinct_id: str) -> None:
    front.execute(
        f"INSERT INTO posthog.{table} ({COLUMNS}) SETTINGS distributed_foreground_insert = 0"
        f" VALUES (generateUUIDv4(), 'e', '{{}}', now(), 1, '{distinct_id}', now(), 'full', now(), 1)"
    )


def test_an_empty_queue_is_told_with_its_time(stage: MakeStage) -> None:
    """Read after the look began."""
    made = stage(queue_cluster="posthog")
    before = LINE.now()
    look = made.look([wanted()])
    assert look.queue is not None
    assert look.blind == ""
    assert (look.queue[1], before <= look.queue[0] <= LINE.now()) == (0, True)


def test_rows_that_wait_for_a_shard_are_counted(stage: MakeStage, stuck: ClickHouseFront) -> None:
    """Whichever of the Distributed tables in front of ours they wait in."""
    for number in range(8):
        insert(stuck, "distributed_events_half", f"d{number}")
    look = stage(queue_cluster="posthog").look([wanted()])
    assert look.queue is not None
    assert look.queue[1] > 0


def test_a_cluster_that_cannot_be_asked_whole_tells_nothing(stage: MakeStage) -> None:
    """A server that is away may hold the rows: nobody knows, and the note says why."""
    look = stage(queue_cluster="posthog_half").look([wanted()])
    assert look.queue is None
    assert look.blind == ""
    assert any("system.distribution_queue cannot be read" in note for note in look.notes)


def test_without_a_distributed_table_nothing_is_claimed(stage: MakeStage) -> None:
    """The configuration says that there is one: what cannot be found is not called empty."""
    look = stage(queue_cluster="posthog", table="events_recent").look([wanted()])
    assert look.queue is None
    assert any("no Distributed table leads to events_recent" in note for note in look.notes)


def test_a_stage_that_names_no_cluster_does_not_ask(stage: MakeStage) -> None:
    """Nothing more than it did before."""
    look = stage().look([wanted()])
    assert look.queue is None


def test_an_audit_reads_the_same_queues(front: ClickHouseFront, stuck: ClickHouseFront) -> None:
    """Empty, held back, not readable; and none where no cluster was named."""

    def waiting(table: str, **changed: Any) -> Waiting | None:
        edge = table_audit(front, table, **changed)
        try:
            return edge.waiting()
        finally:
            edge.close()

    assert waiting("events") is None
    assert waiting("events", queue_cluster="posthog") == Waiting(0)
    for number in range(8):
        insert(stuck, "distributed_events_half", f"d{number}")
    held = waiting("events", queue_cluster="posthog")
    assert held is not None
    assert (held.files > 0, held.unreadable) == (True, "")
    for table, cluster in (("events", "posthog_half"), ("events_recent", "posthog")):
        unknown = waiting(table, queue_cluster=cluster)
        assert unknown is not None
        assert unknown.unreadable
