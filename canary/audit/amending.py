"""Losses that were told: asked for again, and what it changes where they turn up after all.

Only what was lost is asked for, less and less often. A window that is audited again as a whole keeps its
losses too, unless they turned up.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.condition import Amendment
from canary.audit.report import BY_ID, Cost, Lost, Report, told, verdict_of
from canary.audit.work import Known, Start
from canary.traffic import AuditWindow
from reconcile.amended import amended, overlaid, turned_up
from reconcile.offsets import Range
from reconcile.traffic import Fate, Run, tally

MOST_IDS = 1_000
"""So many events are told apart by their offsets; those beyond are told as a number."""

PER_AGE = 2
"""A loss is asked for again when half as much time has gone by as it was old the last time."""

WORDS = {
    Fate.STORED: "stored after all",
    Fate.DEDUPLICATED: "stored after all under another offset",
    Fate.DEAD_LETTERED: "dead-lettered after all",
}


@dataclass(frozen=True, slots=True)
class Found:
    """Every lost offset of a window after another look, what is known of those still lost (None: not all of
    them could be looked at), and what it cost."""

    runs: Sequence[Run]
    lost: Lost | None = None
    cost: Cost = field(default_factory=Cost)

    @property
    def changed(self) -> bool:
        return bool(turned_up(self.runs))


class Losses:
    """The closed windows with losses, for `again_for`: which are due to be asked again.

    Those of one table fetch no more in the time of a window than one window may (`messages`).
    """

    def __init__(self, *, window: timedelta, again_for: timedelta) -> None:
        self._window = window
        self._again_for = again_for
        self._kept: dict[tuple[str, datetime], AuditWindow] = {}
        self._resting: dict[str, datetime] = {}

    def note(self, window: AuditWindow) -> None:
        """Keep it in mind, or no longer."""
        key = (window.stage, window.start)
        if lost_of(window) and not window.open:
            self._kept[key] = window
        else:
            self._kept.pop(key, None)

    def drop(self, window: AuditWindow) -> None:
        """Nothing more can be known of it."""
        self._kept.pop((window.stage, window.start), None)

    def spent(self, stage: str, share: float, now: datetime) -> None:
        """A look took this share of what one window may fetch."""
        self._resting[stage] = now + share * self._window

    def due(self, stage: str, now: datetime) -> AuditWindow | None:
        """The oldest that is due."""
        for window in list(self._kept.values()):  # the rounds of several tables go on at once
            if now - window.end > self._again_for:
                self.drop(window)
        if now < self._resting.get(stage, now):
            return None
        waiting = [
            one
            for one in list(self._kept.values())
            if one.stage == stage
            and now - one.audited_at >= max(self._window, (one.audited_at - one.end) / PER_AGE)
        ]
        return min(waiting, key=lambda one: one.start, default=None)


def lost_of(window: AuditWindow) -> list[Range]:
    """The offsets that were told as lost."""
    return [Range.of(one) for one in window.report.get("lost", {}).get("replay", ())]


def with_told_at(report: dict[str, Any], before: AuditWindow | None, now: datetime) -> dict[str, Any]:
    """A window's object, with the time from which on its losses count."""
    if report["lost"]["replay"]:
        since = before.report.get("lost", {}).get("told_at") if before is not None else None
        report["lost"]["told_at"] = since or now.isoformat()
    return report


def start_again(window: AuditWindow) -> Start:
    """Where it is audited again, with all that was known of it."""
    offsets, report = window.offsets, window.report
    known = Known(
        first_at=_time(report.get("first_audited_at")) or window.audited_at,
        passed={int(partition): offset for partition, offset in report.get("passed", {}).items()},
        runs=_runs(window),
    )
    firsts = {partition: first for partition, (first, _) in offsets.items()}
    ends = {partition: end for partition, (_, end) in offsets.items()}
    return Start(firsts, ends=ends, topic_id=window.topic_id, by_id=by_id(window), known=known)


def by_id(window: AuditWindow) -> bool:
    """Whether other events' rows hold its offsets."""
    return BY_ID in window.report.get("notes", ())


def kept(report: Report, before: AuditWindow) -> tuple[Report, Found]:
    """The report of a window that is audited again, with the losses that were told and did not turn up.

    Where the table can only be counted by now, what was proven before is all that can be said.
    """
    runs = amended(lost_of(before), report.runs, unsaid=Fate.STORED)
    if not runs:
        return report, Found(())
    if report.method.name == "count":
        counts = {Fate(name): number for name, number in before.counts.items()}
        runs = overlaid([Run(one, Fate.LOST) for one in lost_of(before)], _runs(before))
        stands = replace(report, runs=tuple(runs), counts=counts, lost=_lost(before.report["lost"]))
        return stands, Found(())
    lost = report.lost if report.lost != Lost() else _lost(before.report["lost"])
    return changed(report, Found(runs, lost)), Found(runs)


def changed(report: Report, found: Found) -> Report:
    """The report with what was found."""
    runs = tuple(overlaid(report.runs, found.runs))
    lost = found.lost or report.lost
    gone = any(run.fate is Fate.LOST for run in runs)
    return replace(report, runs=runs, counts=tally(report.window, runs), lost=lost if gone else Lost())


def closed_again(window: AuditWindow, found: Found, now: datetime) -> AuditWindow:
    """The window as it is after another look at its losses."""
    if not found.changed:
        return replace(window, audited_at=now)
    counts = Counter(dict(window.counts))
    for run in turned_up(found.runs):
        counts[Fate.LOST.value] -= run.range.size
        counts[run.fate.value] += run.range.size
    runs = overlaid([run for run in _runs(window) if run.fate is not Fate.LOST], found.runs)
    told_at = {name: at for name, at in window.report["lost"].items() if name == "told_at"}
    lost = (found.lost or _lost(window.report["lost"])) if counts[Fate.LOST.value] else Lost()
    report = {**window.report, "counts": dict(counts), **told(runs, lost)}
    report["lost"] = {**report["lost"], **told_at}
    return replace(
        window,
        audited_at=now,
        verdict=verdict_of(counts, tolerated=0, odd=_odd(report)).value,
        counts=dict(counts),
        report=report,
        amendments=window.amendments + 1,
    )


def amendments(window: AuditWindow, found: Found, fresh_for: timedelta) -> Iterator[Amendment]:
    """What to tell those who were told of the losses; `fresh_for` is how long they counted."""
    told_at = window.report.get("lost", {}).get("told_at")
    counted_at = datetime.fromisoformat(told_at) if told_at else window.audited_at
    left = MOST_IDS
    for run in turned_up(found.runs):
        singly = min(left, run.range.size)
        left -= singly
        first, rest = run.range.start, run.range.start + singly
        parts = [Range(run.range.partition, offset, offset + 1) for offset in range(first, rest)]
        for part in (*parts, Range(run.range.partition, rest, run.range.end)):
            if part.size:
                yield Amendment(
                    key=f"audit_lost:{window.stage}",
                    id=f"{window.stage} {window.topic_id} {part}",
                    counted_at=counted_at,
                    told_by=counted_at + fresh_for,
                    words=WORDS[run.fate],
                    count=part.size,
                )


def _odd(report: Mapping[str, Any]) -> bool:
    twice, strays = report["twice"], report["strays"]
    return any(twice[name] for name in ("mergeable", "permanent", "untold")) or any(strays.values())


def _runs(window: AuditWindow) -> list[Run]:
    """Its runs as far as they were told; all that are lost stand apart (see `lost_of`)."""
    told = window.report["runs"]
    return [Run(Range.of(one["offsets"]), Fate(one["fate"]), one["reason"]) for one in told]


def _lost(told: Mapping[str, Any]) -> Lost:
    since, until, kept_until = (_time(told[name]) for name in ("since", "until", "replayable_until"))
    return Lost(
        since=since,
        until=until,
        ids=tuple(told["first_ids"]),
        events=told["events"],
        keys=told["keys"],
        replayable_until=kept_until,
        retention_from=told["retention_from"],
    )


def _time(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)
