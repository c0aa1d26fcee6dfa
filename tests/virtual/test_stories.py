"""Single faults from beginning to end: the verdict, its hop, and who is told what, how often."""

from datetime import timedelta
from pathlib import Path

import pytest

from alerts.condition import Kind
from canary.lanes import Lane
from canary.values import Difference
from reconcile.outcome import Flag, Outcome
from tests.virtual.clock import START
from tests.virtual.oracle import faults
from tests.virtual.pipeline import EVENTS, PARTITIONS, PROCESSED, RAW
from tests.virtual.schedule import apply
from tests.virtual.world import PROBE, World

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("stage", "hop"),
    [(RAW, "ingress->raw"), (PROCESSED, "raw->processed"), (EVENTS, "processed->events")],
)
def test_three_canaries_dropped_page_once_with_hop_and_ids_and_resolve(
    world: World, stage: str, hop: str
) -> None:
    """And nobody hears of anything else."""
    world.run(22)
    apply(world, ("drop", stage), 3)
    world.run(30)
    world.finish()
    gone = sorted(str(id_) for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None)
    told = [(n.kind, n.key) for n in world.inbox.notices]
    assert told == [(Kind.OPENED, f"lost:{hop}"), (Kind.RESOLVED, f"lost:{hop}")]
    facts = dict(world.inbox.notices[0].content.facts)
    assert facts.keys() >= {"sent in the last window", "lost", "since", "worst latency"}
    assert sorted(world.inbox.notices[0].content.ids) == gone
    assert len(gone) == 3
    assert faults(world) == []


def test_a_backlog_of_twenty_minutes_is_behind_and_never_lost(tmp_path: Path) -> None:
    """Pages "behind" once, which says that ingestion is down by it; then all of it arrives."""
    world = World(tmp_path / "ledger.db", rate=0.2)
    world.run(15)
    world.pipeline.stopped.add(EVENTS)
    world.run(1200, tick=3.0)
    assert {n.key for n in world.opened()} == {"behind:processed->events"}
    assert world.inbox.muted() == {f"down:{PROBE}"}
    assert not any(item.outcome is Outcome.LOST for said in world.said.values() for item in said)
    world.finish()
    assert faults(world) == []
    assert world.opened("lost") == []
    assert len(world.opened("behind")) == 1
    assert world.opened("down") == []
    assert world.inbox.unresolved() == []
    world.ledger.close()


def test_retention_past_a_backlog_loses_all_of_it(world: World) -> None:
    """Every canary that retention took before the consumer came is lost at that hop."""
    world.run(15)
    world.pipeline.stopped.add(EVENTS)
    world.run(60)
    world.pipeline.expire(PROCESSED)
    world.finish()
    lost = [id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None]
    assert len(lost) > 50
    assert world.outcomes(lost) == {Outcome.LOST}
    assert faults(world) == []


@pytest.mark.parametrize("stage", [RAW, PROCESSED, EVENTS])
def test_a_blind_stage_is_told_and_nothing_is_called_lost(world: World, stage: str) -> None:
    """Blind for two minutes while everything arrives: on time in the end, and no loss on the way."""
    world.run(15)
    world.eyes.blind[stage] = "cut off"
    world.run(120)
    world.finish()
    assert [n.key for n in world.opened()] == [f"blind:{stage}"]
    assert world.outcomes(world.pipeline.ids()) == {Outcome.ON_TIME}
    assert faults(world) == []


def test_a_loss_over_a_blind_stage_is_narrowed_down_when_it_can_be_read(world: World) -> None:
    """Counted at the first hop of the span, and at the true one as soon as it is known."""
    world.run(12)
    world.eyes.blind[PROCESSED] = "cut off"
    apply(world, ("drop", EVENTS), 1)
    world.run(700, tick=2.0)
    lost = [id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None]
    first = world.track(lost[0]).judged
    assert first is not None
    assert (first.hop, first.spanned) == ((RAW, PROCESSED), ((PROCESSED, EVENTS),))
    world.finish()
    then = world.track(lost[0]).judged
    assert then is not None
    assert (then.hop, then.spanned) == ((PROCESSED, EVENTS), ())
    assert faults(world) == []


def test_a_restart_in_a_backlog_changes_nothing_and_pages_nobody_twice(world: World) -> None:
    """What was overdue stays overdue; the page that is open stays the one page."""
    world.run(15)
    world.pipeline.stopped.add(EVENTS)
    world.run(60)
    overdue = [id_ for id_ in world.pipeline.ids() if world.outcome(id_) is Outcome.OVERDUE]
    for _ in range(3):
        world.kill()
        world.run(40)
    assert world.outcomes(overdue) == {Outcome.OVERDUE}
    assert all(len(world.said[id_]) <= 2 for id_ in overdue)
    world.finish()
    assert len(world.opened("behind")) == 1
    assert world.opened("lost") == []
    assert faults(world) == []


def test_a_wall_clock_that_steps_in_a_backlog_pages_nobody_twice(world: World) -> None:
    """An hour forth and an hour back: still the one page, and nothing lost."""
    world.run(15)
    world.pipeline.stopped.add(EVENTS)
    world.run(60)
    world.clock.step_wall(3600)
    world.run(60)
    world.clock.step_wall(-3600)
    world.run(60)
    assert world.opened("lost") == []
    world.finish()
    assert len(world.opened("behind")) == 1
    assert faults(world) == []


@pytest.mark.parametrize("step", [310, 400])
def test_a_wall_clock_that_steps_by_minutes_is_no_downtime(world: World, step: float) -> None:
    """What was on its way at the step did not wait for as long as the clock says."""
    world.pipeline.hold[EVENTS] = 4.0
    world.run(63)
    world.clock.step_wall(step)
    world.run(60)
    world.finish()
    assert world.opened("down") == []
    assert [minute for minute in world.ledger.minutes(START - DAY, START + DAY) if minute.not_visible] == []


def test_a_full_disk_stops_the_sending_and_not_the_following(world: World) -> None:
    """What was sent before is followed to its end; nothing is lost afterwards."""
    world.run(30)
    sent = len(world.pipeline.fates)
    world.ledger.full = True
    world.run(60)
    assert len(world.pipeline.fates) == sent
    assert {item[-1].outcome for item in world.said.values()} == {Outcome.ON_TIME}
    world.finish()
    assert [n.key for n in world.opened()] == ["ledger"]
    assert len(world.pipeline.fates) > sent
    assert faults(world) == []
    assert world.inbox.unresolved() == []


def test_a_monitor_that_stood_still_for_an_hour_calls_nothing_lost(world: World) -> None:
    """Stopped, not killed: what arrived meanwhile arrived, at a time that nobody knows."""
    world.run(25)
    world.sleep(3600)
    world.finish()
    assert world.opened("lost") == []
    assert world.opened("late") == []
    assert faults(world) == []


def test_lanes_are_held_against_where_the_first_topic_shows_them(world: World) -> None:
    """Every canary in another partition than its lane's is counted, and one of them is named."""
    (probe,) = world.watch.probes.values()
    probe.relane([Lane(0, PARTITIONS, ("canary-p-0",)), Lane(1, None, ("canary-p-1",))])
    world.run(20)
    world.finish()
    astray = [fate for fate in world.pipeline.fates.values() if fate.event.distinct_id == "canary-p-0"]
    counted = world.watch.desk.metrics.registry.get_sample_value(
        "ingestion_canary_off_lane_total", {"probe": PROBE}
    )
    assert counted == len(astray) > 0
    assert f"its lane is {PARTITIONS}" in world.watch.notes["lanes"]


def test_what_was_refused_and_what_got_no_answer(world: World) -> None:
    """Rejected, undelivered and arrived, each by what really became of it."""
    world.run(12)
    world.pipeline.answers = ["refuse", "error", "timeout_lost", "timeout_stored", "error_stored"]
    world.run(30)
    world.finish()
    outcomes = {fate.done[0]: world.outcome(id_) for id_, fate in world.pipeline.fates.items()}
    assert outcomes == {
        "accept": Outcome.ON_TIME,
        "refuse": Outcome.REJECTED,
        "error": Outcome.UNDELIVERED,
        "timeout_lost": Outcome.UNDELIVERED,
        "timeout_stored": Outcome.ON_TIME,
        "error_stored": Outcome.ON_TIME,
    }


def test_a_dead_letter_is_lost_with_its_reason_even_after_a_restart(world: World) -> None:
    """The ledger remembers what the dead letter said."""
    world.run(12)
    apply(world, ("dead", PROCESSED), 1)
    world.run(3)
    world.kill()
    world.finish()
    id_ = next(id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None)
    judged = world.track(id_).judged
    assert judged is not None
    assert (judged.outcome, judged.reason) == (Outcome.LOST, "dead-lettered: too large")


def test_a_mangled_field_is_named_and_flagged_once(world: World) -> None:
    """Field, expected and found; at the stage that showed it first."""
    world.run(12)
    apply(world, ("corrupt", PROCESSED), 1)
    world.run(30)
    world.finish()
    id_ = next(id_ for id_, fate in world.pipeline.fates.items() if fate.corrupted)
    track = world.track(id_)
    assert track.judged is not None
    assert track.judged.flags == {Flag.CORRUPT}
    seen = {item.stage: item for item in track.seen}
    assert not seen[RAW].differences
    (difference,) = seen[PROCESSED].differences
    assert isinstance(difference, Difference)
    assert (difference.field, difference.found) == ("canary_text", '"mangled"')
    assert [n.key for n in world.opened()] == [f"corrupt:{PROCESSED}"]


def test_found_after_all_amends_the_loss_and_counts_it_once(world: World) -> None:
    """A replay brings a lost canary back: one amendment, in the report and in the metric."""
    world.run(12)
    apply(world, ("drop", PROCESSED), 1)
    world.run(30)
    id_ = next(id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None)
    assert world.outcome(id_) is Outcome.LOST
    world.pipeline.replay(RAW, 30)
    world.finish()
    judged = world.track(id_).judged
    assert judged is not None
    assert (judged.outcome, judged.amended_from) == (Outcome.LATE, Outcome.LOST)
    amended = [report.amendments for report in world.reports() if report.amendments]
    assert amended == [1]
    labels = {"probe": PROBE, "from": "lost", "to": "late"}
    registry = world.watch.desk.metrics.registry
    assert registry.get_sample_value("ingestion_canary_amended_total", labels) == 1


def test_a_copy_that_comes_while_the_disk_is_full_reopens_no_window(world: World) -> None:
    """What the ledger has not heard yet is known all the same."""
    world.run(25)
    world.ledger.full = True
    world.run(30)
    world.pipeline.replay(RAW, 8)
    world.run(10)
    world.finish()
    assert faults(world) == []


def test_a_table_that_cannot_be_asked_for_copies_holds_no_window_up_and_is_told(world: World) -> None:
    """The window closes all the same; how many were not looked at twice is counted."""
    world.run(12)
    world.eyes.no_copies.add(EVENTS)
    world.run(40)
    counted = world.watch.desk.metrics.registry.get_sample_value(
        "ingestion_canary_copies_unchecked_total", {"probe": PROBE}
    )
    settled = [report for report in world.reports() if report.sent]
    assert len(settled) >= 2
    assert counted is not None
    assert counted >= 8
    world.finish()
    assert faults(world) == []
    assert world.opened() == []
