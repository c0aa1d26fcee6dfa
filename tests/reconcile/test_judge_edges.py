"""Where a verdict turns: the very instants, and what is told while it is open."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconcile.compare import Case, Glimpse, StageCase, judge
from reconcile.outcome import Flag, Outcome, Receipt
from tests.reconcile.cases import LIMITS, at, flown, table, topic

FULL = 1000.0


def outcome(case: Case, now: float) -> Outcome:
    return judge(case, now=at(now), limits=LIMITS).outcome


def test_the_limits_are_those_of_the_design() -> None:
    """What nobody configures."""
    assert LIMITS.passed_grace == timedelta(seconds=2)
    assert LIMITS.horizon == timedelta(hours=24)
    assert (LIMITS.reading, LIMITS.resolution) == (timedelta(seconds=5), timedelta(seconds=5))
    assert LIMITS.stale == timedelta(seconds=30)


def test_a_position_that_was_read_lately_holds_a_loss_back() -> None:
    """Half a minute long; after that it says nothing of now."""
    hours = 3600.0
    for ago, expected in ((29.9, "queued: its consumer has not come to it yet"), (30.0, "unreadable")):
        case = flown(raw=topic("raw", seen=1, until=hours, queued=hours - ago), events=table(hours))
        verdict = judge(case, now=at(hours), limits=LIMITS)
        assert verdict.outcome is Outcome.OVERDUE
        assert expected in verdict.reason


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (flown(receipt=Receipt.REFUSED), "refused by the ingress"),
        (flown(raw=topic("raw", until=3), events=table(100)), "raw does not show it"),
        (
            flown(raw=topic("raw", seen=1, until=100), events=table(100)),
            "positions of the consumer behind raw",
        ),
        (flown(raw=topic("raw", seen=1, passed=50), events=table(100)), "processed was not read since"),
        (flown(receipt=Receipt.UNKNOWN, events=table(100)), "the ingress did not say"),
        (flown(events=table(30)), "events could not be read"),
    ],
)
def test_an_open_verdict_says_what_it_waits_for(case: Case, reason: str) -> None:
    """Nobody has to guess, and nothing of it is called lost."""
    verdict = judge(case, now=at(100), limits=LIMITS)
    assert reason in verdict.reason
    assert verdict.outcome is not Outcome.LOST
    assert not verdict.wants_last_look
    assert verdict.proof_at is None


def test_a_record_may_have_moved_to_an_alternate_until_that_was_read() -> None:
    """Only a stage that has alternates is read for them."""
    for alternates, until, expected in (
        (True, 51.9, Outcome.OVERDUE),
        (True, None, Outcome.OVERDUE),
        (True, 52.0, Outcome.LOST),
        (False, None, Outcome.LOST),
    ):
        raw = replace(topic("raw", seen=1, until=until, passed=50), alternates=alternates)
        case = flown(raw=raw, processed=topic("processed", until=100), events=table(100), last_look=100)
        assert outcome(case, 100) is expected
    assert not StageCase("raw", True).alternates


def test_retention_is_named_where_it_came_first() -> None:
    """The reason of a loss says who took it."""
    for expired, words in ((True, "retention removed it"), (False, "its consumer has passed it")):
        raw = topic("raw", seen=1, until=FULL, passed=2, expired=expired)
        case = flown(raw=raw, processed=topic("processed", until=FULL), events=table(FULL), last_look=FULL)
        assert judge(case, now=at(100), limits=LIMITS).reason.startswith(words)
    assert not StageCase("raw", True).expired


@pytest.mark.parametrize(
    ("seen", "before", "unknown"),
    [(12.0, 7.0, False), (12.5, 7.0, True), (10.0, 1.0, False), (10.1, 1.0, True)],
)
def test_an_arrival_is_measured_where_two_looks_lie_near_each_other(
    seen: float, before: float, unknown: bool
) -> None:
    """At most `resolution` apart, or all of it within the objective."""
    verdict = judge(flown(events=table(None, seen, before)), now=at(600), limits=LIMITS)
    assert verdict.outcome is Outcome.ON_TIME
    assert (Flag.TIME_UNKNOWN in verdict.flags) == unknown


def test_what_was_looked_for_in_vain_and_came_is_late() -> None:
    """Whatever the clocks did since."""
    case = replace(flown(events=table(None, 5, 4)), missed=True)
    assert outcome(case, 600) is Outcome.LATE


def test_a_queue_seen_drained_after_the_wait_lets_time_prove() -> None:
    """Nothing sent so long ago can wait in it any more; while it has not been seen drained, it may."""
    wait = LIMITS.lost_after.total_seconds()

    def waiting(*drained: tuple[float, float], positions: float, read: float = FULL) -> Case:
        raw = StageCase("raw", True, drained=[(at(a), at(b)) for a, b in drained], positions_at=at(positions))
        return flown(receipt=Receipt.ACCEPTED, raw=raw, events=table(read), last_look=max(read, FULL))

    assert outcome(waiting((wait - 1, wait + 5), positions=FULL), FULL) is Outcome.OVERDUE
    assert outcome(waiting((wait, wait + 5), positions=FULL, read=wait + 6.9), FULL) is Outcome.OVERDUE
    assert outcome(waiting((wait, wait + 5), positions=FULL, read=wait + 7), FULL) is Outcome.LOST
    stale = FULL - LIMITS.stale.total_seconds()
    assert outcome(waiting(positions=stale + 0.1), FULL) is Outcome.OVERDUE
    assert outcome(waiting(positions=stale, read=stale + wait - 0.1), FULL) is Outcome.OVERDUE
    assert outcome(waiting(positions=stale, read=stale + wait), FULL) is Outcome.LOST


ALL_READ: dict[str, Any] = {"raw": topic("raw", until=FULL), "processed": topic("processed", until=FULL)}


@pytest.mark.parametrize(
    ("case", "now", "outcome_", "final"),
    [
        (flown(receipt=Receipt.REFUSED), 1, Outcome.REJECTED, True),
        (flown(**ALL_READ, events=table(FULL), last_look=FULL), 59.9, Outcome.PENDING, False),
        (flown(**ALL_READ, events=table(FULL), last_look=FULL), 60, Outcome.LOST, True),
        (flown(**ALL_READ, events=table(60)), 60, Outcome.OVERDUE, False),
        (flown(**ALL_READ, events=table(59.9)), 64, Outcome.PENDING, False),
        (flown(**ALL_READ, events=table(59.9)), 65, Outcome.UNREAD, False),
        (flown(**ALL_READ, events=table(60), receipt=Receipt.UNKNOWN), 60, Outcome.UNDELIVERED, True),
        (flown(events=table(60), receipt=Receipt.UNKNOWN), 60, Outcome.OVERDUE, False),
        (flown(raw=topic("raw", until=30), events=table(60)), 60, Outcome.OVERDUE, False),
        (flown(events=table(None, 5, 4)), 60, Outcome.ON_TIME, True),
        (flown(events=table(None, 50, 49)), 60, Outcome.LATE, True),
    ],
)
def test_each_outcome_and_whether_it_is_final(case: Case, now: float, outcome_: Outcome, final: bool) -> None:
    """The table of the design; an instant decides at its very start."""
    verdict = judge(case, now=at(now), limits=LIMITS)
    assert (verdict.outcome, verdict.final) == (outcome_, final)


@pytest.mark.parametrize("fact", ["copied", "corrupt", "out_of_order"])
@pytest.mark.parametrize("way", range(6))
def test_every_verdict_carries_its_flags(fact: str, way: int) -> None:
    """Whatever its outcome."""
    case, now = (
        (flown(receipt=Receipt.REFUSED), 1.0),
        (flown(), 1.0),
        (flown(), 100.0),
        (flown(**ALL_READ, events=table(60), receipt=Receipt.UNKNOWN), 60.0),
        (flown(**ALL_READ, events=table(FULL), last_look=FULL), 60.0),
        (flown(events=table(None, 50, 49)), 60.0),
    )[way]
    flag = {"copied": Flag.DUPLICATED, "corrupt": Flag.CORRUPT, "out_of_order": Flag.OUT_OF_ORDER}[fact]
    changed: dict[str, Any] = {fact: True}
    assert judge(replace(case, **changed), now=at(now), limits=LIMITS).flags == {flag}
    assert judge(case, now=at(now), limits=LIMITS).flags == frozenset()


def test_the_objective_is_met_in_its_last_instant() -> None:
    """Late is what cannot have come before it ran out."""
    assert outcome(flown(events=table(None, 11, 10)), 600) is Outcome.ON_TIME
    assert outcome(flown(events=table(None, 11, 10.001)), 600) is Outcome.LATE


def test_what_is_seen_in_the_very_instant_of_an_anchoring_came_across_it() -> None:
    """The stretch before it is not known to have passed."""
    verdict = judge(flown(events=table(None, 50, 49.9), waits=50), now=at(600), limits=LIMITS)
    assert (verdict.outcome, verdict.flags) == (Outcome.ON_TIME, frozenset({Flag.TIME_UNKNOWN}))


@pytest.mark.parametrize("deadline", [15, 60])
def test_undelivered_waits_for_both_deadline_and_patience(deadline: float) -> None:
    """Whichever is longer, from where our line was anchored."""
    enough = max(deadline, LIMITS.patience.total_seconds())
    for until, expected in ((enough - 0.1, Outcome.OVERDUE), (enough, Outcome.UNDELIVERED)):
        case = flown(
            receipt=Receipt.UNKNOWN,
            raw=topic("raw", until=until),
            processed=topic("processed", until=until),
            events=table(100),
            deadline=deadline,
        )
        assert outcome(case, 100) is expected


def test_a_loss_by_time_waits_for_the_patience_where_that_is_longer() -> None:
    """Counted from the send; the covered stage may be the last one alone."""
    patient = replace(LIMITS, patience=timedelta(seconds=400))
    for until, expected in ((399.9, Outcome.OVERDUE), (400.0, Outcome.LOST)):
        case = flown(raw=topic("raw", seen=1, until=2), events=table(until), last_look=FULL)
        verdict = judge(case, now=at(500), limits=patient)
        assert verdict.outcome is expected
        unknown = flown(receipt=Receipt.UNKNOWN, raw=topic("raw", until=2), events=table(until))
        undelivered = judge(unknown, now=at(500), limits=patient).outcome is Outcome.UNDELIVERED
        assert undelivered == (expected is Outcome.LOST)


def test_a_detour_is_held_against_the_nearest_sighting_behind() -> None:
    """A stage that was read up to that instant and did not show it was passed by."""
    seen = topic("processed", seen=4, until=FULL)
    for until, expected in ((3.9, False), (4.0, True)):
        case = flown(raw=topic("raw", until=until), processed=seen, events=table(None, 9, 8))
        assert (Flag.DETOURED in judge(case, now=at(100), limits=LIMITS).flags) == expected
    through = replace(topic("raw", until=FULL), seen=Glimpse(at(1), at(0), alternate=True))
    assert Flag.DETOURED in judge(flown(raw=through), now=at(1), limits=LIMITS).flags


def test_an_unknown_is_open_while_any_queue_may_hold_it() -> None:
    """Nobody promised it, and it may wait in the first topic all the same."""
    raw = StageCase("raw", True, covered_until=at(2), positions_at=at(FULL))
    case = flown(receipt=Receipt.UNKNOWN, raw=raw, events=table(FULL))
    assert outcome(case, FULL) is Outcome.OVERDUE
    drained = replace(raw, drained=[(at(300), at(301))])
    verdict = judge(replace(case, stages=[drained, *case.stages[1:]]), now=at(FULL), limits=LIMITS)
    assert (verdict.outcome, verdict.final) == (Outcome.UNDELIVERED, True)
    waiting = StageCase("processed", True, positions_at=at(FULL))
    assert outcome(replace(case, stages=[drained, waiting, case.stages[2]]), FULL) is Outcome.OVERDUE


def test_time_proves_nothing_where_the_last_stage_was_not_read_so_long() -> None:
    """A stage in the middle that was read long enough is not enough: it may have come by another way."""
    wait = LIMITS.lost_after.total_seconds()
    case = flown(
        raw=topic("raw", seen=1, until=FULL),
        processed=topic("processed", until=wait),
        events=table(wait - 0.1),
        last_look=FULL,
    )
    assert outcome(case, FULL) is Outcome.OVERDUE
    assert outcome(replace(case, stages=[*case.stages[:2], table(wait)]), FULL) is Outcome.LOST


def test_what_nobody_ever_showed_is_lost_from_the_ingress_on() -> None:
    """With every stage but the last one blind, the loss spans all hops."""
    verdict = judge(flown(events=table(FULL), last_look=FULL), now=at(FULL), limits=LIMITS)
    assert (verdict.outcome, verdict.hop) == (Outcome.LOST, ("ingress", "raw"))
    assert verdict.spanned == (("raw", "processed"), ("processed", "events"))


def test_a_queue_further_on_holds_a_loss_back_as_well() -> None:
    """Where the positions behind its own stage are unreadable, those of the next ones still count."""
    waiting = StageCase("processed", True, positions_at=at(FULL))
    for seen in (None, 1.0):
        case = flown(
            raw=topic("raw", seen=seen, until=2), processed=waiting, events=table(FULL), last_look=FULL
        )
        verdict = judge(case, now=at(FULL), limits=LIMITS)
        assert verdict.outcome is Outcome.OVERDUE
        assert verdict.reason == "queued: a consumer on its way has not caught up since"
        done = replace(waiting, drained=[(at(300), at(301))])
        case = replace(case, stages=[case.stages[0], done, case.stages[2]])
        assert outcome(case, FULL) is Outcome.LOST


def test_a_queue_that_was_drained_before_it_came_there_proves_nothing_of_it() -> None:
    """After a backlog longer than `lost_after` the next consumer, idle till then, has still to come to it."""
    raw = topic("raw", seen=1, until=FULL, passed=400)
    idle = replace(topic("processed", seen=401, until=FULL), drained=[(at(399), at(400))])
    for positions, drained, until, expected in (
        (401.5, (), 402.5, Outcome.OVERDUE),
        (402.5, ((401, 402),), 403.9, Outcome.OVERDUE),
        (402.5, ((401, 402),), 404.0, Outcome.LOST),
    ):
        queue = replace(
            idle, positions_at=at(positions), drained=[*idle.drained, *((at(a), at(b)) for a, b in drained)]
        )
        case = flown(raw=raw, processed=queue, events=table(until), last_look=until)
        assert outcome(case, until) is expected


def test_time_proves_no_loss_before_the_grace_of_a_position_that_passed() -> None:
    """Its row may become visible until then, however long ago it was sent."""
    processed = topic("processed", seen=401, until=FULL, passed=402)
    for until, expected in ((403.9, Outcome.OVERDUE), (404.0, Outcome.LOST)):
        for known in (processed, replace(processed, drained=[(at(399), at(400))], positions_at=at(402))):
            case = flown(
                raw=topic("raw", seen=1, until=FULL, passed=400),
                processed=known,
                events=table(until),
                last_look=until,
            )
            assert outcome(case, until) is expected
