"""Every offset of a window has exactly one fate, whatever the evidence, and nothing is lost without proof."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconcile.offsets import BLOCK, Block, Range, appended, budgeted, holes, joined, suspects, within
from reconcile.traffic import (
    UNSETTLED,
    Evidence,
    Fate,
    Message,
    Policy,
    Run,
    came,
    explained,
    tally,
    worth_reading,
)

OFFSETS = st.integers(0, 60)
SPANS = st.tuples(OFFSETS, OFFSETS).map(lambda ends: Range(0, min(ends), max(ends)))
IDS = st.sampled_from(["a", "b", "c", "d"])
MESSAGES = st.builds(
    Message,
    partition=st.just(0),
    offset=OFFSETS,
    id=st.none() | IDS,
    event=st.sampled_from([None, "dropped", "kept"]),
    error=st.sampled_from(["", "no JSON"]),
    removed=st.sampled_from(["", "", "its TTL is over"]),
)
EVIDENCE = st.builds(
    Evidence,
    log_start=OFFSETS,
    position=st.none() | OFFSETS,
    passed=st.none() | OFFSETS,
    unread_from=st.none() | OFFSETS,
    aged=OFFSETS,
    read=st.lists(SPANS, max_size=3),
    unread=st.just("over budget"),
    messages=st.lists(MESSAGES, max_size=20).map(lambda found: {one.offset: one for one in found}),
    aborted=st.lists(SPANS, max_size=2),
    found=st.dictionaries(IDS, st.sets(st.tuples(st.just(0), OFFSETS), min_size=1, max_size=2), max_size=3),
    letters=st.dictionaries(IDS, st.just("too large"), max_size=2),
    present=st.sets(OFFSETS, max_size=20),
    policy=st.just(Policy(events=frozenset({"dropped"}))),
    by_id=st.booleans(),
    no_ids=st.sampled_from(["", "no match"]),
    unsure=st.sampled_from(["", "", "refused"]),
    letters_unread=st.sampled_from(["", "", "no right"]),
)


def offsets(ranges: list[Range]) -> Counter[tuple[int, int]]:
    return Counter((one.partition, at) for one in ranges for at in range(one.start, one.end))


def fates(runs: list[Run]) -> dict[int, Fate]:
    return {at: run.fate for run in runs for at in range(run.range.start, run.range.end)}


@given(SPANS, EVIDENCE)
def test_every_offset_of_a_gap_has_exactly_one_fate(gap: Range, evidence: Evidence) -> None:
    """Runs follow each other, overlap nowhere and leave nothing out."""
    runs = explained(gap, evidence)

    assert offsets([run.range for run in runs]) == offsets([gap])
    assert all(run.range.size for run in runs)


@given(SPANS, EVIDENCE, OFFSETS)
def test_how_a_gap_is_cut_never_changes_a_fate(gap: Range, evidence: Evidence, cut: int) -> None:
    """Whoever asks in pieces, in whatever order, hears the same of every offset."""
    first, rest = gap.clip(gap.start, cut), gap.clip(cut, gap.end)
    in_pieces = fates(explained(rest, evidence)) | fates(explained(first, evidence))
    assert in_pieces == fates(explained(gap, evidence))


@given(SPANS, st.lists(SPANS, max_size=4), EVIDENCE)
def test_the_sum_law_holds(window: Range, gaps: list[Range], evidence: Evidence) -> None:
    """Appended is the sum of all fates, and what no gap holds is stored."""
    inside = within([window], gaps)
    runs = [run for gap in inside for run in explained(gap, evidence)]
    counts = tally([window], runs)

    assert appended([window]) == sum(counts.values())
    assert all(number >= 0 for number in counts.values())
    assert counts[Fate.STORED] >= appended([window]) - appended(inside)


@given(SPANS, EVIDENCE)
def test_a_backlog_is_never_a_loss(gap: Range, evidence: Evidence) -> None:
    """What the consumer has not passed is queued, as long as Kafka keeps it."""
    for at, fate in fates(explained(gap, evidence)).items():
        if evidence.position is not None and at >= max(evidence.position, evidence.log_start):
            assert fate is Fate.QUEUED


@given(SPANS, EVIDENCE)
def test_what_was_not_even_read_is_queued_and_nothing_else_is_told_by_it(
    gap: Range, evidence: Evidence
) -> None:
    """Without a position; however late it is. Before that place, as if nobody had told."""
    told = replace(evidence, position=None)
    fates_told, without = fates(explained(gap, told)), fates(explained(gap, replace(told, unread_from=None)))
    for at, fate in fates_told.items():
        waits = told.unread_from is not None and at >= max(told.unread_from, told.log_start)
        assert fate is (Fate.QUEUED if waits else without[at])


@given(SPANS, EVIDENCE)
def test_without_positions_only_time_proves_a_loss(gap: Range, evidence: Evidence) -> None:
    """Before `lost_after` nothing is lost where the consumer's position cannot be read."""
    runs = explained(gap, replace(evidence, position=None, passed=None, aged=0))

    assert {run.fate for run in runs} <= {Fate.NOT_YET, Fate.EXPIRED, Fate.QUEUED}


@given(SPANS, EVIDENCE)
def test_only_an_unsettled_fate_changes_when_more_is_known(gap: Range, evidence: Evidence) -> None:
    """Once the consumer is past it and all was read; what retention removes meanwhile is another matter."""
    known = replace(evidence, log_start=0)
    more = replace(known, position=61, unread_from=None, aged=61, read=[Range(0, 0, 61)], unsure="")
    before, after = fates(explained(gap, known)), fates(explained(gap, more))
    assert {at for at in before if before[at] is not after[at]} <= {
        at for at, fate in before.items() if fate in UNSETTLED
    }


@given(SPANS, EVIDENCE)
def test_a_loss_is_read_back_and_found_nowhere(gap: Range, evidence: Evidence) -> None:
    """Lost is only a record that Kafka has, that was looked for by offset and id, and not found."""
    for at, fate in fates(explained(gap, evidence)).items():
        if fate is Fate.LOST and at >= evidence.log_start:
            message = evidence.messages[at]
            assert any(one.start <= at < one.end for one in evidence.read)
            assert message.id not in evidence.found
            assert message.id not in evidence.letters
            assert message.event != "dropped"
            assert not message.error
            assert not message.removed
            assert not evidence.unsure
            assert not evidence.no_ids
            assert message.id is None or not evidence.letters_unread


@given(SPANS, EVIDENCE)
def test_what_was_not_read_back_is_not_explained(gap: Range, evidence: Evidence) -> None:
    """Where the budget ended, offsets are unaudited: never skipped, never guessed."""
    middle = worth_reading(gap, evidence)
    for at, fate in fates(explained(middle, evidence)).items():
        if not any(one.start <= at < one.end for one in evidence.read):
            assert fate is Fate.UNAUDITED


@given(st.lists(SPANS, max_size=5), st.integers(0, 80))
def test_a_budget_takes_the_first_offsets_and_keeps_the_rest(ranges: list[Range], budget: int) -> None:
    """Nothing is lost between what is taken and what is left over."""
    gaps = joined(ranges)
    taken, left = budgeted(gaps, budget)

    assert appended(taken) == min(budget, appended(gaps))
    assert offsets(taken) + offsets(left) == offsets(gaps)


@given(SPANS, st.lists(SPANS, max_size=5))
def test_holes_and_what_is_there_make_the_window(window: Range, there: list[Range]) -> None:
    """A window is its holes and what of it is there."""
    assert offsets(holes([window], there)) + offsets(within([window], there)) == offsets([window])


@given(st.integers(0, 3 * BLOCK), st.integers(0, 2 * BLOCK), st.data())
def test_only_blocks_that_lack_something_are_searched(start: int, size: int, data: st.DataObject) -> None:
    """A block is suspect when it has fewer distinct offsets than the window has of it."""
    window = Range(2, start, start + size)
    full = {n: window.clip(n * BLOCK, (n + 1) * BLOCK).size for n in range(6)}
    short = data.draw(st.sets(st.sampled_from([n for n, have in full.items() if have]))) if size else set()
    blocks = [Block(2, n, have + 5, have - (n in short)) for n, have in full.items() if have]

    assert {piece.start // BLOCK for piece in suspects([window], blocks)} == short
    assert all(0 < piece.size <= BLOCK for piece in suspects([window], blocks))


def test_a_row_of_another_event_does_not_hide_a_loss() -> None:
    """A topic made again has the offsets of the old one: its rows do not stand for new events."""
    gap = Range(0, 5, 6)
    evidence = Evidence(position=9, read=[gap], messages={5: Message(0, 5, id="new")}, present=frozenset({5}))

    assert explained(gap, evidence) == [Run(gap, Fate.LOST, "another event's row holds its offset")]


@given(st.none() | OFFSETS, OFFSETS, st.none() | OFFSETS)
def test_who_was_somewhere_has_come_that_far(position: int | None, before: int, rows_end: int | None) -> None:
    """Wherever it was set since; and where it has no position, only a table without a row shows where."""
    far = came(position, before=before, rows_end=rows_end)

    assert far is None or far == max(position or 0, before, rows_end or 0)
    assert (far is None) == (position is None and not (rows_end == 0 and before == 0))


@given(SPANS, EVIDENCE)
def test_what_retention_removed_is_lost_only_where_the_consumer_never_came(
    gap: Range, evidence: Evidence
) -> None:
    """And has not for `lost_after`."""
    for at, fate in fates(explained(gap, evidence)).items():
        if at < evidence.log_start:
            came_by = evidence.passed is None or at < evidence.passed
            never = Fate.LOST if at < evidence.aged else Fate.QUEUED
            assert fate is (Fate.EXPIRED if came_by else never)


def test_what_retention_took_from_under_the_consumer_is_lost_in_time() -> None:
    """Removed before it was committed: queued until `lost_after`, since it may be held; then lost."""
    gap = Range(0, 0, 10)
    evidence = Evidence(log_start=8, position=4, passed=4)
    before, after = explained(gap, evidence), explained(gap, replace(evidence, aged=10))

    def shape(runs: list[Run]) -> list[tuple[int, Fate]]:
        return [(run.range.start, run.fate) for run in runs]

    assert shape(before) == [(0, Fate.EXPIRED), (4, Fate.QUEUED), (8, Fate.QUEUED)]
    assert shape(after) == [(0, Fate.EXPIRED), (4, Fate.LOST), (8, Fate.QUEUED)]
