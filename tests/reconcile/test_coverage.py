"""Coverage: intervals that join where they touch, and never reach over a gap."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reconcile.coverage import Interval, all_covered_until, common, covered_until, extended, kept
from tests.reconcile.cases import at

intervals = st.builds(lambda a, n: Interval(at(a), at(a + n)), st.integers(0, 60), st.integers(0, 20))
instants = st.integers(0, 80)


def _all(items: list[Interval]) -> tuple[Interval, ...]:
    made: tuple[Interval, ...] = ()
    for item in items:
        made = extended(made, item)
    return made


def _reached(items: list[Interval], since: datetime) -> datetime | None:
    """The same by brute force: walk on for as long as some interval holds the place."""
    if not any(item.since <= since <= item.until for item in items):
        return None
    while any(item.since <= since < item.until for item in items):
        since = max(item.until for item in items if item.since <= since <= item.until)
    return since


@given(st.lists(intervals, max_size=8), instants)
def test_reading_is_followed_to_the_first_gap(items: list[Interval], since: int) -> None:
    """In whatever order the intervals came."""
    assert covered_until(_all(items), at(since)) == _reached(items, at(since))


@given(st.lists(intervals, max_size=8))
def test_intervals_are_kept_apart_and_in_order(items: list[Interval]) -> None:
    """Two that touch are one."""
    made = _all(items)
    assert all(a.until < b.since for a, b in pairwise(made))


@given(st.lists(st.lists(intervals, max_size=4), max_size=4), instants)
def test_all_partitions_are_covered_to_where_the_slowest_is(parts: list[list[Interval]], since: int) -> None:
    """One that was not read from there makes the whole unread; so does having none."""
    ends = [covered_until(_all(part), at(since)) for part in parts]
    known = [end for end in ends if end is not None]
    expected = min(known) if known and len(known) == len(ends) else None
    assert all_covered_until([_all(part) for part in parts], at(since)) == expected


@given(st.lists(intervals, max_size=8), instants, st.integers(0, 30))
def test_what_is_dropped_is_not_missed(items: list[Interval], oldest: int, later: int) -> None:
    """Nothing sent from then on is judged otherwise."""
    made, since = _all(items), at(oldest) + timedelta(seconds=later)
    assert covered_until(kept(made, at(oldest)), since) == covered_until(made, since)


@given(st.lists(st.lists(intervals, max_size=4), max_size=4), instants)
def test_what_all_partitions_share_is_the_short_way_to_the_same_answer(
    parts: list[list[Interval]], since: int
) -> None:
    """For whatever was sent since it began, its end is where all partitions were read to."""
    made = [_all(part) for part in parts]
    shared = common(made)
    if shared is not None and at(since) >= shared.since:
        expected = shared.until if at(since) <= shared.until else None
        assert all_covered_until(made, at(since)) == expected


def test_partitions_that_share_nothing_have_nothing_in_common() -> None:
    """Nor has a stage without partitions, nor one with a partition that was never read."""
    first, later = (Interval(at(0), at(1)),), (Interval(at(2), at(3)),)
    assert common([first, (Interval(at(0), at(5)),)]) == Interval(at(0), at(1))
    assert common([first, later]) is common([]) is common([first, ()]) is None


def _span(since: float, until: float) -> Interval:
    return Interval(at(since), at(until))


def test_an_interval_that_touches_joins_and_one_that_does_not_stays() -> None:
    """Also where the later one came first, and where one lies within another."""
    assert extended((), _span(1, 2)) == (_span(1, 2),)
    assert extended((_span(1, 2),), _span(2, 3)) == (_span(1, 3),)
    assert extended((_span(1, 2),), _span(2.5, 3)) == (_span(1, 2), _span(2.5, 3))
    assert extended((_span(1, 5),), _span(2, 3)) == (_span(1, 5),)
    assert extended((_span(3, 4),), _span(1, 2)) == (_span(1, 2), _span(3, 4))
    assert extended((_span(3, 4),), _span(1, 3)) == (_span(1, 4),)
    assert extended((_span(3, 4),), _span(1, 9)) == (_span(1, 9),)
    assert extended((_span(1, 2), _span(4, 5)), _span(2, 4)) == (_span(1, 5),)
    assert extended((_span(1, 2), _span(4, 5)), _span(5, 6)) == (_span(1, 2), _span(4, 6))
    assert extended((_span(1, 2), _span(4, 6)), _span(5, 5.5)) == (_span(1, 2), _span(4, 6))


def test_the_edges_of_an_interval_are_covered() -> None:
    """And what lies before, between and behind is not."""
    made = (_span(1, 2), _span(4, 5))
    answers = {0.9: None, 1: at(2), 2: at(2), 3: None, 4: at(5), 5: at(5), 5.1: None}
    assert {since: covered_until(made, at(since)) for since in answers} == answers
    assert all_covered_until([made, (_span(0, 9),)], at(4)) == at(5)
    assert all_covered_until([made, ()], at(4)) is None
    assert all_covered_until([], at(4)) is None


def test_only_what_nobody_can_ask_for_is_dropped() -> None:
    """The last interval stays in any case: reading goes on from it."""
    made = (_span(1, 2), _span(4, 5))
    assert kept(made, at(2)) == made
    assert kept(made, at(2.1)) == made[1:]
    assert kept(made, at(9)) == made[1:]
    assert kept((*made, _span(7, 8)), at(9)) == (_span(7, 8),)
    assert kept((), at(9)) == ()


def test_what_all_partitions_share_may_be_an_instant() -> None:
    """And where it is less, it is nothing."""
    assert common([(_span(1, 5),), (_span(0, 2), _span(5, 9))]) == _span(5, 5)
    assert common([(_span(1, 5),), (_span(5.1, 9),)]) is None
    assert common([(_span(1, 5),), ()]) is None
    assert common([]) is None
