"""Evidence of every kind, drawn at random, for the laws that all verdicts keep."""

import os
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from reconcile.compare import Case, Glimpse, Limits, StageCase
from reconcile.outcome import Receipt

EXAMPLES = int(os.environ.get("CANARY_EXAMPLES", "150"))
"""How many cases each law gets; the mutation check takes fewer, for each of hundreds of mutants."""

T0 = datetime(2026, 3, 1, tzinfo=UTC)
LIMITS = Limits(
    objective=timedelta(seconds=10), patience=timedelta(seconds=30), lost_after=timedelta(seconds=300)
)
NAMES = ("raw", "processed", "events")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


times = st.integers(0, 600).map(at)
maybe_times = st.none() | times
glimpses = st.builds(
    lambda seen, before, alternate: Glimpse(
        at(seen), None if before is None else at(seen - before), alternate
    ),
    st.integers(0, 600),
    st.none() | st.integers(0, 60),
    st.booleans(),
)


@st.composite
def stage_cases(draw: st.DrawFn, name: str, *, topic: bool) -> StageCase:
    seen = draw(st.none() | glimpses)
    covered = draw(maybe_times)
    if seen is None or not topic:
        return StageCase(name, topic, seen, covered)
    passed = draw(maybe_times)
    return StageCase(
        name,
        topic,
        seen,
        covered,
        passed_at=passed,
        expired=draw(st.booleans()) if passed else False,
        queued_at=None if passed else draw(maybe_times),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    waits = draw(st.sampled_from((0, 0, 0, 50)))
    kinds = draw(
        st.sampled_from(((True, True, False), (True, False), (False,), (True,), (True, False, False)))
    )
    return Case(
        sent_at=T0,
        waits_from=at(waits),
        deadline=at(waits + draw(st.integers(15, 120))),
        receipt=draw(st.none() | st.sampled_from(Receipt)),
        stages=[draw(stage_cases(f"{n}", topic=topic)) for n, topic in zip(NAMES, kinds, strict=False)],
        last_look_at=draw(maybe_times),
        dead_letter=draw(st.sampled_from((None, None, "too large"))),
        copied=draw(st.booleans()),
        corrupt=draw(st.booleans()),
        out_of_order=draw(st.booleans()),
    )


nows = st.integers(0, 1200).map(at) | st.just(at(100_000))


def flown(
    *,
    receipt: Receipt | None = Receipt.ACCEPTED,
    raw: StageCase | None = None,
    processed: StageCase | None = None,
    events: StageCase | None = None,
    last_look: float | None = None,
    dead_letter: str | None = None,
    waits: float = 0,
    deadline: float = 60,
) -> Case:
    """A canary of the usual three stages, nothing seen, nothing read, unless told."""
    return Case(
        sent_at=T0,
        waits_from=at(waits),
        deadline=at(waits + deadline),
        receipt=receipt,
        stages=[
            raw or StageCase("raw", True),
            processed or StageCase("processed", True),
            events or StageCase("events", False),
        ],
        last_look_at=None if last_look is None else at(last_look),
        dead_letter=dead_letter,
    )


def topic(
    name: str,
    *,
    seen: float | None = None,
    until: float | None = None,
    passed: float | None = None,
    queued: float | None = None,
    expired: bool = False,
) -> StageCase:
    """What a topic says, in seconds after the send."""
    return StageCase(
        name,
        True,
        Glimpse(at(seen), at(seen - 0.1)) if seen is not None else None,
        at(until) if until is not None else None,
        passed_at=at(passed) if passed is not None else None,
        expired=expired,
        queued_at=at(queued) if queued is not None else None,
    )


def table(until: float | None, seen: float | None = None, before: float | None = None) -> StageCase:
    """What the table says: asked and not there at `until`, or there."""
    glimpse = None
    if seen is not None:
        glimpse = Glimpse(at(seen), at(before) if before is not None else None)
    return StageCase("events", False, glimpse, at(until) if until is not None else None)
