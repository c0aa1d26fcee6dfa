"""Where proof ends: tables that show less, budgets, and parts that cannot be asked; then any mixture."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.audit import Limits, Verdict
from canary.audit.report import reasons
from canary.audit.work import Start
from canary.traffic import CannotAskError, Method, Waiting
from reconcile.traffic import Fate, Policy
from tests.canary.audit.auditing import GRACE, audited, full, lacking, told
from tests.canary.audit.world import START, Row, World


def test_ids_that_cannot_be_matched_prove_nothing() -> None:
    """Where stored events are not found by their ids, a missing one may have been merged away."""
    world = lacking()
    world.rows = [Row(row.partition, row.offset, f"other {n}", row.at) for n, row in enumerate(world.rows)]
    report = audited(world)

    assert told(report.counts) == {"stored": 40, "unaudited": 1}
    assert report.verdict(GRACE) is Verdict.UNKNOWN


def test_a_table_without_partitions_is_audited_by_id() -> None:
    """Through a sibling; its method is named."""
    world = full(20)
    world.append(0, 2)
    world.consume(0, without={20})
    world.method = Method("sibling", "copies")
    report = audited(world)

    assert told(report.counts) == {"stored": 41, "lost": 1}
    assert report.as_json()["method"] == {"name": "sibling", "cannot_see": "copies", "why": ""}


def test_counts_alone_prove_no_loss() -> None:
    """Without partitions and siblings, what is missing beyond the tolerance is unaudited, not lost."""
    world = full(500)
    world.method = Method("count", "which")
    whole = audited(world)
    world.rows = world.rows[:-2]
    world.now = START
    short = audited(world)

    assert (told(whole.counts), whole.verdict(GRACE)) == ({"stored": 1_000}, Verdict.OK)
    assert (told(short.counts), short.verdict(GRACE)) == ({"stored": 998, "unaudited": 2}, Verdict.UNKNOWN)
    assert short.tolerated == 1


def test_rows_in_a_distributed_table_s_queue_are_queued_however_long() -> None:
    """Their consumer has committed them: no loss after hours, stored when they come, lost when not."""
    world = full(10)
    world.append(0, 20)
    world.hold(0)
    until = world.now + timedelta(seconds=1)
    world.now += timedelta(hours=5)
    start = Start({0: 0, 1: 0}, ends={0: 30, 1: 10}, topic_id=str(world.topic_id))
    waits = world.auditor().audit(START, until, start=start)
    world.release(without={15})
    after = world.auditor().audit(START, until, start=start)

    assert (told(waits.counts), waits.open) == ({"stored": 20, "queued": 20}, True)
    assert any("20 files wait" in note for note in waits.notes)
    assert (told(after.counts), after.open) == ({"stored": 39, "lost": 1}, False)


def test_a_queue_that_cannot_be_read_proves_nothing() -> None:
    """Then the position is no proof either: not yet, and lost only after `lost_after`."""
    world = full(10)
    world.append(0, 20)
    world.hold(0)
    world.waiting = Waiting(unreadable="system.distribution_queue cannot be read: away")
    until = world.now + timedelta(seconds=1)
    world.now += timedelta(minutes=29)
    early = world.auditor().audit(START, until)

    assert told(early.counts) == {"stored": 20, "not_yet": 20}


def test_what_the_consumer_has_not_even_read_is_queued_without_its_position() -> None:
    """However long; what lies before that place is lost by time alone, as for a partition nobody tells of."""
    world = full(10)
    world.append(0, 20)
    world.append(1, 5)
    world.store(0, range(10, 14))
    world.positions, world.unread = None, {0: 17}
    early = world.auditor().audit(START - timedelta(hours=1), world.now + timedelta(seconds=1))
    late = audited(world)
    world.positions = {0: 30, 1: 10}
    read = world.auditor().audit(START - timedelta(hours=1), START + timedelta(seconds=1))

    assert told(early.counts) == {"stored": 24, "queued": 13, "not_yet": 8}
    assert told(late.counts) == {"stored": 24, "queued": 13, "lost": 8}
    assert told(read.counts) == {"stored": 24, "queued": 5, "lost": 16}


def test_a_window_over_its_budget_is_halved() -> None:
    """A question that is refused for its size is asked in parts, with the same result."""
    world = World()
    for _ in range(8):
        world.append(0, 5)
        world.now += timedelta(minutes=1)
    world.consume(0, without={17})
    world.over_budget = 2
    report = audited(world)

    assert told(report.counts) == {"stored": 39, "lost": 1}


def test_a_window_that_cannot_be_counted_is_unaudited() -> None:
    """However often it was halved: reported, with the reason."""
    world = full(20)
    world.over_budget = 1_000
    report = audited(world)

    assert told(report.counts) == {"unaudited": 40}
    assert report.verdict(GRACE) is Verdict.UNKNOWN


def test_of_tiered_storage_less_is_read_back() -> None:
    """It has a cap of its own, which takes nothing from what lies on the brokers."""
    world = full(500)
    world.rows = [row for row in world.rows if row.offset == 499]
    world.local = {0: 400, 1: 0}
    report = audited(world, Limits(tiered=50))

    assert told(report.counts) == {"stored": 2, "lost": 50 + 99 + 499, "unaudited": 350}
    assert reasons(report.runs, Fate.UNAUDITED) == {
        "more than 50 messages to read back from tiered storage": 350
    }


def test_a_loss_is_not_believed_when_the_table_cannot_be_asked_again() -> None:
    """Unaudited, with the reason."""
    world = lacking()

    def refuse(world: World, question: str) -> None:
        if question == "having":
            world.over_budget = 1_000

    world.between = refuse

    assert told(audited(world).counts) == {"stored": 40, "unaudited": 1}


def test_a_broker_that_is_down_is_no_report() -> None:
    """Not even the window is known: whoever asked is told."""
    world = full(5)
    world.down = True
    with pytest.raises(CannotAskError, match="connection refused"):
        audited(world)


def test_a_record_from_the_future_does_not_end_the_audit_for_ever() -> None:
    """Its partition is audited on, behind it, as far as can be read; on demand and in a running audit."""
    world = World()
    world.append(0, 10)
    world.append(0, at=START + timedelta(days=4_000))
    world.append(0, 10)
    world.consume(0, without={15})
    on_demand = audited(world)
    world.now = START
    start = Start({0: 11, 1: 0}, topic_id=str(world.topic_id))
    running = audited(world, start=start)

    assert told(on_demand.counts) == {"stored": 20, "lost": 1}
    assert told(running.counts) == {"stored": 9, "lost": 1}
    assert any("from the future" in note for note in running.notes)


def test_a_record_of_a_later_time_does_not_end_a_window_too_early() -> None:
    """Times go back behind it: rows of the window's own times show how far it reaches."""
    world = World()
    world.append(0, 10)
    world.append(0, at=START + timedelta(minutes=30))
    world.append(0, 10)
    world.consume(0, without={15})

    assert told(audited(world).counts) == {"stored": 20, "lost": 1}


FAULTS = st.sampled_from(["stored", "lost", "control", "aborted", "unparsable", "filtered", "dead", "twice"])


@given(st.lists(st.tuples(st.integers(0, 1), FAULTS), max_size=60), st.integers(0, 60))
def test_whatever_happens_the_audit_tells_the_truth(plan: list[tuple[int, str]], behind: int) -> None:
    """Any mixture of fates in any order over two partitions, with a backlog at the end."""
    world, truth = World(), dict.fromkeys(("stored", "lost"), 0)
    for partition in (0, 1):
        world.append(partition)
        world.consume(partition)
        truth["stored"] += 1
    names = {"dead": "dead_lettered", "twice": "stored"}
    for partition, fault in plan:
        changes: dict[str, dict[str, Any]] = {
            "control": {"kind": "control"},
            "aborted": {"kind": "aborted"},
            "unparsable": {"error": "no JSON"},
            "filtered": {"event": "dropped"},
        }
        [offset] = world.append(partition, **changes.get(fault, {}))
        stored = fault in ("stored", "twice")
        world.consume(partition, without=set() if stored else {offset})
        if fault == "twice":
            world.store(partition, range(offset, offset + 1))
        if fault == "dead":
            world.letters[world.logs[partition][offset].id] = "too large"
        truth[names.get(fault, fault)] = truth.get(names.get(fault, fault), 0) + 1
    world.append(0, behind)
    report = audited(world, policy=Policy(events=frozenset({"dropped"})))

    expected = {**truth, "queued": behind}
    assert told(report.counts) == {name: number for name, number in expected.items() if number}
    assert report.twice.mergeable == sum(fault == "twice" for _, fault in plan)
