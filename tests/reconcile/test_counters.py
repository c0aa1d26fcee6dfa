"""Counters that restart: their growth is never negative, never counted twice, and the sums add up."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.counters import Balance, Counters, Growth, Names, Series, balance, drops, growth, shortfall

RECEIVED: Series = ("http://a", "received", "")
NAMES = Names(frozenset({"received"}), frozenset({"dropped"}), {"quota": "over_quota"})

histories = st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.booleans()), min_size=1, max_size=30)
"""Steps of a process: so many events, then whether it restarts, then whether somebody reads."""


def walked(history: Sequence[tuple[int, bool, bool]], *, told: bool) -> tuple[Growth, int, int]:
    """What readings add up to, what really happened from the first to the last of them, and the restarts."""
    value, born, true, restarts = 0, 0, 0, 0
    last: Counters | None = None
    total, at_first, at_last = Growth(), 0, 0
    for events, restart, read in [*history, (0, False, True)]:
        value += events
        true += events
        if restart:
            value, born, restarts = 0, born + 1, restarts + 1
        if read:
            now = Counters({RECEIVED: float(value)}, float(born) if told else None)
            if last is None:
                at_first = true
            else:
                total += growth(last, now)
            last, at_last = now, true
    return total, at_last - at_first, restarts


@given(histories, st.booleans())
def test_growth_is_never_negative_nor_more_than_what_happened(
    history: list[tuple[int, bool, bool]], told: bool
) -> None:
    """Whatever restarts when, and whether the process says when it was born or not."""
    total, true, _ = walked(history, told=told)

    assert 0 <= total.values.get(RECEIVED, 0.0) <= true


@given(histories, st.booleans())
def test_without_restarts_growth_is_exact(history: list[tuple[int, bool, bool]], told: bool) -> None:
    """And no restart is made up."""
    total, true, _ = walked([(events, False, read) for events, _, read in history], told=told)

    assert total.values.get(RECEIVED, 0.0) == true
    assert total.restarts == 0


@given(histories)
def test_a_restart_that_the_process_tells_is_never_missed(history: list[tuple[int, bool, bool]]) -> None:
    """At most one is counted between two readings, and one at the least where there was any."""
    total, _, restarts = walked(history, told=True)

    assert total.restarts <= restarts


values = st.dictionaries(
    st.tuples(
        st.sampled_from(["http://a", "http://b"]),
        st.sampled_from(["received", "dropped", "quota", "other"]),
        st.sampled_from(["", "over_quota", "invalid"]),
    ),
    st.integers(0, 1000).map(float),
)


@given(values, st.integers(0, 5000), st.floats(0, 1))
def test_what_was_received_is_dropped_appended_or_left(
    grown: dict[Series, float], appended: int, slack: float
) -> None:
    """The sum law, over all replicas; counters of other names have no part in it."""
    told = balance(Growth(grown), appended, NAMES, slack=slack)

    assert told.received == sum(told.dropped.values()) + told.appended + told.left
    assert told.received == sum(v for (_, name, _), v in grown.items() if name == "received")
    assert told.error >= 1
    assert (told.state == "adds up") == (abs(told.left) <= told.error)


def test_a_drop_that_two_counters_tell_of_counts_once() -> None:
    """PostHog's quota stands in a counter of its own and, in some versions, among the causes too."""
    grown = {
        ("http://a", "dropped", "over_quota"): 7.0,
        ("http://a", "quota", ""): 9.0,
        ("http://a", "dropped", "invalid"): 2.0,
    }

    assert drops(Growth(grown), NAMES) == {"over_quota": 9.0, "invalid": 2.0}


def test_too_much_in_the_topic_after_a_restart_is_uncertain() -> None:
    """What was counted between the last reading and the restart is gone: it may be that."""
    grown = {RECEIVED: 10.0}

    assert balance(Growth(grown), 30, NAMES, slack=0).state == "more"
    assert balance(Growth(grown, restarts=1), 30, NAMES, slack=0).state == "uncertain"
    assert balance(Growth(grown, restarts=1), 3, NAMES, slack=0).state == "missing"


OTHER: Series = ("http://a", "dropped", "invalid")


@pytest.mark.parametrize(
    ("before", "after", "grown", "anew"),
    [
        (Counters({RECEIVED: 5.0}), Counters({RECEIVED: 8.0}), {RECEIVED: 3.0}, 0),
        (Counters({RECEIVED: 5.0}), Counters({RECEIVED: 5.0}), {RECEIVED: 0.0}, 0),
        (Counters({}), Counters({RECEIVED: 8.0}), {RECEIVED: 8.0}, 0),
        (Counters({}), Counters({RECEIVED: 0.5}), {RECEIVED: 0.5}, 0),
        (Counters({RECEIVED: 5.0}), Counters({RECEIVED: 2.0}), {RECEIVED: 2.0}, 1),
        (
            Counters({RECEIVED: 5.0, OTHER: 1.0}),
            Counters({RECEIVED: 6.0, OTHER: 0.0}),
            {RECEIVED: 6.0, OTHER: 0.0},
            1,
        ),
        (Counters({RECEIVED: 5.0, OTHER: 1.0}), Counters({RECEIVED: 6.0}), {RECEIVED: 1.0}, 1),
        (Counters({RECEIVED: 5.0, OTHER: 1.0}, 1.0), Counters({RECEIVED: 6.0}, 1.0), {RECEIVED: 1.0}, 0),
        (
            Counters({RECEIVED: 5.0, OTHER: 3.0}, 1.0),
            Counters({RECEIVED: 6.0, OTHER: 2.0}, 1.0),
            {RECEIVED: 1.0, OTHER: 2.0},
            0,
        ),
        (Counters({RECEIVED: 5.0}, 1.0), Counters({RECEIVED: 8.0}, 2.0), {RECEIVED: 8.0}, 1),
        (Counters({RECEIVED: 5.0}, 1.0), Counters({RECEIVED: 8.0}, 1.0), {RECEIVED: 3.0}, 0),
        (Counters({RECEIVED: 5.0}, 1.0), Counters({RECEIVED: 8.0}), {RECEIVED: 3.0}, 0),
        (Counters({RECEIVED: 5.0}), Counters({RECEIVED: 8.0}, 2.0), {RECEIVED: 3.0}, 0),
    ],
)
def test_each_sign_of_a_restart_is_one(
    before: Counters, after: Counters, grown: dict[Series, float], anew: int
) -> None:
    """A counter that fell, one that is gone, another birth; a birth that is told only once says nothing.

    Where it stays the same a series was only forgotten; and one that is gone does not make others begin at 0.
    """
    told = growth(before, after)

    assert (told.values, told.restarts) == (grown, anew)


def test_growths_add_up_series_by_series() -> None:
    """Restarts too; what only one of them has is there."""
    one, two = Growth({RECEIVED: 2.0, OTHER: 1.0}, 1), Growth({RECEIVED: 3.0, ("b", "x", ""): 4.0}, 2)

    assert one + two == Growth({RECEIVED: 5.0, OTHER: 1.0, ("b", "x", ""): 4.0}, 3)
    assert Growth().restarts == 0


def test_a_balance_at_its_edges() -> None:
    """An error just as large as what is left explains it; of many, the share that was under way is error."""
    assert balance(Growth({RECEIVED: 10.0}), 9, NAMES, slack=0).state == "adds up"
    assert balance(Growth({RECEIVED: 10.0}), 11, NAMES, slack=0).state == "adds up"
    assert balance(Growth({RECEIVED: 10.0}), 8, NAMES, slack=0).state == "missing"
    assert balance(Growth({RECEIVED: 10.0}), 9, NAMES, slack=0).error == 1.0
    assert balance(Growth({RECEIVED: 100.0}), 300, NAMES, slack=0.1).error == 30.0
    assert balance(Growth({RECEIVED: 100.0}), 10, NAMES, slack=0.1).error == 10.0
    assert Balance(0.5, {}, 0, error=0.25).state == "missing"
    assert Balance(0.5, {}, 0, error=0.25).restarts == 0


def test_drops_are_told_by_cause_in_one_order() -> None:
    """Replicas are added up; what nobody dropped is not named."""
    grown = {
        ("http://a", "dropped", "b"): 0.5,
        ("http://b", "dropped", "b"): 0.25,
        ("http://a", "dropped", "a"): 3.0,
        ("http://a", "dropped", "none"): 0.0,
        ("http://a", "quota", ""): 0.5,
        ("http://b", "quota", ""): 0.25,
    }

    assert list(drops(Growth(grown), NAMES).items()) == [("a", 3.0), ("b", 0.75), ("over_quota", 0.75)]
    many = {("http://a", "dropped", cause): 1.0 for cause in "hgfedcba"}
    assert list(drops(Growth(many), NAMES)) == list("abcdefgh")
    assert NAMES.all == {"received", "dropped", "quota"}


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=20), st.integers(1, 5))
def test_what_is_appended_later_is_never_missing(windows: list[tuple[int, int]], later: int) -> None:
    """However long it took: when all that was taken in is there, nothing is owed."""
    taken = sum(received for received, _ in windows)
    behind = [(float(received), 1.0) for received, _ in windows]
    owed, _ = shortfall([*behind, *[(0.0, 1.0)] * later, (-float(taken), 1.0)])

    assert owed == 0.0


@given(st.lists(st.integers(-100, 100), max_size=20), st.integers(1, 100))
def test_a_loss_after_all_else_is_owed_whatever_came_before(before: list[int], lost: int) -> None:
    """What others appended earlier does not pay for it, and the error grows only while something is owed."""
    owed, error = shortfall([*((float(left), 1.0) for left in before), (float(lost), 1.0)])
    alone, _ = shortfall((float(left), 1.0) for left in before)

    assert owed == alone + lost
    assert 1.0 <= error <= len(before) + 1


def test_where_nothing_is_owed_nothing_is_uncertain() -> None:
    """The error begins anew with the next window that owes something."""
    assert shortfall([]) == (0.0, 0.0)
    assert shortfall([(-5.0, 2.0)]) == (0.0, 0.0)
    assert shortfall([(3.0, 2.0), (-3.0, 2.0), (4.0, 1.5)]) == (4.0, 1.5)
