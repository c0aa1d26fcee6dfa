"""What a changed mind does: to a canary's outcome, and to the report of its window."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from alerts.condition import Amendment
from canary.book import Entry
from canary.values import Judged, WindowReport
from reconcile.compare import Verdict
from reconcile.outcome import Flag, Outcome, may_become

TOLD = {Outcome.UNDELIVERED: "undelivered", Outcome.REJECTED: "rejected"}
"""Families of conditions by probe that count these outcomes."""


def stage_of(flag: Flag, entry: Entry, names: Iterable[str]) -> str:
    """The stage that showed a flag: the first with a copy, a difference; else the first or last one.

    Where none of `names` has seen it, the configuration was changed since: it is told by its old name.
    """
    named = tuple(names)
    seen = [
        *(name for name in named if name in entry.seen),
        *(name for name in entry.seen if name not in named),
    ]
    if flag is Flag.DUPLICATED:
        return next((name for name in seen if entry.seen[name].copies), seen[0])
    if flag is Flag.CORRUPT:
        return next((name for name in seen if entry.seen[name].differences), seen[0])
    here = [name for name in seen if name in named] or seen
    return here[0] if flag is Flag.OUT_OF_ORDER else here[-1]


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


def told_otherwise(
    entry: Entry, old: Judged, new: Verdict, last: str, within: timedelta
) -> tuple[Amendment, ...]:
    """What to tell those who were told of the old outcome; nothing where nobody was told, or it stands.

    `last` is the last stage; `within` is how long after its verdict a canary may first have been told of.
    """
    key = told_as(entry, old)
    if key is None or (old.outcome is new.outcome and (new.hop is None or old.hop == new.hop)):
        return ()
    words = "arrived after all"
    if new.outcome is Outcome.LOST and new.hop is not None:
        words = f"lost between {new.hop[0]} and {new.hop[1]} instead"
    seen = entry.seen.get(last)
    took = None if seen is None else seen.seen_at - entry.owed.sent_at
    return (Amendment(key, str(old.id), old.judged_at, old.judged_at + within, words, took),)


def told_as(entry: Entry, judged: Judged) -> str | None:
    """The key of the condition that counts this outcome as gone; None where none does."""
    if judged.outcome is Outcome.LOST and judged.hop is not None:
        return f"lost:{judged.hop[0]}->{judged.hop[1]}"
    family = TOLD.get(judged.outcome)
    return None if family is None else f"{family}:{entry.owed.probe}"
