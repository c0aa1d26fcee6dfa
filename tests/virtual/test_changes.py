"""What was changed in the pipeline shortly before a fault is part of the message that tells of it."""

from datetime import timedelta
from pathlib import Path

from alerts.blocks import render
from canary.background import Background
from canary.described import Change
from tests.virtual.pipeline import EVENTS, RAW
from tests.virtual.schedule import apply
from tests.virtual.world import World


def test_a_loss_names_what_was_changed_before_it_the_nearest_first(tmp_path: Path) -> None:
    """And neither what was changed long before nor what came after; outside text stays text."""
    world = World(tmp_path / "ledger.db")
    world.run(22)
    began = world.watch.desk.line.now()
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    world.watch.background = lambda: Background(
        changes=[
            Change(RAW, "topic raw: partitions 4 -> 8", began - 2 * minute, began - minute),
            Change(EVENTS, "posthog.events: <!channel>\nis new", began - 9 * minute, began - 9 * minute),
            Change(EVENTS, "posthog.events: altered", began - 3 * hour, began - 3 * hour),
            Change(EVENTS, "posthog.events: its query changed", began + 9 * minute, began + 9 * minute),
        ]
    )
    apply(world, ("drop", EVENTS), 3)
    world.run(30)

    facts = dict(world.inbox.notices[0].content.facts)
    first, second = facts["changed shortly before"].splitlines()
    assert first.endswith(" before it: posthog.events: <!channel> is new")
    assert second.endswith(" before it: topic raw: partitions 4 -> 8")
    assert "<!channel>" not in str(render(world.inbox.notices[0]).blocks)
    world.ledger.close()
