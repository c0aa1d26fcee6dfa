"""Floors: nothing that arrives after a moment can lie below the offsets that were told by then."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.edges.kafka.floors import MANY, Floors

START = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = ("t", 0)


@given(grown=st.lists(st.integers(0, 50), min_size=1, max_size=30), asked=st.integers(0, 40))
def test_a_floor_is_never_above_what_arrives_later(grown: list[int], asked: int) -> None:
    """Whoever is sent at a moment lies at or above the floor of that moment, whatever came before it."""
    floors, end, ends = Floors(), 0, []
    for second, count in enumerate(grown):
        end += count
        ends.append(end)
        floors.learn(START + timedelta(seconds=second), {PLACE: end})
    moment = START + timedelta(seconds=asked)
    floor = floors.before(moment)
    appended_at = ends[min(asked, len(ends) - 1)]  # the least offset of what is appended then
    assert floor is not None
    assert floor.at <= moment
    assert floor.offset(PLACE) <= appended_at


def test_before_the_first_nothing_is_known() -> None:
    """And forgetting keeps the floor that stands."""
    floors = Floors()
    for second in range(10):
        floors.learn(START + timedelta(seconds=second), {PLACE: second})
    floors.forget(START + timedelta(seconds=5.5))
    assert floors.before(START - timedelta(seconds=1)) is None
    assert floors.before(START + timedelta(seconds=4)) is None
    kept = floors.before(START + timedelta(seconds=5.5))
    assert kept is not None
    assert kept.offset(PLACE) == 5


def test_a_partition_that_was_not_told_keeps_its_floor_and_a_new_one_begins_at_its_beginning() -> None:
    """A partition without a leader has no end to tell; one that did not exist yet held nothing."""
    floors = Floors()
    floors.learn(START, {PLACE: 7})
    floors.learn(START + timedelta(seconds=1), {("t", 1): 3})
    first, second = floors.before(START), floors.before(START + timedelta(seconds=1))
    assert first is not None
    assert second is not None
    assert (first.offset(("t", 1)), second.offset(PLACE), second.offset(("t", 1))) == (0, 7, 3)
    assert floors.went_back({PLACE: 6})
    assert not floors.went_back({PLACE: 7})


def test_old_floors_are_thinned_and_stay_floors() -> None:
    """A day of one missing canary costs no more memory than some minutes."""
    floors = Floors()
    for half in range(4 * MANY):
        floors.learn(START + timedelta(seconds=half / 2), {PLACE: half})
    floor = floors.before(START + timedelta(seconds=100))
    assert floor is not None
    assert START + timedelta(seconds=60) <= floor.at <= START + timedelta(seconds=100)
    assert floor.offset(PLACE) == (floor.at - START).total_seconds() * 2
