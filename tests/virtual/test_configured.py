"""A configuration that was changed between two runs, with canaries under way: no page stays, no step dies."""

from dataclasses import replace

from alerts.condition import Kind
from tests.virtual.pipeline import EVENTS, PROCESSED, RAW
from tests.virtual.schedule import apply
from tests.virtual.world import World


def test_what_the_last_window_of_a_renamed_probe_said_is_told_and_over(world: World) -> None:
    """It settles after the restart, and no later window of that probe will ever say otherwise."""
    world.run(22)
    apply(world, ("answer", "refuse"), 3)
    world.run(5)
    world.probe = "q"
    world.kill()
    world.run(120)
    told = [(notice.kind, notice.key) for notice in world.inbox.notices]
    assert told == [(Kind.OPENED, "rejected:p"), (Kind.RESOLVED, "rejected:p")]


def test_a_copy_in_a_stage_that_is_configured_no_more_stops_nothing(world: World) -> None:
    """The canary is judged by the stages that are left, and its flag names the stage that showed it."""
    world.run(22)
    apply(world, ("duplicate", RAW), 1)
    apply(world, ("drop", PROCESSED), 2)
    world.run(5)
    world.stages = (EVENTS,)
    world.pipeline.watch((EVENTS,))
    world.kill()
    world.run(60)
    assert [n.key for n in world.opened("duplicated")] == [f"duplicated:{RAW}"]


def test_a_renamed_probe_has_what_is_left_of_the_day_and_no_more(world: World) -> None:
    """The day's limit is on what is sent in all: a new name in the configuration is no new day."""
    _limited(world)
    world.run(20)
    world.probe = "q"
    world.kill()
    _limited(world)
    world.run(60)
    assert len(world.pipeline.fates) == 30


def test_as_long_as_a_day_cannot_be_counted_nothing_is_sent(world: World) -> None:
    """What is left of it is not known; it is once the ledger can be read."""
    _limited(world)
    world.run(20)
    sent = len(world.pipeline.fates)
    world.kill()
    _limited(world)
    world.ledger.uncounted = True
    world.run(20)
    assert len(world.pipeline.fates) == sent
    world.ledger.uncounted = False
    world.run(60)
    assert len(world.pipeline.fates) == 30


def test_what_a_full_disk_kept_from_being_sent_is_not_spent(world: World) -> None:
    """The day's limit is on what is sent."""
    _limited(world)
    world.ledger.full = True
    world.run(20)
    assert not world.pipeline.fates
    world.ledger.full = False
    world.run(60)
    assert len(world.pipeline.fates) == 30


def _limited(world: World) -> None:
    desk = world.watch.desk
    desk.plan = replace(desk.plan, max_events_per_day=30)
