"""Error budgets by arithmetic: the known burn rates, counts back from the end, and what is left."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.burn import TIERS, Count, Standing, stand

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MONTH = timedelta(days=30)
ALLOWED = 0.001


def standing(counts: list[tuple[int, int]], *, over: timedelta = MONTH, allowed: float = ALLOWED) -> Standing:
    """After so many minutes, each with (total, bad)."""
    slots = [(T0 + index * MINUTE, Count(*count)) for index, count in enumerate(counts)]
    until = T0 + len(counts) * MINUTE
    inside = [(start, count) for start, count in slots if start >= until - over]
    return stand(
        reversed(slots),
        until=until,
        since=inside[0][0] if inside else until,
        whole=Count(sum(one.total for _, one in inside), sum(one.bad for _, one in inside)),
        allowed=allowed,
        over=over,
        fresh=2 * MINUTE,
    )


def test_over_thirty_days_the_rates_are_the_known_ones() -> None:
    """14.4 over an hour, 6 over six hours, 1 over three days; the short window a twelfth of the long."""
    assert [round(tier.rate(MONTH), 6) for tier in TIERS] == [14.4, 6.0, 1.0]
    assert all(tier.long / tier.short == 12 for tier in TIERS)


def test_what_is_over_for_longer_than_the_short_window_burns_no_more() -> None:
    """A minute of nothing but losses is 16.7 times over the hour; six minutes later it is over."""
    assert standing([(60, 0)] * 180 + [(60, 60)]).tier is TIERS[0]
    assert standing([(60, 0)] * 180 + [(60, 60)] + [(60, 0)] * 5).tier is None


def test_a_short_history_does_not_make_it_worse() -> None:
    """Sixty lost in the first three hours are a fiftieth of the month's budget, and no leak of days."""
    found = standing([(60, 0)] * 170 + [(60, 60)] + [(60, 0)] * 9)
    assert found.burn(timedelta(days=3)) == pytest.approx(60 / (3 * 86400) / ALLOWED)


@pytest.mark.parametrize(("lost", "urgent"), [(51, False), (52, True)])
def test_the_edge_of_the_first_tier(lost: int, urgent: bool) -> None:
    """51 of 3,600 do not reach 14.4 times, 52 do (with at least 5 of them in the last 5 minutes)."""
    month = [(60, 0)] * (60 * 24 * 3)
    hour = [(60, 0)] * 55 + [(60, lost)] + [(60, 0)] * 4
    hour = [(total, min(bad, 60)) for total, bad in hour]
    found = standing([*month, *hour])
    assert (found.tier is TIERS[0]) == urgent
    assert found.counts[timedelta(hours=1)] == Count(3600, lost)


@pytest.mark.parametrize("total", [100, 101])
def test_a_tier_holds_from_its_very_rate_on(total: int) -> None:
    """In numbers that no rounding touches: of half of everything, a fiftieth is one in a hundred."""
    hour = timedelta(hours=1)
    found = standing([(0, 0)] * 59 + [(total, 1)], over=hour, allowed=0.5)
    assert TIERS[0].rate(hour) == 0.02
    assert (found.tier is TIERS[0]) == (total == 100)


def test_a_slow_leak_is_the_last_tier() -> None:
    """A little over the allowed share for three days: nobody is woken, but the budget goes."""
    found = standing([(1000, 2 if minute % 2 else 1) for minute in range(3 * 24 * 60)])
    assert found.tier is TIERS[2]
    assert not TIERS[2].urgent
    assert found.used_up_in is not None
    assert found.used_up_in < MONTH


def test_what_is_left_and_what_would_use_it_up() -> None:
    """After ten days at 1/s with 864 lost: two thirds of a month's 2,592 are left, 28.8 minutes of outage."""
    found = standing([(60, 0)] * (10 * 24 * 60 - 15) + [(60, 57)] * 15 + [(60, 9)])
    assert found.budget == pytest.approx(2592, rel=1e-3)
    assert found.whole.bad == 864
    assert found.left == pytest.approx(1728, rel=1e-3)
    assert found.left_share == pytest.approx(2 / 3, rel=1e-3)
    assert found.outage == pytest.approx(timedelta(minutes=28.8), rel=1e-3)


def test_a_broken_promise_has_less_than_nothing_left() -> None:
    """And no outage that it would still bear."""
    found = standing([(60, 60)] * 60)
    assert found.left < 0
    assert found.outage == timedelta(0)
    assert found.used_up_in == timedelta(0)


def test_nothing_counted_is_nothing_wrong() -> None:
    """No division by what is not there."""
    for counts in ([], [(0, 0)] * 10):
        found = standing(counts)
        assert (found.tier, found.left_share, found.outage, found.used_up_in) == (
            None,
            0.0,
            timedelta(0),
            None,
        )


COUNTS = st.lists(
    st.integers(0, 50).flatmap(lambda total: st.tuples(st.just(total), st.integers(0, total))), max_size=200
)


@given(COUNTS)
def test_each_window_counts_what_begins_in_it(counts: list[tuple[int, int]]) -> None:
    """Held against counting by hand."""
    found = standing(counts)
    for length, count in found.counts.items():
        inside = counts[max(len(counts) - round(length / MINUTE), 0) :]
        assert count == Count(sum(total for total, _ in inside), sum(bad for _, bad in inside))


@given(COUNTS, st.integers(1, 20))
def test_more_that_is_bad_is_never_less_urgent(counts: list[tuple[int, int]], more: int) -> None:
    """Turning good ones of the last minute bad can only raise the tier and lower what is left."""
    counts = [*counts, (50, 0)]
    worse = [*counts[:-1], (50, more)]
    before, after = standing(counts), standing(worse)
    rank = [*TIERS, None]
    assert rank.index(after.tier) <= rank.index(before.tier)
    assert after.left < before.left


def test_the_two_fast_tiers_are_urgent_and_nothing_counts_as_nothing() -> None:
    """Days of a slow leak can wait until the morning."""
    assert [tier.urgent for tier in TIERS] == [True, True, False]
    assert Count() == Count(0, 0)


def test_no_more_is_read_than_the_longest_window_holds() -> None:
    """Counts of months may stand behind it."""
    hours = [(T0 - number * timedelta(hours=1), Count(1, 0)) for number in range(1, 100)]
    history = iter(hours)
    longest = max(tier.long for tier in TIERS)
    found = stand(
        history, until=T0, since=hours[-1][0], whole=Count(99, 0), allowed=ALLOWED, over=MONTH, fresh=MINUTE
    )
    assert found.counts[longest] == Count(72, 0)
    assert next(history)[0] == T0 - longest - timedelta(hours=2)
