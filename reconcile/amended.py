"""What another look at lost offsets changes, and what it may not change. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from reconcile.offsets import Range, joined, within
from reconcile.traffic import EXPLAINED, Fate, Run, merged

FOUND = frozenset({Fate.STORED, Fate.DEDUPLICATED, Fate.DEAD_LETTERED})
"""What a loss may turn out to be. Whatever else a later look says of one, it sees less than the look that
proved it: blindness, retention, compaction and a consumer that was set back amend nothing."""


def amended(lost: Sequence[Range], looked: Iterable[Run], *, unsaid: Fate) -> list[Run]:
    """The lost offsets after another look, in order: what turned up with its fate, all the rest lost.

    `unsaid` is the fate of those that no run speaks of.
    """
    runs = sorted((run for run in looked if run.range.size), key=lambda run: run.range)
    found = []
    for part, run in _pieces(joined(lost), runs):
        fate = unsaid if run is None else run.fate
        reason = run.reason if run is not None and fate in (*FOUND, Fate.LOST) else ""
        found.append(Run(part, fate if fate in FOUND else Fate.LOST, reason))
    return merged(found)


def overlaid(runs: Iterable[Run], over: Sequence[Run]) -> list[Run]:
    """The runs of a window with those `over` in their place, in order; without what is stored."""
    told = sorted(over, key=lambda run: run.range)
    left = [
        Run(part, run.fate, run.reason)
        for run in runs
        for part, other in _pieces([run.range], told)
        if other is None
    ]
    return merged(
        run for run in sorted((*left, *told), key=lambda run: run.range) if run.fate is not Fate.STORED
    )


def still_explained(told: Iterable[Run], gone: Sequence[Range]) -> list[Run]:
    """What an earlier audit, which could still read them, explained of offsets that Kafka holds no longer."""
    return [
        Run(part, run.fate, run.reason)
        for run in told
        if run.fate in EXPLAINED
        for part in within([run.range], gone)
    ]


def turned_up(runs: Iterable[Run]) -> list[Run]:
    """Those of amended runs that are not lost any more."""
    return [run for run in runs if run.fate in FOUND]


def _pieces(parts: Sequence[Range], runs: Sequence[Run]) -> Iterator[tuple[Range, Run | None]]:
    """The parts, cut where runs begin and end, each with the run that holds it; both sorted and disjoint."""
    first = 0
    for part in parts:
        at = part.start
        while first < len(runs) and _ends_before(runs[first].range, part):
            first += 1
        number = first
        while number < len(runs) and _begins_within(runs[number].range, part):
            cut = runs[number].range.clip(at, part.end)
            yield from _some(Range(part.partition, at, cut.start), None)
            yield from _some(cut, runs[number])
            at, number = cut.end, number + 1
        yield from _some(Range(part.partition, at, part.end), None)


def _ends_before(one: Range, part: Range) -> bool:
    return (one.partition, one.end) <= (part.partition, part.start)


def _begins_within(one: Range, part: Range) -> bool:
    return one.partition == part.partition and one.start < part.end


def _some(part: Range, run: Run | None) -> Iterator[tuple[Range, Run | None]]:
    if part.size:
        yield part, run
