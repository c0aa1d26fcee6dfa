"""Questions beside the main one: none is put off for ever, and none that is still open makes a page."""

from reconcile.outcome import Flag, Outcome
from tests.virtual.oracle import faults
from tests.virtual.pipeline import EVENTS
from tests.virtual.schedule import apply
from tests.virtual.world import World


def test_who_is_called_gone_is_asked_for_though_copies_come_first_each_time(world: World) -> None:
    """Each time it is due, the question for copies goes before: then it is due still."""
    world.run(12)
    world.pipeline.appends_after = 30
    world.run(1)
    world.pipeline.appends_after = 0.1
    (late,) = (id_ for id_, fate in world.pipeline.fates.items() if fate.broke_promise)
    for _ in range(60):
        world.run(1)
        for entry in world.watch.desk.book.entries.values():
            if EVENTS in entry.seen:
                entry.copies_checked = False
                world.watch.settler.copies.add(entry.owed.id)
    assert [item.outcome for item in world.said[late]] == [Outcome.LOST, Outcome.LATE]


def test_a_hidden_row_that_only_the_last_look_can_find_makes_no_page_meanwhile(world: World) -> None:
    """Its consumer is past it: nothing is behind; the monitor, started again, has yet to look everywhere."""
    world.run(7)
    world.pipeline.mangle = "event name"
    apply(world, ("corrupt", EVENTS), 2)
    world.run(4)
    world.sleep(3600)
    world.run(1)
    world.kill()
    world.run(40)
    world.finish()
    spoilt = [id_ for id_, fate in world.pipeline.fates.items() if fate.corrupted]
    judged = [world.track(id_).judged for id_ in spoilt]
    assert [set(one.flags) for one in judged if one] == [{Flag.CORRUPT, Flag.TIME_UNKNOWN}] * 2
    assert world.opened("behind") == []
    assert faults(world) == []
