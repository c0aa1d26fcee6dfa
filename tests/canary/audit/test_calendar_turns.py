"""Whose turn it is: no window of the running audit waits for ever behind others, nor forgets what it knew."""

from datetime import timedelta

import pytest

from canary.ledger import Ledger
from canary.traffic import Method
from tests.canary.audit.test_calendar import WINDOW, Heard, calendar, ranges
from tests.canary.audit.world import World


def test_windows_that_stay_open_keep_no_later_one_from_its_verdict(ledger: Ledger) -> None:
    """One partition's consumer stands still for hours; another one is behind for two windows, and then goes
    on without an event."""
    world, heard = World(positions={0: 0, 1: 0}), Heard()
    running = calendar(world, ledger, heard)
    for number in range(24):
        world.append(0, 1)
        world.append(1, 1)
        if not 10 <= number < 13:
            world.consume(1, without={11})
        world.now += WINDOW
        running.step()

    assert {str(one) for report in heard.reports for one in report.lost_ranges} == {"1:11-11"}
    assert sum(window.counts["lost"] for window in ranges(ledger, world)) == 1


def test_a_restart_remembers_that_the_topic_was_made_again(ledger: Ledger) -> None:
    """Rows of the earlier topic, a few minutes old, hide no loss behind their offsets."""
    world, heard = World(), Heard()
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=7)
    running.step()
    world.append(0, 30)
    world.consume(0)
    fresh = World()
    world.topic_id, world.logs, world.positions = fresh.topic_id, {0: [], 1: []}, {}
    for lost in ({2}, set(range(10, 20))):
        world.append(0, 10)
        world.append(1, 5)
        world.consume(0, without=lost)
        world.consume(1)
        world.now += WINDOW
        running.step()
        running = calendar(world, ledger, heard)
    world.now += WINDOW
    running.step()

    assert [str(one) for report in heard.reports for one in report.lost_ranges] == ["0:2-2", "0:10-19"]


@pytest.mark.parametrize("method", ["count", "none"])
def test_a_loss_stays_where_nothing_can_be_proven_any_more(ledger: Ledger, method: str) -> None:
    """The table lost its offsets between two audits of a window: what was proven before still stands."""
    world, heard = World(), Heard()
    running = calendar(world, ledger, heard)
    for partition in world.logs:
        world.append(partition, 9)
    world.consume(0, without={3, 4})
    world.now += timedelta(minutes=7)
    running.step()
    world.consume(1)
    world.method = Method(method, "which")
    world.now += timedelta(minutes=7)
    running.step()

    first = ranges(ledger, world)[0]
    assert (first.counts["lost"], first.report["lost"]["replay"]) == (2, ["0:3-4"])
    assert first.report["method"]["name"] == method
    assert sum(first.counts.values()) == 18
