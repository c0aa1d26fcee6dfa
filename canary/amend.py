"""What a changed mind does: to a canary's outcome, and to the report of its window."""

from collections.abc import Iterable
from dataclasses import replace

from canary.book import Entry
from canary.values import Judged, WindowReport
from reconcile.compare import Verdict
from reconcile.outcome import Flag, may_become


def stage_of(flag: Flag, entry: Entry, names: Iterable[str]) -> str:
    """The stage that showed a flag: the first with a copy, a difference; else the first or last one."""
    stages = [name for name in names if name in entry.seen]
    if flag is Flag.DUPLICATED:
        stages = [name for name in stages if entry.seen[name].copies] or stages
        return stages[0]
    if flag is Flag.CORRUPT:
        stages = [name for name in stages if entry.seen[name].differences] or stages
        return stages[0]
    return stages[0] if flag is Flag.OUT_OF_ORDER else stages[-1]


def standing(old: Judged, new: Verdict) -> Verdict:
    """The new verdict, less what may not change any more. What was flagged stays flagged."""
    kept = new if new.flags >= old.flags else replace(new, flags=new.flags | old.flags)
    if old.outcome is new.outcome or may_become(old.outcome, new.outcome):
        return kept
    return replace(
        kept, outcome=old.outcome, final=old.final, hop=old.hop, spanned=old.spanned, reason=old.reason
    )


def says(verdict: Judged | Verdict) -> tuple[object, ...]:
    return verdict.outcome, verdict.final, verdict.hop, verdict.spanned, verdict.flags


def amended(report: WindowReport, old: Judged, new: Verdict) -> WindowReport:
    """The report with one canary's outcome changed; its sum stays what it was."""
    outcomes, hops = dict(report.outcomes), dict(report.hops)
    outcomes[old.outcome] -= 1
    outcomes[new.outcome] += 1
    for hop, step in ((old.hop, -1), (new.hop, 1)):
        if hop is not None:
            hops[hop] = hops.get(hop, 0) + step
    flags = dict(report.flags)
    for flag in new.flags - old.flags:
        flags[flag] = flags.get(flag, 0) + 1
    changed = old.outcome is not new.outcome
    return replace(
        report,
        outcomes=outcomes,
        flags=flags,
        hops={hop: count for hop, count in hops.items() if count},
        amendments=report.amendments + changed,
    )
