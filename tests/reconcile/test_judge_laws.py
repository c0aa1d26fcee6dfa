"""Laws that every verdict keeps, whatever the evidence."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.compare import Case, StageCase, judge
from reconcile.outcome import ARRIVED, FINAL, INGRESS, Flag, Outcome, Receipt, combined, may_become
from reconcile.window import tally, unbalanced
from tests.reconcile.cases import EXAMPLES, LIMITS, cases, nows, times

OFTEN = settings(max_examples=EXAMPLES, deadline=None)


@OFTEN
@given(cases(), nows)
def test_exactly_one_outcome(case: Case, now: datetime) -> None:
    """One outcome, final if it is of the final kind; `unread` is the only other that may be."""
    verdict = judge(case, now=now, limits=LIMITS)
    assert verdict.outcome in Outcome
    assert verdict.final == (verdict.outcome in FINAL) or verdict.outcome is Outcome.UNREAD
    assert (verdict.hop is not None) == (verdict.outcome is Outcome.LOST)


@OFTEN
@given(cases(), nows)
def test_what_is_at_the_last_stage_has_arrived(case: Case, now: datetime) -> None:
    """Whatever else is said of it: refused, dead-lettered, past every proof of its loss."""
    verdict = judge(case, now=now, limits=LIMITS)
    assert (verdict.outcome in ARRIVED) == (case.stages[-1].seen is not None)


@OFTEN
@given(cases(), nows)
def test_refused_and_unpromised_are_never_lost(case: Case, now: datetime) -> None:
    """Refused is owed nothing; an unknown receipt of which nothing was seen promised nothing."""
    verdict = judge(case, now=now, limits=LIMITS)
    if case.receipt is Receipt.REFUSED:
        assert verdict.outcome in ARRIVED | {Outcome.REJECTED}
    if case.receipt is not Receipt.ACCEPTED and not any(stage.seen for stage in case.stages):
        assert verdict.outcome is not Outcome.LOST


@OFTEN
@given(cases(), nows)
def test_nothing_is_lost_without_proof(case: Case, now: datetime) -> None:
    """Not before the deadline, not without a last look, not while the last stage is unread, not queued."""
    verdict = judge(case, now=now, limits=LIMITS)
    if verdict.outcome is not Outcome.LOST:
        return
    last = case.stages[-1]
    assert now >= case.deadline
    assert verdict.proof_at is not None
    assert case.last_look_at is not None
    assert case.last_look_at >= verdict.proof_at
    assert last.covered_until is not None
    assert last.covered_until >= case.deadline
    here = _last_seen(case)
    if here is not None and here.queued_at is not None:
        assert now - here.queued_at >= LIMITS.stale


@OFTEN
@given(cases(), nows)
def test_time_alone_proves_a_loss_only_where_no_position_can(case: Case, now: datetime) -> None:
    """Where a consumer's position was read, `lost_after` counts from when it was last known queued; and
    nothing proves it before it came there."""
    verdict = judge(case, now=now, limits=LIMITS)
    here = _last_seen(case)
    if verdict.outcome is Outcome.LOST and here is not None and here.passed_at is None:
        assert verdict.proof_at is not None
        assert here.seen is not None
        since = max(case.waits_from, here.queued_at or case.waits_from)
        assert verdict.proof_at == max(since + LIMITS.lost_after, here.seen.seen_at)


@OFTEN
@given(cases(), nows)
def test_the_hop_of_a_loss_begins_at_the_last_place_that_showed_it(case: Case, now: datetime) -> None:
    """And what is spanned follows on from there without a gap."""
    verdict = judge(case, now=now, limits=LIMITS)
    if verdict.hop is None:
        return
    here = _last_seen(case)
    hops = [verdict.hop, *verdict.spanned]
    names = [INGRESS, *(stage.name for stage in case.stages)]
    assert hops[0][0] == (here.name if here else INGRESS)
    at = names.index(hops[0][0])
    assert hops == list(zip(names[at:], names[at + 1 :], strict=False))[: len(hops)]
    reached = case.stages[names.index(hops[-1][1]) - 1]
    assert reached.covered_until is not None


@OFTEN
@given(cases(), nows, times, st.integers(0, 2))
def test_more_coverage_never_takes_a_final_outcome_back(
    case: Case, now: datetime, until: datetime, which: int
) -> None:
    """What was proven by reading so far stays proven when more was read and nothing was seen."""
    before = judge(case, now=now, limits=LIMITS)
    stages = list(case.stages)
    stage = stages[which % len(stages)]
    more = max(stage.covered_until or until, until)
    stages[which % len(stages)] = replace(stage, covered_until=more)
    after = judge(replace(case, stages=stages), now=now, limits=LIMITS)
    if before.final and before.outcome is not Outcome.UNREAD:
        assert after.final or after.wants_last_look
        assert after.outcome is before.outcome or after.wants_last_look


@OFTEN
@given(cases(), nows)
def test_waiting_ends_by_itself(case: Case, now: datetime) -> None:
    """Past the deadline and its reading nothing is pending, and after the horizon nothing unread is open."""
    verdict = judge(case, now=now, limits=LIMITS)
    if now >= case.deadline + LIMITS.reading:
        assert verdict.outcome is not Outcome.PENDING
    if now >= case.waits_from + LIMITS.horizon and verdict.outcome is Outcome.UNREAD:
        assert verdict.final


@OFTEN
@given(cases(), nows)
def test_flags_say_what_the_evidence_says(case: Case, now: datetime) -> None:
    """A flag follows from its own fact, and from nothing else."""
    flags = judge(case, now=now, limits=LIMITS).flags
    assert (Flag.DUPLICATED in flags) == case.copied
    assert (Flag.CORRUPT in flags) == case.corrupt
    assert (Flag.OUT_OF_ORDER in flags) == case.out_of_order
    if any(stage.seen and stage.seen.alternate for stage in case.stages):
        assert Flag.DETOURED in flags
    if Flag.TIME_UNKNOWN in flags:
        assert case.stages[-1].seen is not None


@OFTEN
@given(st.lists(cases(), max_size=8), nows)
def test_the_sum_law(many: list[Case], now: datetime) -> None:
    """Sent is the sum of all outcomes, losses by hop add up to the lost, and no copy pays for a loss."""
    verdicts = [judge(case, now=now, limits=LIMITS) for case in many]
    outcomes, flags, hops = tally(verdicts)
    assert unbalanced(len(many), outcomes) == 0
    assert set(outcomes) == set(Outcome)
    assert set(flags) == set(Flag)
    assert sum(hops.values()) == outcomes[Outcome.LOST]
    copied = [judge(replace(case, copied=True), now=now, limits=LIMITS) for case in many]
    assert tally(copied)[0] == outcomes


@given(st.sampled_from(Outcome), st.sampled_from(Outcome))
def test_nothing_un_arrives_and_nothing_settled_goes_back_to_waiting(old: Outcome, new: Outcome) -> None:
    """What may change after settling: open ones into anything but pending; gone ones into arrived."""
    allowed = may_become(old, new)
    if old in ARRIVED or new is old or new is Outcome.PENDING:
        assert not allowed
    elif old in (Outcome.LOST, Outcome.UNDELIVERED, Outcome.REJECTED):
        assert allowed == (new in ARRIVED)
    else:
        assert allowed


@given(st.lists(st.sampled_from(Receipt), min_size=1))
def test_the_receipt_of_several_tries(receipts: list[Receipt]) -> None:
    """Accepted if any was, else unknown if any was, else refused."""
    order = [Receipt.ACCEPTED, Receipt.UNKNOWN, Receipt.REFUSED]
    assert combined(receipts) is min(receipts, key=order.index)


def test_the_horizon_is_longer_than_any_wait() -> None:
    """Else `unread` would be final before a loss can be proven by time."""
    assert LIMITS.horizon > LIMITS.lost_after + timedelta(hours=1)


def _last_seen(case: Case) -> StageCase | None:
    return next((stage for stage in reversed(case.stages) if stage.seen is not None), None)
