"""What really happened to a canary, and what is seen of it by reading some of the stages some of the time."""

from dataclasses import dataclass, replace
from itertools import takewhile

from hypothesis import strategies as st

from reconcile.compare import Case, Glimpse, Hop, StageCase, Verdict, judge
from reconcile.outcome import INGRESS, Receipt
from tests.reconcile.cases import LIMITS, NAMES, T0, at

DEADLINE = 60.0
FOREVER = 1_000_000.0


@dataclass(frozen=True, slots=True)
class World:
    """A line of two topics and a table, in seconds after the send.

    `delay` is the ingress's, within its patience; `waits` how long each consumer takes to come to a record,
    `shifts` how much later than that its work is seen (below 0: before it commits). Taken out of the line
    on its way into stage `dropped`, 3 for nowhere.
    """

    receipt: Receipt
    delay: float
    waits: tuple[float, float]
    shifts: tuple[float, float]
    dropped: int

    def arrival(self, stage: int) -> float:
        """When it comes there, if it does."""
        return self.delay + sum(self.waits[:stage]) + sum(self.shifts[:stage])

    @property
    def hop(self) -> Hop:
        """Where it was taken out."""
        return ([INGRESS, *NAMES][self.dropped], NAMES[self.dropped])

    @property
    def arrives(self) -> bool:
        return self.dropped == len(NAMES)


@dataclass(frozen=True, slots=True)
class Eyes:
    """Until when each stage is read, and the positions behind each topic (below 0: never), these so much
    later than the stages."""

    stages: tuple[float, ...] = (FOREVER,) * 3
    positions: tuple[float, ...] = (FOREVER,) * 2
    lag: float = 0.0


def seen(world: World, eyes: Eyes, now: float) -> Verdict:
    """The verdict at that time, after its last look where it wants one."""
    case = Case(
        sent_at=T0,
        waits_from=T0,
        deadline=at(DEADLINE),
        receipt=world.receipt,
        stages=[_stage(world, eyes, number, now) for number in range(len(NAMES))],
    )
    verdict = judge(case, now=at(now), limits=LIMITS)
    if verdict.wants_last_look:
        verdict = judge(replace(case, last_look_at=at(now)), now=at(now), limits=LIMITS)
    return verdict


def _stage(world: World, eyes: Eyes, number: int, now: float) -> StageCase:
    read = min(eyes.stages[number], now)
    came = world.arrival(number)
    shown = number < world.dropped and came <= read
    stage = StageCase(
        NAMES[number],
        number < len(world.waits),
        Glimpse(at(came), at(came - 0.1)) if shown else None,
        at(read) if read >= 0 else None,
    )
    return (
        _consumed(stage, world, number, min(eyes.positions[number], now - eyes.lag)) if stage.topic else stage
    )


def _consumed(stage: StageCase, world: World, number: int, known: float) -> StageCase:
    if known < 0:
        return stage
    wait = world.waits[number]
    passed = world.arrival(number) + wait
    finished = takewhile(lambda pair: pair[1] <= known, ((x, x + wait) for x in range(0, 1000, 50)))
    return replace(
        stage,
        passed_at=at(passed) if stage.seen and passed <= known else None,
        queued_at=at(known) if stage.seen and passed > known else None,
        drained=[(at(x), at(y)) for x, y in finished],
        positions_at=at(known),
    )


short, hours = st.integers(3, 60), st.integers(3, 36_000)
shifts = st.sampled_from([-3.0, -0.5, 0.0, 1.5])


def worlds(*waits: st.SearchStrategy[int]) -> st.SearchStrategy[World]:
    """Consumers that take so long."""
    return st.builds(
        World,
        receipt=st.sampled_from([Receipt.ACCEPTED, Receipt.UNKNOWN]),
        delay=st.integers(0, 29),
        waits=st.tuples(*waits),
        shifts=st.tuples(shifts, shifts),
        dropped=st.integers(0, 3),
    )


ends = st.sampled_from([-1.0, FOREVER]) | st.integers(0, 1200)
lags = st.sampled_from([0.0, 1.0, 5.0])
blinded = st.builds(Eyes, st.tuples(ends, ends, ends), st.tuples(ends, ends), lags)
nows = st.integers(0, 2000) | st.integers(0, 90_000)
