"""The fate of one offset, by example: each piece of evidence alone, and in the order in which it counts."""

from dataclasses import replace

import pytest

from reconcile.offsets import Range
from reconcile.traffic import Evidence, Fate, Message, Policy, Run, came, explained, fate_of, merged, tally

AT = 7
NAMED = Message(0, AT, id="a", event="kept", token="t")
NAMELESS = Message(0, AT)
HERE, ELSEWHERE, NOWHERE = frozenset({(0, AT)}), frozenset({(0, 9)}), frozenset({(-1, -1)})


def evidence(message: Message | None = NAMED, **known: object) -> Evidence:
    """A gap of which this one record was read back, and what else is known."""
    made = Evidence(messages={} if message is None else {AT: message})
    for name, value in known.items():
        made = replace(made, **{name: value})  # type: ignore[arg-type] # the names are those of its fields
    return made


@pytest.mark.parametrize(
    ("known", "fate", "reason"),
    [
        (evidence(), Fate.LOST, ""),
        (evidence(NAMELESS), Fate.LOST, ""),
        (evidence(found={"a": HERE}), Fate.STORED, ""),
        (evidence(found={"a": NOWHERE}), Fate.STORED, ""),
        (evidence(found={"a": NOWHERE | ELSEWHERE}), Fate.STORED, ""),
        (evidence(found={"a": ELSEWHERE}), Fate.DEDUPLICATED, "its id is in the table under another offset"),
        (
            evidence(found={"a": frozenset({(0, 0)})}),
            Fate.DEDUPLICATED,
            "its id is in the table under another offset",
        ),
        (evidence(found={"a": ELSEWHERE}, by_id=True), Fate.STORED, ""),
        (evidence(found={"b": HERE}), Fate.LOST, ""),
        (evidence(present=frozenset({AT})), Fate.LOST, "another event's row holds its offset"),
        (evidence(NAMELESS, present=frozenset({AT})), Fate.STORED, ""),
        (evidence(present=frozenset({AT}), no_ids="no column"), Fate.STORED, ""),
        (
            evidence(present=frozenset({AT}), no_ids="no column", foreign=True),
            Fate.UNAUDITED,
            "merged away or lost: no column",
        ),
        (
            evidence(NAMELESS, present=frozenset({AT}), foreign=True),
            Fate.UNAUDITED,
            "it has no id to look for",
        ),
        (evidence(None, present=frozenset({AT}), foreign=True), Fate.CONTROL, ""),
        (evidence(NAMELESS, present=frozenset({8})), Fate.LOST, ""),
        (evidence(no_ids="no column"), Fate.UNAUDITED, "merged away or lost: no column"),
        (evidence(unsure="refused"), Fate.UNAUDITED, "refused"),
        (evidence(letters={"a": "too large"}), Fate.DEAD_LETTERED, "too large"),
        (evidence(NAMELESS, letters={"a": "too large"}), Fate.LOST, ""),
        (evidence(letters={"b": "too large"}), Fate.LOST, ""),
        (evidence(letters_unread="no right"), Fate.UNAUDITED, "no right"),
        (evidence(NAMELESS, letters_unread="no right"), Fate.UNAUDITED, "no right"),
        (
            evidence(NAMELESS, letters={"": "too large"}),
            Fate.UNAUDITED,
            "it has no id, and neither have some dead letters",
        ),
        (evidence(letters={"": "too large"}), Fate.LOST, ""),
        (evidence(replaces="person"), Fate.UNAUDITED, "lost, or replaced by a row with the same person"),
        (evidence(NAMELESS, merges=True), Fate.UNAUDITED, "it has no id to look for"),
        (evidence(merges=True), Fate.LOST, ""),
        (evidence(hides="a row policy"), Fate.UNAUDITED, "a row policy"),
        (evidence(hides="a row policy", letters={"a": "too large"}), Fate.DEAD_LETTERED, "too large"),
        (evidence(letters={"a": "too large"}, letters_unread="no right"), Fate.DEAD_LETTERED, "too large"),
        (evidence(policy=Policy(events=frozenset({"kept"}))), Fate.FILTERED, "event kept"),
        (evidence(policy=Policy(events=frozenset({"other"}))), Fate.LOST, ""),
        (evidence(policy=Policy(tokens=frozenset({"t"}))), Fate.FILTERED, "token"),
        (evidence(policy=Policy(tokens=frozenset({"u"}))), Fate.LOST, ""),
        (evidence(NAMELESS, policy=Policy(frozenset({"x"}), frozenset({"y"}))), Fate.LOST, ""),
        (evidence(replace(NAMED, error="no JSON")), Fate.UNPARSABLE, "no JSON"),
        (evidence(replace(NAMED, removed="its TTL")), Fate.EXPIRED, "its TTL"),
        (evidence(replace(NAMED, removed="its TTL"), found={"a": HERE}), Fate.STORED, ""),
        (evidence(replace(NAMED, error="no JSON", removed="its TTL")), Fate.UNPARSABLE, "no JSON"),
        (evidence(NAMELESS, by_id=True), Fate.UNAUDITED, "it has no id to look for"),
        (evidence(by_id=True), Fate.LOST, ""),
        (evidence(None), Fate.CONTROL, ""),
        (evidence(None, present=frozenset({AT})), Fate.STORED, ""),
        (evidence(None, present=frozenset({8})), Fate.CONTROL, ""),
        (evidence(None, aborted=(Range(0, AT, AT + 1),)), Fate.ABORTED, ""),
        (evidence(None, aborted=(Range(0, 0, AT),)), Fate.CONTROL, ""),
        (evidence(None, aborted=(Range(0, AT + 1, 9),)), Fate.CONTROL, ""),
        (evidence(None, aborted=(Range(0, 0, 2), Range(0, 5, 9))), Fate.ABORTED, ""),
    ],
)
def test_an_offset_has_the_fate_that_the_evidence_says(known: Evidence, fate: Fate, reason: str) -> None:
    """And is called lost only where nothing else explains it."""
    assert fate_of(AT, known, partition=0) == (fate, reason)


def test_what_nobody_knows_is_the_default() -> None:
    """Nothing is old, nothing has expired, and what the user lets drop is nothing."""
    assert (Evidence().aged, Evidence().by_id, Evidence().log_start) == (0, False, 0)
    assert Policy().drops(NAMED) == ""


def test_a_gap_is_told_from_its_beginning_to_its_end() -> None:
    """What expired, what was read, what was not, what waits."""
    known = Evidence(log_start=2, position=8, read=(Range(0, 3, 5),), unread="over budget")
    assert explained(Range(0, 0, 10), known) == [
        Run(Range(0, 0, 2), Fate.EXPIRED, "retention removed it before it could be verified"),
        Run(Range(0, 2, 3), Fate.UNAUDITED, "over budget"),
        Run(Range(0, 3, 5), Fate.CONTROL),
        Run(Range(0, 5, 8), Fate.UNAUDITED, "over budget"),
        Run(Range(0, 8, 10), Fate.QUEUED),
    ]
    assert explained(Range(0, 0, 4), Evidence(position=0, passed=0, log_start=9, aged=9)) == [
        Run(Range(0, 0, 4), Fate.LOST, "retention removed it before the consumer came to it")
    ]
    assert explained(Range(0, 0, 4), Evidence(position=0, passed=0, log_start=9)) == [
        Run(Range(0, 0, 4), Fate.QUEUED, "retention removed it while it waited")
    ]
    assert explained(Range(0, 0, 4), Evidence()) == [Run(Range(0, 0, 4), Fate.NOT_YET)]


def test_runs_that_follow_each_other_are_one() -> None:
    """Not over a hole, not with another reason or in another partition; empty ones are gone."""
    one = Run(Range(0, 0, 2), Fate.LOST)
    assert merged([one, Run(Range(0, 2, 2), Fate.LOST), Run(Range(0, 2, 5), Fate.LOST)]) == [
        Run(Range(0, 0, 5), Fate.LOST)
    ]
    for other in (
        Run(Range(0, 3, 5), Fate.LOST),
        Run(Range(0, 2, 5), Fate.LOST, "why"),
        Run(Range(0, 2, 5), Fate.QUEUED),
        Run(Range(1, 2, 5), Fate.LOST),
    ):
        assert merged([one, other]) == [one, other]


def test_what_no_run_speaks_of_is_stored() -> None:
    """All twelve fates stand there."""
    counts = tally([Range(0, 0, 10)], [Run(Range(0, 0, 2), Fate.LOST), Run(Range(0, 5, 6), Fate.LOST)])
    assert counts == {**dict.fromkeys(Fate, 0), Fate.LOST: 3, Fate.STORED: 7}
    assert set(counts) == set(Fate)


def test_the_words_for_fates_are_those_that_reports_know() -> None:
    """In the order in which they are told."""
    words = "stored deduplicated aborted control dead_lettered filtered unparsable queued not_yet expired"
    assert [*Fate] == [*words.split(), "lost", "unaudited"]


@pytest.mark.parametrize(
    ("position", "before", "rows_end", "far"),
    [
        (None, 0, 0, 0),
        (None, 0, None, None),
        (None, 0, 7, None),
        (None, 5, 0, None),
        (3, 0, None, 3),
        (3, 5, 4, 5),
        (3, 4, 5, 5),
    ],
)
def test_how_far_a_consumer_ever_came(
    position: int | None, before: int, rows_end: int | None, far: int | None
) -> None:
    """At least; without a position only a table that never had a row shows that it came nowhere."""
    assert came(position, before=before, rows_end=rows_end) == far
