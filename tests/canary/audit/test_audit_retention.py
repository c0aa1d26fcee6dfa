"""What may be said of offsets that Kafka holds no longer, and how old one is that no record time proves."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary.audit.report import Verdict, reasons
from canary.audit.work import Known, Limits, Start
from canary.cli.show_audit import sentence
from canary.ledger import Ledger
from reconcile.traffic import Fate
from tests.canary.audit.auditing import GRACE, HOUR, audited, full, told
from tests.canary.audit.test_calendar import Heard, calendar, ranges
from tests.canary.audit.world import START, World

MINUTE = timedelta(minutes=1)
FROM_0 = Start({0: 0, 1: 0}, known=Known(first_at=START))


def counted(ledger: Ledger, world: World) -> dict[str, int]:
    """The first window's fates."""
    return {name: number for name, number in ranges(ledger, world)[0].counts.items() if number}


@pytest.mark.parametrize("positions", [{}, {0: 5}, {0: 22}], ids=["forgotten", "set back", "as it was"])
def test_an_explanation_outlives_the_record(ledger: Ledger, positions: dict[int, int]) -> None:
    """A window that is open for another partition's backlog is audited again when retention has passed it."""
    world, heard = full(20), Heard()
    running = calendar(world, ledger, heard)
    world.append(0, kind="control")
    world.append(0, error="no JSON")
    world.append(1, 5)
    world.consume(0, without={21})
    world.now += 7 * MINUTE
    running.step()
    before = counted(ledger, world)
    world.log_start, world.positions = {0: 22}, {1: 20, **positions}
    world.now += HOUR
    running.step()

    assert before == counted(ledger, world) == {"stored": 40, "control": 1, "unparsable": 1, "queued": 5}


@pytest.mark.parametrize("positions", [{}, {0: 5}], ids=["forgotten", "set back"])
def test_what_was_never_looked_at_is_expired_where_the_consumer_once_was_further(
    ledger: Ledger, positions: dict[int, int]
) -> None:
    """Over the budget when Kafka still had it, and not lost by a position that was set back since."""
    world, heard = full(20), Heard()
    running = calendar(world, ledger, heard, Limits(messages=2))
    world.append(0, 5, kind="control")
    world.consume(0)
    world.now += 7 * MINUTE
    running.step()
    before = counted(ledger, world)
    world.log_start, world.positions = {0: 25}, {1: 20, **positions}
    world.now += HOUR
    running.step()

    assert before == {"stored": 40, "control": 2, "unaudited": 3}
    assert counted(ledger, world) == {"stored": 40, "control": 2, "expired": 3}


@pytest.mark.parametrize("positions", [{}, {0: 5}], ids=["forgotten", "set back"])
def test_a_row_behind_a_gap_shows_that_the_consumer_has_passed_it(positions: dict[int, int]) -> None:
    """At the first look, too; whatever the group's position says by then."""
    world = full(20)
    world.append(0, 2, kind="control")
    world.append(0, 3)
    world.consume(0)
    world.log_start, world.positions = {0: 25}, {1: 20, **positions}

    assert told(audited(world, start=FROM_0).counts) == {"stored": 43, "expired": 2}


def test_a_position_that_is_forgotten_proves_nothing_where_the_table_has_rows() -> None:
    """The group may have come to the very end before it was removed. Without a row it has never come."""
    world = full(20)
    world.append(0, kind="control")
    world.log_start, world.positions = {0: 21}, {1: 20}
    reached = audited(world, start=FROM_0)
    world.rows = [row for row in world.rows if row.partition]
    never = audited(world, start=FROM_0)

    assert told(reached.counts) == {"stored": 40, "expired": 1}
    assert told(never.counts) == {"stored": 20, "lost": 21}


def test_what_the_tables_own_ttl_has_removed_is_expired() -> None:
    """A lawful change: whoever asks for old times cannot tell. What it keeps still is lost as ever."""
    world = full(20)
    world.keeps = timedelta(hours=2)
    world.rows = [row for row in world.rows if row.partition]
    fresh = audited(world)
    world.now = START
    world.append(1, at=START + 2 * HOUR)
    world.consume(1, without={20})
    world.now += 2 * HOUR
    old = audited(world)

    assert told(fresh.counts) == {"stored": 20, "lost": 20}
    assert told(old.counts) == {"stored": 20, "expired": 20, "lost": 1}
    assert reasons(old.runs, Fate.EXPIRED) == {"its TTL": 20}


def test_an_empty_table_that_forgets_shows_no_consumer_that_never_came() -> None:
    """Retention and the TTL have both passed, and the group is gone."""
    world = full(20)
    world.rows, world.positions, world.log_start = [], {}, {0: 20, 1: 20}
    world.keeps = timedelta(minutes=30)

    assert told(audited(world, start=FROM_0).counts) == {"expired": 40}


def test_what_a_distributed_table_holds_back_is_not_lost_when_kafka_has_it_no_longer() -> None:
    """Its consumer has committed it: queued while files wait, stored when they are sent on."""
    world = full(10)
    world.append(0, 20)
    world.hold(0)
    world.log_start = {0: 30}
    start = replace(FROM_0, ends={0: 30, 1: 10}, topic_id=str(world.topic_id))
    waits = audited(world, start=start)
    world.release()

    assert (told(waits.counts), waits.open) == ({"stored": 20, "queued": 20}, True)
    assert told(audited(world, start=start).counts) == {"stored": 40}


def test_clocks_that_are_behind_make_nothing_old(ledger: Ledger) -> None:
    """Without positions only time proves a loss: the time since the window was first seen, not its own."""
    world, heard = full(5), Heard()
    world.positions = None
    running = calendar(world, ledger, heard)
    world.now += 42 * MINUTE
    world.append(0, 5, at=START + MINUTE)
    fates = []
    for _ in range(40):
        running.step()
        fates.append(told({run.fate: run.range.size for r in heard.reports for run in r.runs}))
        world.now += MINUTE

    assert fates[:30] == [{"not_yet": 5}] * 30
    assert sum(window.counts["lost"] for window in ranges(ledger, world)) == 5


def test_what_stands_behind_a_fresh_record_is_fresh() -> None:
    """On demand, too: an offset is never older than one before it. A record of the future says nothing."""
    world = full(5)
    world.positions = None
    old = world.append(1)
    world.now += 42 * MINUTE
    fresh = world.append(0, 1)
    world.store(0, fresh)
    world.append(0, 5, at=START + MINUTE)
    on_demand = world.auditor().audit(START, world.now + MINUTE)
    world.append(1, at=world.now + HOUR)
    with_future = world.auditor().audit(START, world.now + 2 * HOUR)

    assert len(old) == 1
    assert told(on_demand.counts) == {"stored": 11, "not_yet": 5, "lost": 1}
    assert told(with_future.counts) == {"stored": 11, "not_yet": 6, "lost": 1}


@pytest.mark.parametrize(
    ("back", "removed", "verdict"),
    [
        (
            timedelta(hours=30),
            {0: 5},
            Verdict.UNKNOWN,
        ),  # longer than Kafka keeps: nobody knows what was there
        (timedelta(hours=30), {0: 10, 1: 10}, Verdict.UNKNOWN),
        (timedelta(hours=30), {}, Verdict.OK),  # nothing was ever removed
        (timedelta(hours=2), {0: 5}, Verdict.OK),  # what was removed is older than what was asked for
    ],
)
def test_a_time_of_which_kafka_has_removed_events_is_not_sound(
    back: timedelta, removed: dict[int, int], verdict: Verdict
) -> None:
    """On demand: what is left may add up, and proves nothing of the rest."""
    world = full(10)
    world.log_start = removed
    until = world.now + timedelta(seconds=1)
    world.now += HOUR
    report = world.auditor().audit(world.now - back, until)

    assert report.verdict(GRACE) is verdict
    assert bool(report.unseen) == (verdict is Verdict.UNKNOWN)
    assert ("Kafka has removed" in sentence(report, GRACE)) == (verdict is Verdict.UNKNOWN)


def test_a_log_that_reaches_back_shows_that_others_were_removed_before() -> None:
    """Whatever is told of how long records are kept: one partition has older ones than were asked for."""
    world = full(10)
    world.now += timedelta(days=1)
    since = world.now
    world.now += timedelta(days=2)
    world.append(1, 10)
    world.consume(1)
    world.log_start = {0: 10, 1: 3}
    world.now += HOUR

    assert world.auditor().audit(since, world.now - timedelta(minutes=1)).verdict(GRACE) is Verdict.OK
