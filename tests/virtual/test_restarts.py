"""A kill -9 at an awkward moment: what was known is known again, told once, and counted once."""

from datetime import timedelta
from pathlib import Path

import pytest

from alerts.condition import Kind
from canary.values import Minute
from reconcile.outcome import Outcome
from tests.virtual.clock import START
from tests.virtual.oracle import faults
from tests.virtual.pipeline import EVENTS, PROCESSED
from tests.virtual.schedule import apply
from tests.virtual.world import PROBE, World

YEAR = 365 * 24 * 3600


def test_a_loss_from_before_a_restart_is_amended_when_it_turns_up(world: World) -> None:
    """It comes by the table alone, which has to be asked for it."""
    world.run(22)
    apply(world, ("drop", EVENTS), 1)
    world.run(30)
    id_ = next(id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None)
    assert world.outcome(id_) is Outcome.LOST
    world.kill()
    world.run(20)
    world.pipeline.replay(PROCESSED, 60)
    world.finish()
    judged = world.track(id_).judged
    assert judged is not None
    assert (judged.outcome, judged.amended_from) == (Outcome.LATE, Outcome.LOST)
    assert [report.amendments for report in world.reports() if report.amendments] == [1]
    told = [notice for notice in world.inbox.notices if notice.key.startswith("lost:")]
    assert [notice.kind for notice in told] == [Kind.OPENED, Kind.RESOLVED, Kind.AMENDED]
    assert told[-1].amended_words == "1 arrived after all"


def test_a_loss_written_down_in_the_instant_before_a_kill_is_still_paged(world: World) -> None:
    """The verdict is in the ledger, the pager never heard of it."""
    world.run(22)
    apply(world, ("drop", PROCESSED), 2)
    while not any(world.outcome(id_) is Outcome.LOST for id_ in world.pipeline.fates):
        world.clock.advance(1.0)
        world.pipeline.tick()
        world.watch.inject(PROBE)
        for name in world.watch.stages:
            world.watch.follow(name)
        with world.watch.desk.lock:
            settled = world.watch.settler.settle(world.watch.desk.line.now())
        world.watch.desk.unsaved.settled(
            judged=settled.judged,
            reports=settled.reports.values(),
            minutes=settled.minutes,
            counted=settled.counted,
        )
        assert world.watch.desk.unsaved.flush()
    assert world.inbox.notices == []
    world.kill()
    world.run(40)
    world.finish()
    told = [(n.kind, n.key) for n in world.inbox.notices if n.key.startswith("lost")]
    assert told == [(Kind.OPENED, "lost:raw->processed"), (Kind.RESOLVED, "lost:raw->processed")]


def test_an_open_page_about_a_loss_survives_a_restart_without_a_word(world: World) -> None:
    """Neither a second page nor an early end."""
    world.run(22)
    apply(world, ("drop", PROCESSED), 1)
    while not world.inbox.notices:
        world.run(1)
    world.kill()
    world.run(2)
    assert len(world.inbox.notices) == 1
    world.finish()
    assert [n.kind for n in world.inbox.notices] == [Kind.OPENED, Kind.RESOLVED]


@pytest.mark.parametrize("kills", [0, 1, 3])
def test_downtime_is_counted_once_however_often_the_monitor_is_killed(tmp_path: Path, kills: int) -> None:
    """The minutes of a backlog of 16 minutes are the same in the ledger, and one incident is told."""
    world = World(tmp_path / "ledger.db", rate=0.2)
    world.run(15)
    world.pipeline.stopped.add(EVENTS)
    world.run(480, tick=3.0)
    for _ in range(kills):
        world.kill()
        world.run(3, tick=3.0)
    world.run(480 - 3 * kills, tick=3.0)
    minutes = world.ledger.minutes(START, START + timedelta(hours=1))
    assert all(minute.not_visible <= minute.sent for minute in minutes)
    assert _down(minutes) >= 9
    assert [n.key for n in world.opened()] == ["behind:processed->events"]
    assert world.inbox.muted() == {f"down:{PROBE}"}
    world.ledger.close()


def _down(minutes: list[Minute]) -> int:
    return sum(2 * minute.not_visible >= minute.due for minute in minutes if minute.due)


def test_a_clock_in_a_wrong_year_does_not_blind_the_next_run(world: World) -> None:
    """What was covered "next year" is not believed; what is sent after the restart is judged as ever."""
    world.run(22)
    world.clock.step_wall(YEAR)
    world.run(22)
    world.clock.step_wall(-YEAR)
    world.kill()
    before = set(world.pipeline.fates)
    world.run(40)
    apply(world, ("drop", PROCESSED), 1)
    world.run(60)
    world.sending = False
    world.run(40)
    after = [id_ for id_ in world.pipeline.fates if id_ not in before]
    gone = [id_ for id_ in after if world.pipeline.fates[id_].gone_at is not None]
    assert len(gone) == 1
    assert world.outcomes(gone) == {Outcome.LOST}
    assert world.outcomes([id_ for id_ in after if id_ not in gone]) == {Outcome.ON_TIME}


def test_a_restart_in_every_round_changes_no_verdict(world: World) -> None:
    """Killed forty times, with a loss in between."""
    world.run(12)
    apply(world, ("drop", EVENTS), 2)
    for _ in range(40):
        world.run(1)
        world.kill()
    world.finish()
    assert faults(world) == []
