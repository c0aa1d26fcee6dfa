"""Verdicts held against what really happened: right with open eyes, and never wrong with closed ones."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.outcome import ARRIVED, Flag, Outcome, Receipt, may_become
from tests.reconcile.cases import EXAMPLES, LIMITS
from tests.reconcile.worlds import DEADLINE, Eyes, World, blinded, hours, lags, nows, seen, short, worlds

OFTEN = settings(max_examples=EXAMPLES, deadline=None)
END = 90_000.0
"""Seconds after which everything has come where it goes and every wait is over."""

slow = worlds(hours, hours)
quick = worlds(short, short)


def _truth(world: World) -> Outcome:
    if world.arrives:
        late = world.arrival(2) - 0.1 > LIMITS.objective.total_seconds()
        return Outcome.LATE if late else Outcome.ON_TIME
    promised = world.receipt is Receipt.ACCEPTED or world.dropped > 0
    return Outcome.LOST if promised else Outcome.UNDELIVERED


@OFTEN
@given(quick | slow)
def test_with_open_eyes_the_last_word_is_the_truth(world: World) -> None:
    """Lost exactly where it was taken out, at that hop; else when it really came; and no flag is made up."""
    verdict = seen(world, Eyes(), END)
    assert (verdict.outcome, verdict.final) == (_truth(world), True)
    assert (verdict.hop, verdict.spanned) == (world.hop if verdict.outcome is Outcome.LOST else None, ())
    assert not verdict.flags


@OFTEN
@given(quick | slow, lags, st.integers(0, 3), st.integers(-30, 50) | nows)
def test_with_open_eyes_no_final_word_is_ever_taken_back(
    world: World, lag: float, stage: int, after: int
) -> None:
    """Also while it waits in a queue for hours: what is final is the truth already."""
    near = world.arrival(stage) + after / 10 if stage < 3 else float(after)
    now = max(near, 0.0)
    verdict = seen(world, Eyes(lag=lag), now)
    assert verdict.outcome is not Outcome.UNREAD
    if verdict.final:
        assert verdict.outcome is _truth(world)
        assert verdict.outcome in ARRIVED or now >= DEADLINE


@OFTEN
@given(slow)
def test_with_open_eyes_a_loss_is_known_as_soon_as_it_is_proven(world: World) -> None:
    """And no window of silence lies between: the deadline, and what its own hop asks for."""
    if _truth(world) is not Outcome.LOST:
        return
    passed = world.arrival(world.dropped - 1) + world.waits[world.dropped - 1] if world.dropped else 0.0
    proof = passed + (LIMITS.passed_grace if world.dropped else LIMITS.patience).total_seconds()
    known = max(DEADLINE, proof)
    assert seen(world, Eyes(), known).outcome is Outcome.LOST
    assert seen(world, Eyes(), known - 0.001).outcome in (Outcome.PENDING, Outcome.OVERDUE)


@OFTEN
@given(quick, blinded, nows)
def test_closed_eyes_call_nothing_lost_that_comes(world: World, eyes: Eyes, now: float) -> None:
    """Whatever they miss; and a real loss lies on a hop that is named."""
    verdict = seen(world, eyes, now)
    assert (verdict.outcome in ARRIVED) <= world.arrives
    assert verdict.flags <= {Flag.TIME_UNKNOWN}
    if verdict.outcome in (Outcome.LOST, Outcome.UNDELIVERED):
        assert verdict.outcome is _truth(world) or not eyes.stages[0] >= world.delay
    if verdict.outcome is Outcome.LOST:
        assert world.hop in (verdict.hop, *verdict.spanned)


@OFTEN
@given(slow, st.tuples(*[st.integers(0, 2000)] * 3), nows)
def test_a_backlog_is_never_a_loss_whatever_is_blind(
    world: World, reading: tuple[int, int, int], now: float
) -> None:
    """As long as the positions can be read, and it was seen where it waits."""
    behind = [world.arrival(number) + wait for number, wait in enumerate(world.waits)]
    waits_in = next((number for number, end in enumerate(behind) if now < end), None)
    if waits_in is None or waits_in >= world.dropped or reading[waits_in] < world.arrival(waits_in):
        return
    eyes = Eyes(stages=tuple(float(end) for end in reading))
    assert seen(world, eyes, now).outcome not in (Outcome.LOST, Outcome.UNDELIVERED)


@OFTEN
@given(quick, blinded, st.lists(nows, min_size=2, max_size=8))
def test_what_is_settled_changes_only_as_an_amendment_may(
    world: World, eyes: Eyes, times: list[float]
) -> None:
    """Evidence grows with time; nothing un-arrives, and nothing that was open goes back to waiting."""
    settled = DEADLINE + LIMITS.reading.total_seconds()
    told = [seen(world, eyes, now).outcome for now in sorted(times) if now >= settled]
    assert all(old is new or may_become(old, new) for old, new in pairwise(told))
