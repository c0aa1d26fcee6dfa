"""The rules of the design's table of outcomes, one by one."""

from datetime import timedelta

import pytest

from reconcile.compare import Case, StageCase, judge
from reconcile.outcome import Flag, Outcome, Receipt
from tests.reconcile.cases import LIMITS, at, flown, table, topic

FULL = 1000.0


def outcome(case: Case, now: float) -> Outcome:
    return judge(case, now=at(now), limits=LIMITS).outcome


@pytest.mark.parametrize(
    ("case", "hop"),
    [
        (
            flown(
                raw=topic("raw", until=FULL),
                processed=topic("processed", until=FULL),
                events=table(FULL),
                last_look=FULL,
            ),
            ("ingress", "raw"),
        ),
        (
            flown(
                raw=topic("raw", seen=1, until=FULL, passed=2),
                processed=topic("processed", until=FULL),
                events=table(FULL),
                last_look=FULL,
            ),
            ("raw", "processed"),
        ),
        (
            flown(
                raw=topic("raw", seen=1, until=FULL, passed=2),
                processed=topic("processed", seen=2, until=FULL, passed=3),
                events=table(FULL),
                last_look=FULL,
            ),
            ("processed", "events"),
        ),
        (
            flown(
                raw=topic("raw", seen=1, until=FULL, passed=2, expired=True),
                processed=topic("processed", until=FULL),
                events=table(FULL),
                last_look=FULL,
            ),
            ("raw", "processed"),
        ),
    ],
)
def test_with_everything_read_a_loss_is_found_at_its_hop(case: Case, hop: tuple[str, str]) -> None:
    """Full coverage and positions: lost once the deadline has passed, at the right hop."""
    verdict = judge(case, now=at(61), limits=LIMITS)
    assert (verdict.outcome, verdict.hop, verdict.spanned) == (Outcome.LOST, hop, ())


def test_an_unknown_receipt_that_was_seen_is_owed() -> None:
    """Whoever shows a canary has taken it: from there on it can be lost."""
    case = flown(
        receipt=Receipt.UNKNOWN,
        raw=topic("raw", seen=1, until=FULL, passed=2),
        processed=topic("processed", until=FULL),
        events=table(FULL),
        last_look=FULL,
    )
    assert outcome(case, 100) is Outcome.LOST


def test_a_proof_that_is_a_moment_short_is_none() -> None:
    """Each threshold counts from its own start and is met exactly, not nearly."""
    patience = LIMITS.patience.total_seconds()
    short = flown(raw=topic("raw", until=patience - 0.001), events=table(100), last_look=100)
    enough = flown(raw=topic("raw", until=patience), events=table(100), last_look=100)
    assert outcome(short, 100) is Outcome.OVERDUE
    assert outcome(enough, 100) is Outcome.LOST
    late_look = flown(raw=topic("raw", until=100), events=table(100), last_look=patience - 0.001)
    assert judge(late_look, now=at(100), limits=LIMITS).wants_last_look


def test_the_next_stage_is_read_for_a_grace_after_the_position_passed() -> None:
    """A row may become visible a moment after its offset was committed."""
    raw = topic("raw", seen=1, until=FULL, passed=50)
    short = flown(raw=raw, processed=topic("processed", until=51.999), events=table(100), last_look=100)
    enough = flown(raw=raw, processed=topic("processed", until=52), events=table(100), last_look=100)
    assert outcome(short, 100) is Outcome.OVERDUE
    assert outcome(enough, 100) is Outcome.LOST


def test_a_backlog_is_overdue_for_as_long_as_it_lasts() -> None:
    """Hours later, still queued: never lost, for its consumer's position says so."""
    hours = 5 * 3600.0
    case = flown(
        raw=topic("raw", seen=1, until=hours, queued=hours - 1),
        processed=topic("processed", until=hours),
        events=table(hours),
        last_look=hours,
    )
    verdict = judge(case, now=at(hours), limits=LIMITS)
    assert (verdict.outcome, verdict.final) == (Outcome.OVERDUE, False)
    assert verdict.reason.startswith("queued")


def test_without_positions_only_lost_after_proves_a_loss() -> None:
    """Counted from the send, or from when it was last known to be queued."""
    wait = LIMITS.lost_after.total_seconds()
    unread = flown(
        raw=topic("raw", seen=1, until=FULL),
        processed=topic("processed", until=wait),
        events=table(wait),
        last_look=wait,
    )
    assert outcome(unread, wait) is Outcome.LOST
    queued = flown(
        raw=topic("raw", seen=1, until=FULL, queued=100),
        processed=topic("processed", until=wait + 99),
        events=table(wait + 99),
        last_look=wait + 99,
    )
    assert outcome(queued, wait + 99) is Outcome.OVERDUE


def test_over_a_blind_stage_a_loss_spans_both_hops() -> None:
    """It is counted at the first of them, and names the others."""
    wait = LIMITS.lost_after.total_seconds()
    case = flown(
        raw=topic("raw", seen=1, until=FULL, passed=2),
        processed=topic("processed", until=3),
        events=table(wait),
        last_look=wait,
    )
    verdict = judge(case, now=at(wait + 1), limits=LIMITS)
    assert verdict.outcome is Outcome.LOST
    assert (verdict.hop, verdict.spanned) == (("raw", "processed"), (("processed", "events"),))


def test_a_first_stage_that_is_a_table_proves_by_time_alone() -> None:
    """It has no partitions to have been read through."""
    wait = LIMITS.lost_after.total_seconds()
    for until, expected in ((wait - 1, Outcome.OVERDUE), (wait, Outcome.LOST)):
        only = StageCase("events", False, None, at(until))
        case = Case(at(0), at(0), at(60), receipt=Receipt.ACCEPTED, stages=[only], last_look_at=at(wait))
        assert outcome(case, wait) is expected


def test_a_blind_last_stage_is_unread_and_nothing_worse() -> None:
    """Even where every proof of a loss lies upstream."""
    case = flown(raw=topic("raw", until=FULL), events=table(59), last_look=FULL)
    assert outcome(case, 64.9) is Outcome.PENDING
    assert outcome(case, 65) is Outcome.UNREAD


def test_undelivered_needs_every_stage_read_past_deadline_and_patience() -> None:
    """An ingress may answer with an error and deliver all the same."""
    both = {"raw": topic("raw", until=60), "processed": topic("processed", until=60)}
    done = flown(receipt=Receipt.UNKNOWN, events=table(60), raw=both["raw"], processed=both["processed"])
    assert outcome(done, 60) is Outcome.UNDELIVERED
    half = flown(receipt=Receipt.UNKNOWN, events=table(60), raw=both["raw"])
    assert outcome(half, 60) is Outcome.OVERDUE
    by_time = flown(receipt=Receipt.UNKNOWN, events=table(300), raw=both["raw"])
    assert outcome(by_time, 300) is Outcome.UNDELIVERED
    nobody = flown(receipt=None, events=table(60), raw=both["raw"], processed=both["processed"])
    assert outcome(nobody, 60) is Outcome.UNDELIVERED


def test_a_dead_letter_is_lost_with_the_pipelines_own_reason() -> None:
    """What lies among the dead letters does not arrive any more."""
    case = flown(
        raw=topic("raw", seen=1, until=FULL, passed=2),
        processed=topic("processed", until=FULL),
        events=table(FULL),
        last_look=FULL,
        dead_letter="too large",
    )
    verdict = judge(case, now=at(100), limits=LIMITS)
    assert (verdict.outcome, verdict.reason) == (Outcome.LOST, "dead-lettered: too large")


@pytest.mark.parametrize(
    ("seen", "before", "expected", "unknown"),
    [
        (10.0, 9.0, Outcome.ON_TIME, False),
        (10.5, 9.9, Outcome.ON_TIME, False),
        (11.5, 10.5, Outcome.LATE, False),
        (500.0, None, Outcome.ON_TIME, True),
        (500.0, 5.0, Outcome.ON_TIME, True),
        (500.0, 499.0, Outcome.LATE, False),
        (8.0, None, Outcome.ON_TIME, False),
    ],
)
def test_late_only_where_even_the_earliest_arrival_is(
    seen: float, before: float | None, expected: Outcome, unknown: bool
) -> None:
    """Whoever looked too late to know says so, and calls nobody late."""
    verdict = judge(flown(events=table(None, seen, before)), now=at(600), limits=LIMITS)
    assert (verdict.outcome, Flag.TIME_UNKNOWN in verdict.flags) == (expected, unknown)


def test_an_arrival_across_a_stop_of_our_own_is_on_time_with_its_time_unknown() -> None:
    """The line was anchored again between send and sighting: the stretch between says nothing."""
    case = flown(events=table(None, 3605, 3604.5), waits=3600)
    verdict = judge(case, now=at(4000), limits=LIMITS)
    assert (verdict.outcome, verdict.flags) == (Outcome.ON_TIME, frozenset({Flag.TIME_UNKNOWN}))


def test_a_detour_is_seen_where_a_read_stage_did_not_show_it() -> None:
    """Downstream of a stage that was read past then; a stage that was not read says nothing."""
    events = table(None, 5, 4)
    read = flown(raw=topic("raw", until=6), processed=topic("processed", seen=4, until=6), events=events)
    unread = flown(raw=topic("raw", until=3), processed=topic("processed", seen=4, until=6), events=events)
    assert Flag.DETOURED in judge(read, now=at(100), limits=LIMITS).flags
    assert Flag.DETOURED not in judge(unread, now=at(100), limits=LIMITS).flags


def test_no_waiting_is_counted_before_the_line_was_anchored_again() -> None:
    """After an hour of standstill, patience and lost_after begin anew."""
    case = flown(raw=topic("raw", until=3629), events=table(3700), last_look=3700, waits=3600)
    assert outcome(case, 3700) is Outcome.OVERDUE
    later = flown(raw=topic("raw", until=3630), events=table(3700), last_look=3700, waits=3600)
    assert outcome(later, 3700) is Outcome.LOST


def test_unread_becomes_final_at_the_horizon() -> None:
    """Then nobody will be able to tell any more."""
    day = LIMITS.horizon.total_seconds()
    case = flown(events=table(30))
    assert not judge(case, now=at(day - 1), limits=LIMITS).final
    assert judge(case, now=at(day) + timedelta(0), limits=LIMITS).final
