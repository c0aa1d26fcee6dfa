"""Losses after another look: what turned up changes, whatever else a look says does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.amended import FOUND, amended, overlaid, still_explained, turned_up
from reconcile.offsets import Range, appended
from reconcile.traffic import Fate, Run, merged, tally

WHYS = {
    *(Fate.DEDUPLICATED, Fate.ABORTED, Fate.CONTROL),
    *(Fate.DEAD_LETTERED, Fate.FILTERED, Fate.UNPARSABLE),
}
"""What says why there need be no row."""

FATES = st.sampled_from(list(Fate))


def fates(runs: list[Run]) -> dict[tuple[int, int], Fate]:
    """Offset by offset."""
    return {(run.range.partition, n): run.fate for run in runs for n in range(run.range.start, run.range.end)}


@st.composite
def looks(draw: st.DrawFn) -> tuple[list[Range], list[Run]]:
    """Some lost offsets of two partitions, and runs of anything that speak of some offsets."""
    lost = draw(st.sets(st.tuples(st.integers(0, 1), st.integers(0, 15))))
    told = draw(st.dictionaries(st.tuples(st.integers(0, 1), st.integers(0, 20)), FATES))
    ranges = [run.range for run in merged(Run(Range(p, n, n + 1), Fate.LOST) for p, n in sorted(lost))]
    return ranges, merged(Run(Range(p, n, n + 1), fate) for (p, n), fate in sorted(told.items()))


@given(looks(), st.sampled_from([Fate.STORED, Fate.LOST]))
def test_each_lost_offset_turned_up_or_is_still_lost(look: tuple[list[Range], list[Run]], un: Fate) -> None:
    """Every one of them and nothing else, whatever the look says of it."""
    lost, runs = look
    told = fates(runs)
    after = amended(lost, runs, unsaid=un)

    expected = {}
    for place in fates([Run(one, Fate.LOST) for one in lost]):
        fate = told.get(place, un)
        expected[place] = fate if fate in FOUND else Fate.LOST
    assert fates(after) == expected
    assert fates(turned_up(after)) == {place: fate for place, fate in expected.items() if fate in FOUND}


@given(looks())
def test_an_explanation_stays_with_what_is_gone(look: tuple[list[Range], list[Run]]) -> None:
    """Of those offsets what says why there need be no row, with its words, and nothing else."""
    gone, told = look
    worded = [Run(run.range, run.fate, run.fate.value) for run in told]
    found = still_explained(worded, gone)

    places = fates([Run(one, Fate.LOST) for one in gone]).keys()
    assert fates(found) == {at: fate for at, fate in fates(told).items() if at in places and fate in WHYS}
    assert all(run.reason == run.fate.value for run in found)


@pytest.mark.parametrize("fate", list(Fate))
def test_only_what_says_why_there_need_be_no_row_stays(fate: Fate) -> None:
    """Whatever else was said of it may have changed since."""
    run = Run(Range(0, 3, 6), fate, "why")

    expected = [Run(Range(0, 4, 6), fate, "why")] if fate in WHYS else []
    assert still_explained([run], [Range(0, 4, 9), Range(1, 3, 6)]) == expected


def test_a_look_that_says_all_there_is_to_say() -> None:
    """In any order; what lies beside the lost, or is empty, says nothing."""
    lost = [Range(0, 0, 10), Range(0, 20, 30), Range(1, 0, 4)]
    looked = [
        Run(Range(1, 4, 6), Fate.STORED, "beside"),
        Run(Range(0, 22, 25), Fate.DEDUPLICATED, "b"),
        Run(Range(0, 10, 20), Fate.STORED, "beside"),
        Run(Range(0, 6, 7), Fate.DEAD_LETTERED, "letter"),
        Run(Range(0, 5, 6), Fate.LOST, "still"),
        Run(Range(0, 4, 5), Fate.EXPIRED, "gone"),
        Run(Range(0, 3, 3), Fate.STORED, "empty"),
        Run(Range(0, 2, 4), Fate.STORED, "a"),
    ]

    assert amended(lost, looked, unsaid=Fate.LOST) == [
        Run(Range(0, 0, 2), Fate.LOST),
        Run(Range(0, 2, 4), Fate.STORED, "a"),
        Run(Range(0, 4, 5), Fate.LOST),
        Run(Range(0, 5, 6), Fate.LOST, "still"),
        Run(Range(0, 6, 7), Fate.DEAD_LETTERED, "letter"),
        Run(Range(0, 7, 10), Fate.LOST),
        Run(Range(0, 20, 22), Fate.LOST),
        Run(Range(0, 22, 25), Fate.DEDUPLICATED, "b"),
        Run(Range(0, 25, 30), Fate.LOST),
        Run(Range(1, 0, 4), Fate.LOST),
    ]


def test_a_loss_turns_out_to_be_one_of_three() -> None:
    """Nothing else that a later look says amends it."""
    assert {Fate.STORED, Fate.DEDUPLICATED, Fate.DEAD_LETTERED} == FOUND


def test_what_is_told_otherwise_stands_in_its_place() -> None:
    """Each offset once, in order, with its reason; what is stored needs no word."""
    runs = [Run(Range(0, 0, 10), Fate.LOST, "r"), Run(Range(1, 0, 5), Fate.QUEUED, "q")]
    over = [Run(Range(0, 6, 8), Fate.DEDUPLICATED, "d"), Run(Range(0, 2, 4), Fate.STORED)]

    assert overlaid(runs, over) == [
        Run(Range(0, 0, 2), Fate.LOST, "r"),
        Run(Range(0, 4, 6), Fate.LOST, "r"),
        Run(Range(0, 6, 8), Fate.DEDUPLICATED, "d"),
        Run(Range(0, 8, 10), Fate.LOST, "r"),
        Run(Range(1, 0, 5), Fate.QUEUED, "q"),
    ]


@given(looks(), looks())
def test_what_is_told_otherwise_replaces_what_stood(
    first: tuple[list[Range], list[Run]], second: tuple[list[Range], list[Run]]
) -> None:
    """And the sum of a window stays what it was."""
    _, runs = first
    _, over = second
    window = [Range(0, 0, 30), Range(1, 0, 30)]
    after = overlaid(runs, over)

    both = fates(runs) | fates(over)
    assert fates(after) == {place: fate for place, fate in both.items() if fate is not Fate.STORED}
    assert sum(tally(window, after).values()) == appended(window)


@given(st.integers(0, 10**6), st.integers(0, 10**12), st.integers(1, 10**9))
def test_a_range_is_read_as_it_is_written(partition: int, start: int, size: int) -> None:
    """As ranges to replay are kept."""
    one = Range(partition, start, start + size)

    assert Range.of(str(one)) == one
