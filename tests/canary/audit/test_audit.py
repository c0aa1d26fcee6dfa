"""What an audit makes of each fault: the loss that was planted, and nothing else."""

from datetime import timedelta

import pytest

from canary.audit import Limits, Verdict
from canary.audit.work import Known, Start
from canary.traffic import Method
from reconcile.traffic import Fate, Policy
from tests.canary.audit.auditing import GRACE, HOUR, audited, full, told
from tests.canary.audit.fake_topic import RETENTION
from tests.canary.audit.world import START, Row, World


def test_a_sound_table_costs_no_message() -> None:
    """Everything is stored, nothing is fetched, and one question does, and one for older rows."""
    world = full()
    report = audited(world)

    assert told(report.counts) == {"stored": 100}
    assert report.verdict(GRACE) is Verdict.OK
    assert world.fetched == 0
    assert report.cost.queries <= 2


def test_a_lost_block_is_named_to_the_offset() -> None:
    """10,000 consecutive messages, and one more elsewhere."""
    world = World()
    world.append(0, 30_000)
    world.append(1, 10)
    world.consume(0, without=frozenset(range(12_345, 22_345)))
    world.consume(1, without={4})
    report = audited(world)

    assert told(report.counts) == {"stored": 20_009, "lost": 10_001}
    assert [str(one) for one in report.lost_ranges] == ["0:12345-22344", "1:4-4"]
    assert report.lost.ids[0] == world.logs[0][12_345].id
    assert report.lost.replayable_until == START + RETENTION
    assert report.verdict(GRACE) is Verdict.FAULT
    assert world.fetched <= 10_001 + 3


def test_payloads_are_shown_only_when_asked_for() -> None:
    """Neither kept nor shown else."""
    world = full()
    world.append(0)
    world.consume(0, without={50})

    assert "payload" not in str(audited(world).as_json())
    world.now = START
    assert audited(world, payloads=True).lost.payloads == ("payload",)


def test_every_explanation_that_is_not_a_loss() -> None:
    """Control, aborted, unparsable, filtered, dead-lettered, deduplicated: each by its own evidence."""
    world = full(10)
    world.append(0, kind="control")
    world.append(0, 2, kind="aborted")
    world.append(0, 3, error="no JSON: Expecting value at byte 0")
    world.append(0, 4, event="dropped")
    letters = world.append(0, 5)
    copies = [world.append(0, id=world.logs[0][n].id)[0] for n in range(6)]
    world.letters = {world.logs[0][n].id: "too large" for n in letters}
    world.consume(0, without={*range(13, 25), *copies})
    report = audited(world, policy=Policy(events=frozenset({"dropped"})))

    assert told(report.counts) == {
        "stored": 20,
        "control": 1,
        "aborted": 2,
        "unparsable": 3,
        "filtered": 4,
        "dead_lettered": 5,
        "deduplicated": 6,
    }
    assert {run.reason for run in report.runs if run.fate is Fate.UNPARSABLE} == {
        "no JSON: Expecting value at byte 0"
    }
    assert report.verdict(GRACE) is Verdict.DEGRADED


def test_a_backlog_is_queued_and_stored_in_the_end() -> None:
    """Twenty minutes behind is no loss; audited again, the same window is whole."""
    world = full(5)
    behind = world.append(0, 1_000)
    until = world.now + timedelta(seconds=1)
    world.now += timedelta(minutes=20)
    first = world.auditor().audit(START - HOUR, until)

    assert told(first.counts) == {"stored": 10, "queued": 1_000}
    assert first.verdict(GRACE) is Verdict.DEGRADED
    assert world.fetched == 0
    world.consume(0)
    start = Start({0: 0, 1: 0}, ends={0: behind[-1] + 1, 1: 5}, topic_id=str(world.topic_id))
    again = world.auditor().audit(START - HOUR, until, start=start)
    assert told(again.counts) == {"stored": 1_010}


def test_without_positions_nothing_is_lost_before_its_time() -> None:
    """Not yet until `lost_after`, then lost."""
    world = full(5)
    world.append(0)
    world.positions = None
    until = world.now + timedelta(seconds=1)
    world.now += timedelta(minutes=5)
    early = world.auditor().audit(START - HOUR, until)
    world.now += timedelta(minutes=30)
    late = world.auditor().audit(START - HOUR, until)

    assert told(early.counts) == {"stored": 10, "not_yet": 1}
    assert early.verdict(GRACE) is Verdict.UNKNOWN
    assert told(late.counts) == {"stored": 10, "lost": 1}


def test_replays_are_copies_and_no_loss() -> None:
    """A consumer that was set back inserts again: rows that a merge removes, and rows that none will."""
    world = full(20)
    world.store(0, range(5, 12))
    world.store(1, range(3), variant=1)
    world.positions = {0: 5, 1: 20}
    report = audited(world)

    assert told(report.counts) == {"stored": 40}
    assert (report.twice.mergeable, report.twice.permanent) == (7, 3)
    assert report.verdict(GRACE) is Verdict.DEGRADED


def test_a_merge_in_mid_audit_makes_no_loss() -> None:
    """The same event at two offsets: between two questions the older row is merged away."""
    world = full(20)
    world.append(0, id=world.logs[0][7].id)
    world.append(0)
    world.consume(0, without={21})

    def merge(world: World, question: str) -> None:
        if question == "blocks":
            world.rows = [row for row in world.rows if (row.partition, row.offset) != (0, 7)]

    world.between = merge
    report = audited(world)

    assert told(report.counts) == {"stored": 40, "deduplicated": 1, "lost": 1}
    assert [str(one) for one in report.lost_ranges] == ["0:21-21"]


@pytest.mark.parametrize("question", ["blocks", "gaps", "having"])
def test_a_row_that_comes_between_the_questions_is_never_lost(question: str) -> None:
    """It is asked for again before a loss is believed."""
    world = full(20)
    world.searched = question == "gaps"
    late = world.append(0, 3)
    world.consume(0, without=set(late))

    def arrive(world: World, answered: str) -> None:
        if answered == question:
            world.store(0, late)
            world.between = lambda *_: None

    world.between = arrive

    assert told(audited(world).counts) == {"stored": 43}


@pytest.mark.parametrize("kept", [0, 25])
@pytest.mark.parametrize("method", ["offset", "sibling"])
def test_a_row_on_its_way_when_the_position_was_read_has_had_its_time(method: str, kept: int) -> None:
    """It is waited for before anything counts as missing, even where Kafka keeps it no longer."""
    world = full(20)
    world.method = Method(method, "nothing")
    late = world.append(0, 3)
    world.consume(0, without=set(late))
    world.log_start = {0: kept}
    world.resting = lambda world: world.store(0, late)

    assert told(audited(world, start=Start({0: 0, 1: 0})).counts) == {"stored": 43}


def test_a_sound_window_waits_for_nothing() -> None:
    """What the table shows is stored, whenever it was asked."""
    world = full()
    rests: list[World] = []
    world.resting = rests.append

    assert told(audited(world).counts) == {"stored": 100}
    assert rests == []


def test_where_kafka_has_no_record_the_table_is_asked_for_no_id() -> None:
    """A transaction's marker is no event: nothing is looked for in the whole table."""
    world = full()
    world.append(0, 2, kind="control")
    world.consume(0)
    asked: list[str] = []
    world.between = lambda _, question: asked.append(question)

    assert told(audited(world).counts) == {"stored": 100, "control": 2}
    assert not {"having", "present"} & set(asked)


def test_retention_that_has_passed_is_said() -> None:
    """What Kafka has no longer cannot be verified; what the consumer never came to is lost in time."""
    world = full(10)
    world.append(0, 20)
    world.consume(0, without={*range(10, 15)})
    world.append(0, 10)
    world.log_start = {0: 35}
    start = Start({0: 0, 1: 0}, topic_id=str(world.topic_id), known=Known(first_at=START))
    until = world.now + timedelta(seconds=1)
    world.now += timedelta(minutes=5)
    early = world.auditor().audit(START - HOUR, until, start=start)
    late = audited(world, start=start)

    assert told(early.counts) == {"stored": 35, "expired": 5, "queued": 10}
    assert told(late.counts) == {"stored": 35, "expired": 5, "lost": 5, "queued": 5}


def test_partitions_that_were_added_are_audited_from_their_beginning() -> None:
    """A window that begins where the last one ended knows nothing of a new partition."""
    world = full(10)
    world.logs[2] = []
    world.append(2, 5)
    world.consume(2, without={1})
    report = audited(world, start=Start({0: 10, 1: 10}, topic_id=str(world.topic_id)))

    assert told(report.counts) == {"stored": 4, "lost": 1}
    assert [str(one) for one in report.lost_ranges] == ["2:1-1"]


def test_a_topic_made_again_does_not_hide_a_loss_behind_its_old_rows() -> None:
    """Offsets begin at 0 again, and the table still has rows of the old ones: ids decide."""
    world = full(30)
    old = str(world.topic_id)
    world.now += HOUR
    again = World(now=world.now, rows=world.rows)
    again.append(0, 10)
    again.consume(0, without={6})
    until = again.now + timedelta(seconds=1)
    again.now += timedelta(minutes=2)
    start = Start({0: 30, 1: 30}, topic_id=old)
    report = again.auditor().audit(START + HOUR - timedelta(minutes=1), until, start=start)

    assert told(report.counts) == {"stored": 9, "lost": 1}
    assert report.made_again


def test_an_audit_on_demand_sees_old_rows_under_a_topic_made_again() -> None:
    """Without a past of its own it sees that the table has older rows with these offsets."""
    world = full(30)
    again = World(now=world.now + HOUR, rows=world.rows)
    again.append(0, 10)
    again.consume(0, without={6})
    until = again.now + timedelta(seconds=1)
    again.now += timedelta(minutes=2)
    report = again.auditor().audit(START + HOUR - timedelta(minutes=1), until)

    assert told(report.counts) == {"stored": 9, "lost": 1}


def test_a_truncated_table_is_lost_as_far_as_the_budget_goes() -> None:
    """The rest is unaudited, with the reason, and never skipped."""
    world = full(500)
    world.rows.clear()
    report = audited(world, Limits(messages=300))

    assert told(report.counts) == {"lost": 300, "unaudited": 700}
    assert any("more than 300 messages" in run.reason for run in report.runs)


def test_a_row_without_an_offset_is_a_finding_and_no_loss() -> None:
    """Its event is in the table; where it came from is not."""
    world = full(20)
    row = world.rows.pop(3)
    world.rows.append(Row(row.partition, None, row.id, row.at))
    report = audited(world)

    assert told(report.counts) == {"stored": 40}
    assert report.strays.no_offset == 1
    assert report.verdict(GRACE) is Verdict.DEGRADED


def test_rows_of_a_future_that_has_come_are_no_strays() -> None:
    """The topic grows while it is audited: an offset beyond the end may have become one."""
    world = full(20)

    def grow(world: World, question: str) -> None:
        if question == "blocks":
            world.store(0, world.append(0, at=START))

    world.between = grow
    report = audited(world)

    assert told(report.counts) == {"stored": 40}
    assert report.stray_rows == 0
