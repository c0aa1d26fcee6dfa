"""Ranges of offsets by example: cut, joined, counted in blocks, at their very edges."""

from reconcile.offsets import (
    BLOCK,
    Block,
    Range,
    appended,
    budgeted,
    holes,
    joined,
    lacking,
    repeated,
    suspects,
    within,
)


def test_a_range_says_its_first_and_last_offset() -> None:
    """Half-open inside, closed in words; one that ends before it starts has no size."""
    assert str(Range(3, 10, 20)) == "3:10-19"
    assert (Range(0, 3, 5).size, Range(0, 3, 3).size, Range(0, 5, 3).size) == (2, 0, 0)
    assert BLOCK == 2**16


def test_a_clip_stays_inside_both() -> None:
    """Where nothing lies within, it is empty."""
    assert Range(1, 10, 20).clip(5, 15) == Range(1, 10, 15)
    assert Range(1, 10, 20).clip(12, 25) == Range(1, 12, 20)
    assert Range(1, 10, 20).clip(12, 15) == Range(1, 12, 15)
    for start, end in ((0, 5), (0, 10), (20, 30), (25, 30)):
        assert Range(1, 10, 20).clip(start, end).size == 0


def test_ranges_that_touch_are_one_and_partitions_are_apart() -> None:
    """In order, whatever order they came in; empty ones are gone; one within another adds nothing."""
    given = [Range(1, 5, 9), Range(0, 4, 6), Range(0, 0, 4), Range(0, 7, 7), Range(0, 8, 9), Range(0, 1, 2)]
    assert joined(given) == [Range(0, 0, 6), Range(0, 8, 9), Range(1, 5, 9)]
    assert joined([Range(0, 0, 5), Range(1, 3, 9)]) == [Range(0, 0, 5), Range(1, 3, 9)]
    assert joined([Range(0, 0, 9), Range(0, 3, 4)]) == [Range(0, 0, 9)]
    assert joined([]) == []


def test_a_block_that_lacks_an_offset_or_is_not_there_is_suspect() -> None:
    """A block each at most, in order; one that is whole is not."""
    window = [Range(1, 0, 10), Range(0, BLOCK - 5, BLOCK + 5)]
    whole = [Block(0, 0, 5, 5), Block(0, 1, 5, 5), Block(1, 0, 10, 10)]
    assert suspects(window, whole) == []
    assert suspects(window, whole[1:]) == [Range(0, BLOCK - 5, BLOCK)]
    assert suspects(window, [whole[0], Block(0, 1, 9, 4), whole[2]]) == [Range(0, BLOCK, BLOCK + 5)]
    assert suspects(window, []) == [
        Range(0, BLOCK - 5, BLOCK),
        Range(0, BLOCK, BLOCK + 5),
        Range(1, 0, 10),
    ]


def test_a_block_tells_its_own_gaps_or_must_be_searched() -> None:
    """One that is not there is a gap as a whole; gaps that touch are one."""
    window = [Range(0, 0, 3 * BLOCK)]
    there = [Block(0, 0, 5, 5, (Range(0, 5, BLOCK),)), Block(0, 2, BLOCK - 1, BLOCK - 1)]

    assert lacking(window, there) == ([Range(0, 5, 2 * BLOCK)], [Range(0, 2 * BLOCK, 3 * BLOCK)])
    assert lacking(window, [Block(0, n, BLOCK, BLOCK) for n in range(3)]) == ([], [])


def test_more_rows_than_offsets_are_repeats() -> None:
    """By block, how many more."""
    assert repeated([Block(0, 1, 9, 5), Block(0, 2, 5, 5), Block(1, 0, 0, 0)]) == {(0, 1): 4}


def test_a_window_holds_its_own_partitions_alone() -> None:
    """Cut to it and joined."""
    window = [Range(0, 10, 20), Range(1, 0, 5)]
    found = within(window, [Range(0, 0, 12), Range(0, 12, 14), Range(0, 19, 30), Range(2, 0, 9)])
    assert found == [Range(0, 10, 14), Range(0, 19, 20)]
    assert appended(window) == 15


def test_a_budget_is_spent_from_the_first_gap_on() -> None:
    """What is left over is told, and nothing is taken twice."""
    gaps = [Range(0, 0, 4), Range(0, 10, 20), Range(1, 0, 3)]
    assert budgeted(gaps, 6) == ([Range(0, 0, 4), Range(0, 10, 12)], [Range(0, 12, 20), Range(1, 0, 3)])
    assert budgeted([Range(0, 5, 9), Range(0, 10, 20)], 6)[0] == [Range(0, 5, 9), Range(0, 10, 12)]
    assert budgeted(gaps, 0) == ([], gaps)
    assert budgeted(gaps, -1) == ([], gaps)
    assert budgeted(gaps, 99) == (gaps, [])


def test_holes_are_what_nothing_holds() -> None:
    """Before, between and behind, a partition at a time."""
    window = [Range(0, 0, 10), Range(1, 0, 5)]
    there = [Range(0, 2, 4), Range(0, 6, 8), Range(0, 3, 5), Range(2, 0, 9)]
    assert holes(window, there) == [Range(0, 0, 2), Range(0, 5, 6), Range(0, 8, 10), Range(1, 0, 5)]
    assert holes([Range(0, 0, 10)], [Range(0, 0, 99)]) == []
    assert holes([Range(0, 5, 10)], [Range(0, 0, 6), Range(0, 9, 12)]) == [Range(0, 6, 9)]
