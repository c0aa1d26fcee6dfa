"""Silences, hours of maintenance and acknowledgements: quiet while they hold, and nothing lost after them."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.condition import Kind, Severity
from alerts.rules import Rule, Rules
from alerts.silence import Ack, Maintenance, Orders, Silence
from tests.alerts.looking import Run, at, bad

HOUR = timedelta(hours=1)
QUIET = Orders([Silence("lost", at(0), at(3600), "ann", "moving the racks", 1)])


def test_what_still_holds_is_told_when_the_silence_ends() -> None:
    """With the time since when it is so, and once."""
    run = Run(orders=QUIET)
    assert run.told(10, bad()) == []
    assert run.told(3599, bad()) == []
    (notice,) = run.look(3600, bad())
    assert (notice.kind, notice.opened_at) == (Kind.OPENED, at(10))
    assert run.told(3601, bad()) == []
    assert run.told(3700) == [("lost", Kind.RESOLVED)]


def test_what_came_and_went_is_one_line_at_the_end() -> None:
    """However often and however many: one message, which says who asked for silence."""
    run = Run(orders=QUIET)
    for second in (10, 100, 200):
        assert run.told(second, bad("lost:a"), bad("lost:b")) == []
        assert run.told(second + 50) == []
    (notice,) = run.look(3600)
    assert notice.kind is Kind.SUMMARY
    assert (
        notice.content.title == "2 incidents came and went while silenced (silenced by ann: moving the racks)"
    )
    assert "00:00 to 00:04 UTC  lost:a is bad" in notice.content.diagram
    assert run.told(3601) == []
    assert run.state.incidents == {}


def test_an_end_within_the_silence_is_told_after_it() -> None:
    """Who was told of the beginning is told of the end, with its true time."""
    run = Run(orders=QUIET)
    quiet, run.orders = run.orders, Orders()
    assert run.told(-10, bad()) == [("lost", Kind.OPENED)]
    run.orders = quiet
    assert run.told(10) == []
    (notice,) = run.look(3600)
    assert (notice.kind, notice.ended_at) == (Kind.RESOLVED, at(10))


def test_only_what_it_names_is_silenced() -> None:
    """By the beginning of the key."""
    assert Run(orders=QUIET).told(1, bad("lost:x"), bad("late:x")) == [("late:x", Kind.OPENED)]


def test_an_end_put_earlier_lets_it_speak() -> None:
    """What a person asked for, a person can take back."""
    run = Run(orders=QUIET)
    run.look(10, bad())
    run.orders = Orders([Silence("lost", at(0), at(20), "ann")])
    assert run.told(20, bad()) == [("lost", Kind.OPENED)]


def test_an_acknowledgement_ends_the_repeats_until_it_gets_worse() -> None:
    """Then whoever has it in hand hears of it, and the repeats go on."""
    rules = Rules(
        default=Rule(resolve_delay=timedelta(), repeat=HOUR, growth=10, growth_gap=timedelta(minutes=5))
    )
    run = Run(rules)
    run.look(0, bad(count=3, severity=Severity.TICKET))
    run.orders = Orders(acks=[Ack(1, 1, "ann")])
    assert run.told(3600, bad(count=3, severity=Severity.TICKET)) == []
    assert run.state.incidents["lost"].acked_by == "ann"
    assert run.told(3700, bad(count=3)) == [("lost", Kind.STILL)]
    assert run.state.incidents["lost"].acked_by == ""
    assert run.told(7300, bad(count=3)) == [("lost", Kind.STILL)]
    run.orders = Orders(acks=[Ack(1, 1, "ann"), Ack(2, 1, "bob")])
    assert run.told(20_000, bad(count=3)) == []
    assert run.told(20_001) == [("lost", Kind.RESOLVED)]


def test_an_acknowledgement_is_of_one_incident() -> None:
    """The next one of the same key repeats as ever."""
    run = Run(Rules(default=Rule(resolve_delay=timedelta(), repeat=HOUR)))
    run.look(0, bad())
    run.orders = Orders(acks=[Ack(1, 1, "ann")])
    run.look(10)
    run.look(20, bad())
    assert run.told(3620, bad()) == [("lost", Kind.STILL)]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "quiet"),
    [
        ("2026-03-28T23:30", False),  # Sunday 00:30 in Berlin
        ("2026-03-29T01:30", True),  # clocks went forward at 01:00 UTC: it is 03:30 there, an hour in
        ("2026-03-29T02:31", True),
        ("2026-03-29T03:00", False),
        ("2026-03-30T01:30", False),  # Monday
        ("2026-10-25T00:30", True),  # clocks go back at 01:00 UTC
        ("2026-10-25T02:29", False),
    ],
)
def test_hours_of_maintenance_follow_the_clock_on_the_wall(now: str, quiet: bool) -> None:
    """Sundays from two in Berlin, for two hours of real time, on the days of the change of the clocks too."""
    sundays = Maintenance("", 2 * HOUR, "ops", at=time(2), days=frozenset({6}), zone=BERLIN)
    assert (sundays.silence(datetime.fromisoformat(now).replace(tzinfo=UTC)) is not None) == quiet


def test_maintenance_past_midnight_belongs_to_the_day_it_began() -> None:
    """Friday at 23:00 for 30 hours reaches into Sunday."""
    friday = Maintenance("", 30 * HOUR, "ops", at=time(23), days=frozenset({4}))
    assert friday.silence(datetime(2026, 1, 4, 4, 59, tzinfo=UTC)) is not None
    assert friday.silence(datetime(2026, 1, 4, 5, 0, tzinfo=UTC)) is None


def test_maintenance_once_is_over_for_good() -> None:
    """From a moment, for so long."""
    once = Maintenance("", HOUR, "ops", once=at(100))
    assert [bool(once.silence(at(second))) for second in (99, 100, 3699, 3700, 90_000)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_maintenance_silences_as_a_silence_does() -> None:
    """Rules carry it, so that it needs nobody to be awake."""
    rules = Rules(
        default=Rule(resolve_delay=timedelta()), maintenance=(Maintenance("", HOUR, "ops", once=at(0)),)
    )
    run = Run(rules)
    assert run.told(10, bad()) == []
    assert run.told(3600, bad()) == [("lost", Kind.OPENED)]
