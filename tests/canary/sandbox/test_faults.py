"""Which fault strikes which event."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.sandbox.faults import KINDS, FaultError, Subject, activate, duration, fault_from, strike

NOW = datetime(2026, 3, 1, tzinfo=UTC)
subjects = st.lists(st.builds(Subject, st.uuids().map(str), st.booleans(), st.integers(0, 3)), max_size=60)


def struck(options: dict[str, Any], events: list[Subject]) -> list[Subject]:
    active, found = activate(fault_from({"kind": "drop", "at": "raw", **options}), NOW), []
    for event in events:
        after = strike(active, event, NOW)
        if after is not None:
            active = after
            found.append(event)
    return found


@given(subjects, st.integers(1, 20))
def test_a_count_strikes_the_first_so_many(events: list[Subject], count: int) -> None:
    """A counted fault takes the first N events and leaves the rest alone."""
    assert struck({"count": count}, events) == events[:count]


@given(subjects, st.integers(1, 20))
def test_a_block_is_consecutive_in_one_lane(events: list[Subject], size: int) -> None:
    """A block is the next N events of the lane in which the first of them came."""
    lane = [event for event in events if event.lane == events[0].lane]

    assert struck({"block": size}, events) == lane[:size]


@given(subjects)
def test_canaries_only(events: list[Subject]) -> None:
    """With --canaries no other event is touched, and every canary is."""
    assert struck({"canaries": True}, events) == [event for event in events if event.canary]


def test_a_share_is_about_that_share() -> None:
    """A share of 0.3 takes between a quarter and a third of many events."""
    events = [Subject(f"event {number}", True) for number in range(10_000)]

    assert 2500 < len(struck({"share": 0.3}, events)) < 3500


def test_a_fault_with_an_end_ends() -> None:
    """After --for has run out the fault strikes nothing."""
    active = activate(fault_from({"kind": "drop", "at": "raw", "lasts": "30s"}), NOW)

    assert strike(active, Subject("x", True), NOW + timedelta(seconds=29)) is not None
    assert strike(active, Subject("x", True), NOW + timedelta(seconds=30)) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "explode"}, "kind: must be one of drop,"),
        ({"kind": "drop"}, '--at: must be one of raw, processed, events for drop (got "")'),
        ({"kind": "stop", "at": "raw"}, '--at: must be one of processed, events for stop (got "raw")'),
        ({"kind": "drop", "at": "raw", "count": 0}, "--count: must be at least 1 (got 0)"),
        ({"kind": "drop", "at": "raw", "share": 2.0}, "--share: must be above 0 and at most 1 (got 2.0)"),
        (
            {"kind": "drop", "at": "raw", "count": 1, "block": 1},
            "--count: cannot be given together with --block",
        ),
        ({"kind": "freeze", "at": "raw", "count": 1}, "--count: means nothing for freeze --at raw"),
        (
            {"kind": "blind", "at": "raw", "how": "gag"},
            '--how: must be one of refuse, deny, hang (got "gag")',
        ),
        ({"kind": "drop", "at": "raw", "field": "x"}, '--field: only for corrupt (got "x")'),
        (
            {"kind": "delay", "at": "raw", "by": "soon"},
            '--by: must look like 500ms, 5s, 2m or 1h (got "soon")',
        ),
        (
            {"kind": "delay", "at": "raw", "by": "99999999999h"},
            '--by: must be at most 24000h (got "99999999999h")',
        ),
        ({"kind": "drop", "at": "raw", "colour": "red"}, 'colour: there is no such option (got "red")'),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], words: str) -> None:
    """Each mistake is named with what was given."""
    with pytest.raises(FaultError) as refused:
        fault_from(options)

    assert str(refused.value).startswith(words)


def test_every_kind_can_be_made() -> None:
    """Every kind in the list is accepted at one stage at least."""
    places = ("ingress", "raw", "processed", "events", "slack")

    assert {kind for kind in KINDS if any(_made(kind, at) for at in places)} == set(KINDS)


def _made(kind: str, at: str) -> bool:
    try:
        fault_from({"kind": kind, "at": at})
    except FaultError:
        return False
    return True


def test_durations() -> None:
    """Units are read as people write them; a bare number is seconds."""
    assert duration("500ms") == timedelta(milliseconds=500)
    assert duration("2m") == timedelta(minutes=2)
    assert duration("3") == timedelta(seconds=3)
