"""Rows that lookups pass over, and spoilt copies: found, and not called late for our own late look."""

import pytest

from reconcile.outcome import Flag, Outcome
from tests.virtual.oracle import faults
from tests.virtual.pipeline import EVENTS, PROCESSED
from tests.virtual.schedule import apply
from tests.virtual.world import World


@pytest.mark.parametrize("mangle", ["text", "event name", "DateTime64 times 1000"])
@pytest.mark.parametrize("first", ["intact", "spoilt"])
def test_a_spoilt_copy_is_corrupt_whichever_comes_first(world: World, mangle: str, first: str) -> None:
    """The consumer goes back, and one of its two rows is not as it was sent."""
    world.run(12)
    world.pipeline.mangle = mangle
    if first == "spoilt":
        world.pipeline.todo["corrupt", EVENTS] += 1
    world.run(1)
    if first == "intact":
        world.pipeline.todo["corrupt", EVENTS] += 4
    world.pipeline.replay(PROCESSED, 1)
    world.run(1)
    world.pipeline.todo.clear()
    world.finish()
    fates = world.pipeline.fates
    spoilt = [id_ for id_, fate in fates.items() if fate.corrupted or fate.copy_corrupted]
    assert spoilt
    judged = [world.track(id_).judged for id_ in spoilt]
    assert all(one is not None and one.flags >= {Flag.CORRUPT, Flag.DUPLICATED} for one in judged)
    assert faults(world) == []


def test_a_row_that_lookups_passed_over_is_not_late_because_a_good_copy_was(world: World) -> None:
    """It had come at once, under another name; when, nobody can say, and nobody calls that late."""
    world.run(13)
    world.pipeline.mangle = "event name"
    apply(world, ("corrupt", EVENTS), 1)
    world.run(7)
    (spoilt,) = (id_ for id_, fate in world.pipeline.fates.items() if fate.corrupted)
    world.pipeline.replay(PROCESSED, 3)
    world.run(30)
    world.finish()
    judged = world.track(spoilt).judged
    assert judged is not None
    assert judged.outcome is Outcome.ON_TIME
    assert judged.flags == {Flag.CORRUPT, Flag.DUPLICATED, Flag.TIME_UNKNOWN}
    assert faults(world) == []
    assert world.opened("late") == []


def test_a_hidden_row_of_a_probe_that_is_configured_no_more_is_not_called_late(world: World) -> None:
    """What it should hold cannot be told any more, and so not since when it was there."""
    world.run(13)
    world.pipeline.mangle = "DateTime64 times 1000"
    apply(world, ("corrupt", PROCESSED), 1)
    world.run(3)
    world.probe = "q"
    world.kill()
    world.run(40)
    world.finish()
    (spoilt,) = (id_ for id_, fate in world.pipeline.fates.items() if fate.corrupted)
    judged = world.track(spoilt).judged
    assert judged is not None
    assert judged.outcome is Outcome.ON_TIME
    assert Flag.TIME_UNKNOWN in judged.flags
    assert world.opened("late") == []
