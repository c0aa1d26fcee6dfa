"""The running audit: window after window without a gap between them, and again while more can be known.

What an audit could not be made for is part of the next one, which begins where the last one ended. A step
is one round for every table; it is called by the calendar, in a thread of its own.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from alerts.condition import Amendment
from canary.audit.amending import (
    Found,
    Losses,
    amendments,
    by_id,
    changed,
    closed_again,
    kept,
    start_again,
    with_told_at,
)
from canary.audit.report import Report
from canary.audit.standing import OnReport, Standing
from canary.audit.steps import Auditor
from canary.audit.work import Every, Start
from canary.ledger import Ledger, LedgerError
from canary.traffic import AuditWindow, CannotAskError
from canary.values import Now
from reconcile.traffic import UNSETTLED, Fate
from reconcile.window import window_of

AGAIN_AT_ONCE = 5
"""Open windows that one step audits again, first what waited longest: some stay open for long."""

CATCH_UP = 12
"""So many windows behind, the next one is as long as what was missed."""

_log = logging.getLogger(__name__)


class Calendar:
    """All tables' running audits. `step` is called by one thread at a time, the rest by any."""

    def __init__(
        self,
        auditors: Sequence[Auditor],
        *,
        ledger: Ledger,
        every: Every,
        now: Now,
        on_report: OnReport,
        tell: Callable[[Sequence[Amendment]], object],
    ) -> None:
        self._auditors = {auditor.stage: auditor for auditor in auditors}
        self._ledger = ledger
        self._every = every
        self._now = now
        self._on_report = on_report
        self._tell = tell
        self._losses = Losses(window=every.window, again_for=every.again_for)
        self._fresh_for = 2 * every.window + every.delay
        self._started = now()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._last: dict[str, AuditWindow] = {}
        self._open: dict[tuple[str, datetime], AuditWindow] = {}
        self._made_again: dict[str, datetime] = {}
        self._standing: dict[str, Standing] = {stage: Standing(stage) for stage in self._auditors}
        self._unsaved: dict[tuple[str, datetime], AuditWindow] = {}

    def restore(self) -> None:
        """Take up what an earlier run left."""
        now = self._now()
        for stage in self._auditors:
            last = self._ledger.last_audit(stage)
            if last is not None:
                self._last[stage] = last
            for window in self._ledger.audits(now - self._every.again_for, now, stage=stage):
                self._keep_in_mind(window)
                if by_id(window):
                    self._made_again[stage] = window.audited_at

    def standing(self) -> list[Standing]:
        """What is known now, for the rules; reports older than two windows say nothing of now."""
        now = self._now()
        with self._lock:
            found = list(self._standing.values())
        return [
            replace(one, reports=[report for report in one.reports if self._fresh(report, now)])
            for one in found
        ]

    def _fresh(self, report: Report, now: datetime) -> bool:
        return now - report.audited_at <= self._fresh_for

    def step(self) -> None:
        """Audit what is due: the next window of each table, and again what is open."""
        with ThreadPoolExecutor(self._every.at_once, thread_name_prefix="audit") as pool:
            for done in [pool.submit(self._round, auditor) for auditor in self._auditors.values()]:
                done.result()

    def stop(self) -> None:
        """End a step that is going on; what it has not come to is unaudited and open."""
        self._stop.set()
        for auditor in self._auditors.values():
            auditor.interrupt()

    def close(self) -> None:
        """Let go of the edges."""
        for auditor in self._auditors.values():
            auditor.close()

    def _round(self, auditor: Auditor) -> None:
        stage = auditor.stage
        try:
            self._next(auditor)
            for window in self._to_do_again(stage):
                if not self._stop.is_set():
                    self._again(auditor, window)
            self._look_again(auditor)
            self._on_report.open(stage, self._waiting(stage))
        except CannotAskError as error:
            if not self._stop.is_set():
                _log.warning("%s cannot be audited: %s", stage, error.reason)
                self._stands(stage, trouble=error.reason)
                self._on_report.failed(stage)
        else:
            self._stands(stage, trouble="")

    def _next(self, auditor: Auditor) -> None:
        last = self._last.get(auditor.stage)
        due = window_of(self._now() - self._every.delay, self._every.window)
        since = last.end if last is not None else self._started
        while since < due and not self._stop.is_set():
            behind = (due - since) / self._every.window
            until = due if behind > CATCH_UP else window_of(since, self._every.window) + self._every.window
            last = self._audit(auditor, since, min(until, due), self._behind(auditor.stage, last))
            since = last.end

    def _behind(self, stage: str, last: AuditWindow | None) -> Start:
        """Where the last window ended, with the topic's id as it was: so one that was made again is seen."""
        if last is None:
            return Start(None)
        made_again = self._made_again.get(stage)
        recent = made_again is not None and self._now() - made_again < 2 * self._every.slack
        ends = {partition: end for partition, (_, end) in last.offsets.items()}
        return Start(ends, topic_id=last.topic_id, by_id=recent)

    def _to_do_again(self, stage: str) -> Sequence[AuditWindow]:
        now, every = self._now(), self._every
        for key, window in list(self._open.items()):
            if now - window.end > every.again_for:
                self._open.pop(key, None)
        of_stage = [window for window in list(self._open.values()) if window.stage == stage]
        waiting = [window for window in of_stage if now - window.audited_at >= every.window]
        return sorted(waiting, key=lambda w: (w.audited_at, w.start))[:AGAIN_AT_ONCE]

    def _again(self, auditor: Auditor, window: AuditWindow) -> None:
        try:
            self._audit(auditor, window.start, window.end, start_again(window), before=window)
        except CannotAskError as error:
            if not error.gone:
                raise
            self._close(window, error.reason)

    def _look_again(self, auditor: Auditor) -> None:
        """At the losses of one closed window."""
        before = self._losses.due(auditor.stage, self._now())
        if before is None or self._stop.is_set():
            return
        try:
            found = auditor.look_again(before)
        except CannotAskError as error:
            if not error.gone:
                raise
            self._losses.drop(before)
            return
        now = self._now()
        self._losses.spent(before.stage, found.cost.messages_fetched / auditor.most_messages, now)
        after = closed_again(before, found, now)
        self._amended(before, found)
        self._keep(after)
        with self._lock:
            one = self._standing[before.stage]
            reports = [changed(r, found) if r.since == before.start else r for r in one.reports]
            self._standing[before.stage] = replace(one, reports=reports)
        self._on_report.looked_again(before, after, found.cost)

    def _amended(self, before: AuditWindow, found: Found) -> None:
        """Tell it, before the ledger knows: killed in between we find it again, and the pager knows it."""
        if found.changed:
            _log.info("%s: of what the window of %s lost, something turned up", before.stage, before.start)
            self._tell(list(amendments(before, found, self._fresh_for)))

    def _keep(self, window: AuditWindow) -> None:
        self._keep_in_mind(window)
        self._unsaved[window.stage, window.start] = window
        self._save()

    def _keep_in_mind(self, window: AuditWindow) -> None:
        """As long as more can be known of it."""
        if window.open:
            self._open[window.stage, window.start] = window
        else:
            self._open.pop((window.stage, window.start), None)
        self._losses.note(window)

    def _close(self, window: AuditWindow, reason: str) -> None:
        """Ask no more for what is no more: its open fates stay open for ever, and it says why."""
        _log.warning("%s: the window of %s stays open: %s", window.stage, window.start, reason)
        report = {**window.report, "notes": [*window.report.get("notes", []), reason]}
        verdict = "fault" if window.counts.get(Fate.LOST, 0) else "unknown"
        closed = replace(window, open=False, audited_at=self._now(), report=report, verdict=verdict)
        if self._last.get(window.stage) == window:
            self._last[window.stage] = closed
        self._keep(closed)
        self._losses.drop(closed)

    def _waiting(self, stage: str) -> Counter[str]:
        """Events of the open windows by their open fates."""
        found = Counter[str]({fate.value: 0 for fate in UNSETTLED})
        for window in list(self._open.values()):
            if window.stage == stage:
                found.update({fate: window.counts.get(fate, 0) for fate in list(found)})
        return found

    def _audit(
        self,
        auditor: Auditor,
        since: datetime,
        until: datetime,
        start: Start,
        *,
        before: AuditWindow | None = None,
    ) -> AuditWindow:
        report = auditor.audit(since, until, start=start)
        if report.made_again:
            self._made_again[auditor.stage] = report.audited_at
        if before is not None:
            report, found = kept(report, before)
            self._amended(before, found)
        window = self._window(report, before)
        if before is None:
            self._last[window.stage] = window
        self._keep(window)
        self._stands(window.stage, report=report)
        self._on_report(report, before, window.verdict)
        return window

    def _window(self, report: Report, before: AuditWindow | None) -> AuditWindow:
        counts = {fate.value: report.counts.get(fate, 0) for fate in Fate}
        differs = before is not None and dict(before.counts) != counts
        return AuditWindow(
            stage=report.stage,
            start=report.since,
            end=report.until,
            audited_at=report.audited_at,
            open=report.open,
            verdict=report.verdict(self._every.grace).value,
            topic_id=report.topic_id,
            offsets={one.partition: (one.start, one.end) for one in report.window},
            counts=counts,
            report=with_told_at(report.as_json(), before, report.audited_at),
            amendments=(before.amendments if before else 0) + differs,
        )

    def _save(self) -> None:
        """Write what is not yet in the ledger; kept in mind where that fails."""
        owed = dict(self._unsaved)
        try:
            with self._ledger.step() as step:
                step.record_audits(owed.values())
        except LedgerError as error:
            _log.warning("an audited window could not be written down: %s", error)
            return
        for key, window in owed.items():
            if self._unsaved.get(key) is window:  # another table's round may have added to it meanwhile
                self._unsaved.pop(key, None)

    def _stands(self, stage: str, *, report: Report | None = None, trouble: str | None = None) -> None:
        now = self._now()
        with self._lock:
            one = self._standing[stage]
            if report is not None:
                kept = [r for r in one.reports if r.since != report.since and self._fresh(r, now)]
                one = replace(one, reports=(*kept, report))
            if trouble is not None:
                one = replace(one, trouble=trouble, since=(one.since or now) if trouble else None)
            self._standing[stage] = one
