"""Losses after another look: what turned up changes, whatever else a look says does not."""

from hypothesis import given
from hypothesis import strategies as st

from reconcile.amended import FOUND, amended, overlaid, turned_up
from reconcile.offsets import Range, appended
from reconcile.traffic import Fate, Run, merged, tally

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
