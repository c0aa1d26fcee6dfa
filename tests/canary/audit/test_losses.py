"""What was told as lost is asked for again: what turns up amends its window, what a look misses does not."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from alerts.amending import amend
from alerts.condition import Kind
from alerts.policy import decide
from alerts.rules import Rule, Rules
from alerts.state import State
from canary.audit.calendar import Calendar
from canary.ledger import Ledger
from canary.rules_audit import audited, untold
from reconcile.traffic import Fate
from tests.canary.audit.test_calendar import Heard, calendar, ranges
from tests.canary.audit.world import World

MINUTE = timedelta(minutes=1)


def lossy(ledger: Ledger) -> tuple[World, Heard, Calendar]:
    """A closed window that has lost two of ten."""
    world, heard = World(), Heard()
    world.append(0, 10)
    world.consume(0, without={3, 4})
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=7)
    running.step()
    assert [(one.open, one.counts["lost"]) for one in ranges(ledger, world)] == [(False, 2)]
    return world, heard, running


def later(running: Calendar, world: World, span: timedelta, *, step: timedelta = MINUTE) -> None:
    until = world.now + span
    while world.now < until:
        world.now += step
        running.step()


def test_a_closed_window_is_amended_when_a_loss_turns_up(ledger: Ledger) -> None:
    """By rows that came late and by a replay under other offsets; once, and the rules hear of it too."""
    world, heard, running = lossy(ledger)
    world.store(0, range(3, 4))
    later(running, world, timedelta(minutes=6))
    [report] = [one for one in running.standing()[0].reports if one.appended]
    assert (report.counts[Fate.LOST], [str(one) for one in report.lost_ranges]) == (1, ["0:4-4"])
    running = calendar(world, ledger, heard)  # a restart knows of the other
    world.append(1, id=world.logs[0][4].id)
    world.consume(1)
    later(running, world, timedelta(minutes=30))
    window = ranges(ledger, world)[0]

    assert {fate: n for fate, n in window.counts.items() if n} == {"stored": 9, "deduplicated": 1}
    assert (window.verdict, window.open, window.amendments, window.appended) == ("ok", False, 2, 10)
    assert window.report["lost"]["replay"] == []
    assert [(one.words, one.count) for one in heard.amendments] == [
        ("stored after all", 1),
        ("stored after all under another offset", 1),
    ]
    assert {one.key for one in heard.amendments} == {"audit_lost:table"}
    assert len(heard.looked) == 2


def test_who_was_told_of_a_loss_hears_that_it_turned_up(ledger: Ledger) -> None:
    """In its incident, long after that is over; and the end says so too where it is not."""
    world, heard, running = lossy(ledger)
    state, told = State(), list[tuple[Kind, str]]()
    rules = Rules(
        default=Rule(resolve_delay=MINUTE, repeat=None, amend_delay=MINUTE, amendable=timedelta(days=1))
    )
    for minute in range(180):
        if minute == 100:
            world.store(0, range(3, 5))
        later(running, world, timedelta(minutes=1))
        standing = running.standing()
        found, unknown = list(audited(standing, timedelta(minutes=1))), frozenset(untold(standing))
        state = amend(state, heard.amendments, now=world.now)
        state, notices = decide(state, found, now=world.now, rules=rules, unknown=unknown)
        told += [(one.kind, one.amended_words) for one in notices]

    assert told == [(Kind.OPENED, ""), (Kind.RESOLVED, ""), (Kind.AMENDED, "2 stored after all")]


def test_a_loss_is_asked_for_less_and_less_and_no_longer_than_a_day(ledger: Ledger) -> None:
    """Only what was lost is read back, through restarts as well."""
    world, heard, running = lossy(ledger)
    world.fetched, hour = 0, timedelta(minutes=61)
    for _ in range(30):
        later(running, world, hour, step=hour)
        running = calendar(world, ledger, heard)
    ages = [after.audited_at - after.end for _, after in heard.looked]
    pauses = [b - a for a, b in pairwise(ages)]

    assert 5 < len(ages) < 20
    assert max(ages) <= timedelta(hours=24)
    assert pauses[-1] > 4 * pauses[0]
    assert pauses == sorted(pauses)
    assert world.fetched == 2 * len(ages)
    assert ranges(ledger, world)[0].amendments == 0


@pytest.mark.parametrize("blind", ["table", "retention", "compaction", "set back"])
def test_a_second_look_that_sees_less_amends_nothing(ledger: Ledger, blind: str) -> None:
    """Nor does another event's row at the lost offset."""
    world, heard, running = lossy(ledger)
    world.rows.append(replace(world.rows[0], offset=3, id="another"))
    if blind == "retention":
        world.log_start[0] = 10
    elif blind == "compaction":
        world.logs[0][4] = replace(world.logs[0][4], kind="control")
    elif blind == "set back":
        world.positions = {0: 0, 1: 0}
    for _ in range(60):
        world.over_budget = 99 if blind == "table" else 0
        later(running, world, timedelta(minutes=1))

    assert ranges(ledger, world)[0].counts["lost"] == 2
    assert heard.amendments == []
    assert bool(heard.looked) == (blind != "retention")


def test_a_proven_loss_stays_one_when_its_topic_is_made_again(ledger: Ledger) -> None:
    """What was open of its window stays unknown; what was lost was lost."""
    world, heard = World(), Heard()
    for partition in world.logs:
        world.append(partition, 10)
    world.consume(0, without={3, 4})
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=7)
    running.step()
    fresh = World()
    world.topic_id, world.logs, world.positions = fresh.topic_id, {0: [], 1: []}, {}
    later(running, world, timedelta(minutes=12))
    window = ranges(ledger, world)[0]

    assert (window.open, window.counts["lost"], window.counts["queued"]) == (False, 2, 10)
    assert window.verdict == "fault"
