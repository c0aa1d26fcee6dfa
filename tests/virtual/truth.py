"""What was really done, in the words of the monitor: which canaries were harmed, which pages are owed.

Computed from the pipeline's own notes alone; it shares no rule with `reconcile` or `canary.rules`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.virtual.naming import Named
from tests.virtual.oracle import far_late, right
from tests.virtual.pipeline import HOP_BEFORE, STAGES, Fate, hop_into
from tests.virtual.terms import Terms
from tests.virtual.world import World

DOWN = 240.0
"""Seconds of nothing visible after which "ingestion is down" is no false alarm."""

SELF = frozenset({"ledger", "killed", "asleep", "clock", "changed", "slow"})
"""Kinds of faults in which the monitor itself cannot send, and rightly says so (a slow look holds up the
sending here, where one thread takes all the steps in turn)."""


@dataclass(frozen=True, slots=True)
class Harm:
    """What must be said of one canary: any of these outcomes, at one of these hops (as the stages were told;
    none where no hop is to be named), with all of these flags."""

    outcomes: frozenset[str]
    hops: frozenset[tuple[str, str]]
    flags: frozenset[str]
    struck_at: float
    proven_at: float


def harm(fate: Fate, terms: Terms) -> Harm | None:
    """None where nothing happened to it that anybody has to know."""
    outcomes = right(fate, terms)
    flags = {
        name
        for name, holds in (
            ("duplicated", bool(fate.copied_at) or fate.replayed),
            ("corrupt", fate.corrupted),
            ("detoured", fate.detoured),
        )
        if holds
    }
    if far_late(fate, terms):
        outcomes = {"late"}
    elif "on_time" in outcomes and not flags:
        return None
    lost = outcomes == {"lost"}
    return Harm(
        frozenset(outcomes),
        frozenset(fate.gone_hops) if lost else frozenset(),
        frozenset(flags),
        struck_at=fate.sent_at if fate.gone_at is None else fate.gone_at,
        proven_at=_proven(fate, terms.patience),
    )


def _proven(fate: Fate, patience: float) -> float:
    """When everything lay open that proves it: the consumer passed it, the patience ran out, it came."""
    if fate.arrived_at is not None:
        return fate.arrived_at
    if fate.gone_at is None or fate.gone_into == STAGES[0]:
        return fate.sent_at + patience
    return fate.gone_at


def unexplained(world: World, *faults: Named) -> list[str]:
    """Keys of pages that were opened and that nothing which really happened accounts for."""
    fates = [fate for one in (world, *world.others) for fate in one.pipeline.fates.values()]
    owed = {key for fault in faults for key in _of_a_fault(fault)}
    owed |= set(_explained(fates, world.terms, world.pipeline.watched))
    return [
        notice.key
        for notice in world.opened()
        if notice.key not in owed and not notice.key.startswith(tuple(key for key in owed if key[-1] == ":"))
    ]


def _of_a_fault(fault: Named) -> Iterator[str]:
    yield from fault.pages
    if fault.kind == "blind":
        yield f"blind:{fault.stage}"
    if fault.kind in SELF:
        yield from ("not_sending:", "ledger", "alerts/store")
    if fault.kind == "killed":  # written down, and never posted
        yield "undelivered:"


def _explained(fates: Sequence[Fate], terms: Terms, watched: Sequence[Sequence[str]]) -> Iterator[str]:
    for fate in fates:
        yield from _of_its_way(fate)
        yield from _of_its_end(fate, terms.objective)
        if fate.gone_at is None:
            yield from _behind(fate, terms.patience, watched)


def _of_its_end(fate: Fate, objective: float) -> Iterator[str]:
    for hop in fate.gone_hops:
        yield f"lost:{'->'.join(hop)}"
        yield f"behind:{'->'.join(hop)}"
    if fate.broke_promise:
        yield f"lost:{'->'.join(HOP_BEFORE[STAGES[0]])}"
    took = float("inf") if fate.arrived_at is None else fate.arrived_at - fate.sent_at
    if objective < took < float("inf"):
        yield "late:"
    if took > DOWN:
        yield "down:"
    if fate.receipt == "refused":
        yield "stored_after_refusal" if fate.appended else "rejected:"
    if fate.receipt == "unknown":
        yield "undelivered:"


def _of_its_way(fate: Fate) -> Iterator[str]:
    copied = STAGES if fate.replayed else fate.copied_at
    yield from (f"duplicated:{stage}" for stage in copied)
    for kind, holds in (
        ("out_of_order", fate.overtaken),
        ("detoured", fate.detoured or "dead-lettered" in fate.done),
        ("corrupt", fate.corrupted or fate.copy_corrupted),
    ):
        if holds:
            yield from (f"{kind}:{stage}" for stage in STAGES)


def _behind(fate: Fate, patience: float, watched: Sequence[Sequence[str]]) -> Iterator[str]:
    times = [fate.sent_at, *(fate.appended.get(stage, float("inf")) for stage in STAGES)]
    for stage, (before, after) in zip(STAGES, pairwise(times), strict=True):
        if before < float("inf") and after - before > patience:
            yield from (f"behind:{'->'.join(hop_into(stage, names))}" for names in watched)
