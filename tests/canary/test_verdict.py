"""What is said of one event, from what was found of it: never a loss without proof, never a find left out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.trails import ALTERNATE, DEAD_LETTER, SIBLING, WARNING, Find, Passage, Searched
from canary.verdict import EXIT, Evidence, State, judge

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAGES = ("raw", "processed", "events")
FIND = Find(at=NOW - timedelta(minutes=5), partition=1, offset=7)
PASSED = Passage(True, True, "it has finished with it")
AHEAD = Passage(False, False, "it has 12 to do")
UNKNOWN = Passage(None, None, "not configured")
DRAINED = Passage(None, True, "")


def places(*shown: str, gaps: tuple[str, ...] = ()) -> list[Searched]:
    """Each stage's own place, with the event in those shown and a gap in those named."""
    return [
        Searched(
            name,
            name,
            finds=(FIND,) if name in shown else (),
            gap="budget" if name in gaps else "",
        )
        for name in STAGES
    ]


def judged(searched: list[Searched], raw: Passage = DRAINED, processed: Passage = DRAINED) -> State:
    passages = {"raw": raw, "processed": processed}
    return judge(Evidence(STAGES, searched, passages, NOW, timedelta(minutes=30))).state


@pytest.mark.parametrize(
    ("searched", "raw", "processed", "state"),
    [
        (places("raw", "processed", "events"), PASSED, PASSED, State.STORED),
        (places("events", gaps=("raw", "processed")), UNKNOWN, UNKNOWN, State.STORED),
        (places("raw", "processed"), PASSED, PASSED, State.LOST),
        (places("raw", "processed"), PASSED, AHEAD, State.WAITING),
        (places("raw"), AHEAD, DRAINED, State.WAITING),
        (places("raw"), PASSED, DRAINED, State.LOST),
        (places("raw", gaps=("processed",)), PASSED, DRAINED, State.LOST),
        (places("raw", gaps=("processed",)), PASSED, AHEAD, State.UNKNOWN),
        (places("raw", "processed", gaps=("events",)), PASSED, PASSED, State.UNKNOWN),
        (places("raw", "processed"), PASSED, UNKNOWN, State.UNKNOWN),
        (places(), DRAINED, DRAINED, State.UNKNOWN),
        (places(gaps=("raw",)), DRAINED, DRAINED, State.UNKNOWN),
    ],
)
def test_the_state_follows_from_finds_and_positions(
    searched: list[Searched], raw: Passage, processed: Passage, state: State
) -> None:
    """The table of what may be seen, and what it means."""
    assert judged(searched, raw, processed) is state


def test_a_loss_names_its_hop_and_what_it_spans() -> None:
    """Where the stage in between cannot be searched, the first hop is named and the other spanned."""
    sure = judge(
        Evidence(STAGES, places("raw", "processed"), {"processed": PASSED}, NOW, timedelta(minutes=30))
    )
    wide = judge(
        Evidence(
            STAGES,
            places("raw", gaps=("processed",)),
            {"raw": PASSED, "processed": DRAINED},
            NOW,
            timedelta(minutes=30),
        )
    )

    assert (sure.hop, sure.spanned) == (("processed", "events"), ())
    assert (wide.hop, wide.spanned) == (("raw", "processed"), ("processed",))


def test_without_positions_only_time_tells_a_loss() -> None:
    """After `lost_after` what was seen once and is nowhere behind counts as lost; before, nobody can tell."""
    evidence = Evidence(
        STAGES, places("raw", "processed"), {"processed": UNKNOWN}, NOW, timedelta(minutes=30)
    )
    later = Evidence(
        STAGES,
        places("raw", "processed"),
        {"processed": UNKNOWN},
        NOW + timedelta(hours=1),
        timedelta(minutes=30),
    )

    assert judge(evidence).state is State.UNKNOWN
    assert judge(later).state is State.LOST


def test_a_dead_letter_tells_its_reason_unless_the_event_was_stored_after_all() -> None:
    """Who set it aside says why; a row at the last stage outweighs that."""
    letter = Searched("raw", "dlq", DEAD_LETTER, (Find(at=NOW, reason="no team / parse"),))
    verdict = judge(Evidence(STAGES, [*places("raw"), letter], {"raw": PASSED}, NOW, timedelta(minutes=30)))

    assert verdict.state is State.DEAD_LETTERED
    assert "no team / parse" in verdict.why
    assert judged([*places("raw", "events"), letter]) is State.STORED


def test_dead_letters_that_could_not_be_read_leave_a_missing_event_unknown() -> None:
    """It may be one of them; what waits, or is stored, is so all the same."""
    letters = Searched("raw", "dlq", DEAD_LETTER, gap="not authorized")

    assert judged([*places("raw"), letters], PASSED) is State.UNKNOWN
    assert judged([*places("raw"), letters], AHEAD) is State.WAITING
    assert judged([*places("raw", "events"), letters], PASSED) is State.STORED


def test_what_the_pipeline_drops_on_purpose_is_not_lost() -> None:
    """The record itself shows it."""
    searched = places("raw")
    searched[0] = replace(searched[0], finds=(replace(FIND, reason="event $snapshot"),))

    assert judged(searched, PASSED) is State.DROPPED
    assert judged(searched, AHEAD) is State.WAITING


def test_what_a_merge_may_have_replaced_is_not_lost() -> None:
    """The table keeps one row for each of something else."""
    searched = places("raw", "processed")
    searched[2] = replace(searched[2], replaces="person")

    assert judged(searched, PASSED, PASSED) is State.UNKNOWN


def test_a_warning_explains_a_loss_and_nothing_else() -> None:
    """Presence of a warning names the reason of what is gone; what waits still waits."""
    warning = Searched("events", "ingestion_warnings", WARNING, (Find(at=NOW, reason="event_too_old"),))

    assert judged([*places("raw"), warning], PASSED) is State.DROPPED
    assert judged([*places("raw"), warning], AHEAD) is State.WAITING
    assert judged([*places(), warning]) is State.UNKNOWN


def test_a_sibling_proves_nothing() -> None:
    """It has a consumer of its own: the event is lost for the table all the same."""
    sibling = Searched("events", "recent", SIBLING, (FIND,))

    assert judged([*places("raw", "processed"), sibling], PASSED, PASSED) is State.LOST


@pytest.mark.parametrize(("kept", "state"), [(-6, State.LOST), (-4, State.UNKNOWN), (None, State.LOST)])
def test_what_a_table_may_have_removed_is_no_loss(kept: int | None, state: State) -> None:
    """Its TTL is over for events of such an age."""
    since = None if kept is None else NOW + timedelta(minutes=kept)
    searched = [replace(one, kept_since=since) for one in places("raw", "processed")]
    undated = [replace(one, finds=tuple(replace(find, at=None) for find in one.finds)) for one in searched]

    assert judged(searched, PASSED, PASSED) is state
    assert judged(undated, PASSED, PASSED) is (State.LOST if kept is None else State.UNKNOWN)


def test_an_alternate_counts_as_its_stage() -> None:
    """What passed through the overflow topic was seen at that stage."""
    overflow = Searched("raw", "overflow", ALTERNATE, (FIND,))

    assert judged([*places(), overflow], AHEAD) is State.WAITING
    assert judged([*places(), overflow], PASSED) is State.LOST


passages = st.builds(
    Passage, st.sampled_from([True, False, None]), st.sampled_from([True, False, None]), st.just("words")
)
searches = st.builds(
    Searched,
    st.sampled_from(STAGES),
    st.just("place"),
    st.sampled_from(["", ALTERNATE, DEAD_LETTER, SIBLING, WARNING]),
    st.sampled_from([(), (FIND,)]),
    st.sampled_from(["", "budget"]),
)


@given(
    found=st.lists(searches, max_size=8),
    shown=st.sets(st.sampled_from(STAGES)),
    gaps=st.sets(st.sampled_from(STAGES)),
    raw=passages,
    processed=passages,
)
def test_no_evidence_makes_a_false_loss(
    found: list[Searched], shown: set[str], gaps: set[str], raw: Passage, processed: Passage
) -> None:
    """Lost is said only of what was seen, of what no consumer still has, and with the last stage searched."""
    searched = [*places(*shown, gaps=tuple(gaps)), *found]
    evidence = Evidence(STAGES, searched, {"raw": raw, "processed": processed}, NOW, timedelta(days=1))

    verdict = judge(evidence)

    assert verdict.state in EXIT
    if evidence.finds("events", "", ALTERNATE):
        assert verdict.state is State.STORED
    if verdict.state in (State.LOST, State.DROPPED):
        seen = [name for name in STAGES[:2] if evidence.finds(name, "", ALTERNATE)]
        assert seen
        assert evidence.passages[seen[-1]].passed is True
        assert not evidence.gap("events")
        if seen[-1] == "raw" and evidence.gap("processed"):
            assert processed.drained is True
