"""Gives every canary its outcome: whole windows when they are due, single ones when they change."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from alerts.condition import Amendment
from canary.amend import amended, says, stage_of, standing, told_otherwise
from canary.book import Entry, WindowKey
from canary.desk import Desk
from canary.follow import hop_latencies
from canary.metrics import END_TO_END
from canary.values import Judged, Minute, Track, WindowReport
from reconcile.compare import Verdict, judge
from reconcile.latency import summary
from reconcile.outcome import INGRESS, Outcome, Receipt
from reconcile.window import tally, unbalanced

GONE = frozenset({Outcome.LOST, Outcome.UNDELIVERED, Outcome.REJECTED})
KEPT = timedelta(minutes=2)
"""Readings are kept for at least so long: the rate of a backlog is told from them."""
BITE = 1_000
"""How many open canaries are judged again in one settling."""

COPIES_AHEAD = timedelta(seconds=2)
"""Copies are looked for so long before a window can close, lest a loss in it waits for that question."""
MAX_LATE = 1_000
"""How many that are late and nothing else are kept to be told of: their report says how many they were."""

MAX_GONE = 10_000
"""How many canaries called gone are kept in mind, in case they turn up."""
MAX_RECENT = 10_000
"""How many recent verdicts that are not clean are kept in mind to be told of, the youngest."""


@dataclass(slots=True)
class Settled:
    """What one settling decided, to be written down and told."""

    judged: list[Judged] = field(default_factory=list)
    reports: dict[WindowKey, WindowReport] = field(default_factory=dict)
    minutes: list[Minute] = field(default_factory=list)
    counted: dict[UUID, str] = field(default_factory=dict)
    windows: list[WindowReport] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)


class Settler:
    """Judges the book's canaries. Not locked: the watch is."""

    def __init__(self, desk: Desk) -> None:
        self._book = desk.book
        self._limits = desk.plan.limits
        self._window = desk.plan.times.window
        self._windows = desk.plan.times.windows
        self._metrics = desk.metrics
        self._minutes = desk.minutes
        self._missed = desk.missed
        self._names = (INGRESS, *(spec.name for spec in desk.book.stages))
        self._whole = (self._names[0], self._names[-1])
        self.reports: dict[WindowKey, WindowReport] = {}
        self.latest: dict[str, WindowReport] = {}
        self.recent: deque[tuple[datetime, Entry]] = deque(maxlen=MAX_RECENT)
        self.late: deque[tuple[datetime, Entry]] = deque(maxlen=MAX_LATE)
        self.last_looks: set[UUID] = set()
        self.copies: set[UUID] = set()
        self._turn = 0

    def recall(self, tracks: Iterable[Track], reports: Iterable[WindowReport], now: datetime) -> None:
        """Take up what an earlier run found: the canaries it called gone, and what it may not have told."""
        for report in reports:
            self._newest(report)
        for track in sorted(tracks, key=lambda track: track.owed.sent_at):
            judged = track.judged
            if judged is None or not judged.final:
                continue
            entry = self._book.entries.get(track.owed.id) or self._book.recall(track)
            if judged.outcome in GONE:
                self._book.hold(entry)
                self._book.give_up(entry)
            if now - judged.judged_at <= self._remembered:
                self.recent.append((judged.judged_at, entry))

    @property
    def _remembered(self) -> timedelta:
        return 2 * self._window + timedelta(minutes=1)

    def told(self) -> list[Entry]:
        """The canaries of which something is to be told, each once."""
        return list({entry.owed.id: entry for _, entry in (*self.recent, *self.late)}.values())

    def _newest(self, report: WindowReport) -> None:
        """Windows may settle out of their order; what is told is the youngest."""
        known = self.latest.get(report.probe)
        if known is None or known.start <= report.start:
            self.latest[report.probe] = report

    def settle(self, now: datetime) -> Settled:
        """Settle what is due, judge again what may have changed; say what is new."""
        result = Settled()
        if self._windows:
            for _, entries in self._book.due(now + COPIES_AHEAD):
                self._unchecked(entries.values())
        for key, entries in self._book.due(now):
            self._settle_window(key, entries, now, result)
        for key, entry in self._again():
            self._rejudge(key, entry, now, result)
        self._drop_gone(now)
        self._settle_missed(now, result)
        result.minutes, result.counted = self._minutes.take(self._book.changing(), now)
        self._book.dirty.clear()
        self._gauges(now)
        return result

    def _again(self) -> list[tuple[WindowKey, Entry]]:
        """Settled canaries to judge again: all of which something was seen, and a bite of the open ones.

        A long backlog is many thousands; to weigh them all twice a second would take a whole core.
        """
        settled = [(key, entry) for key, group in self._book.settled.items() for entry in group.values()]
        dirty = self._book.dirty
        news = [item for item in settled if item[1].owed.id in dirty]
        open_ = [item for item in settled if item[1].owed.id not in dirty and _open(item[1])]
        if len(open_) <= BITE:
            return news + open_
        start = self._turn % len(open_)
        self._turn = start + BITE
        return news + [*open_, *open_][start : start + BITE]

    def _settle_window(
        self, key: WindowKey, entries: Mapping[UUID, Entry], now: datetime, result: Settled
    ) -> None:
        late = now >= self._book.deadlines[key] + self._limits.reading
        if self._waits(entries.values(), now) and not late:
            return
        unchecked = len(self._unchecked(entries.values()))
        self._book.mark_out_of_order(entries.values())
        verdicts = {id_: self._judge(entry, now) for id_, entry in entries.items()}
        report = self._report(key, entries, verdicts, now)
        self.reports[key] = report
        self._newest(report)
        result.reports[key] = report
        result.windows.append(report)
        self._book.close_window(key)
        for id_, verdict in verdicts.items():
            self._conclude(key, entries[id_], verdict, now, result)
        self._metrics.counter("copies_unchecked_total", key[0]).inc(unchecked)
        self._metrics.gauge("unbalanced", key[0]).set(unbalanced(report.sent, report.outcomes))
        self._metrics.gauge("last_settled_window_timestamp_seconds", key[0]).set(key[1].timestamp())

    def _settle_missed(self, now: datetime, result: Settled) -> None:
        """A window that should have had canaries and has none settles all the same."""
        for key in [key for key in self._missed if now >= key[1] + 2 * self._window]:
            if key not in self._book.windows:
                report = self._report(key, {}, {}, now)
                result.reports[key] = report
                self._newest(report)
                result.windows.append(report)

    def _waits(self, entries: Iterable[Entry], now: datetime) -> bool:
        """Whether one more reading is owed before the window can close: for copies, or for who is missing."""
        unchecked = bool(self._unchecked(entries))
        missing = [self._judge(entry, now) for entry in entries if self._book.last not in entry.seen]
        waiting = any(one.outcome is Outcome.PENDING or one.wants_last_look for one in missing)
        return waiting or unchecked

    def _unchecked(self, entries: Iterable[Entry]) -> list[UUID]:
        """Have copies looked for where that was not done, and say where."""
        last = self._book.last
        ids = [entry.owed.id for entry in entries if last in entry.seen and not entry.copies_checked]
        self.copies.update(ids)
        return ids

    def _judge(self, entry: Entry, now: datetime) -> Verdict:
        verdict = judge(self._book.case(entry), now=now, limits=self._limits)
        entry.await_look(verdict, now)
        if verdict.wants_last_look:
            self.last_looks.add(entry.owed.id)
            if entry.last_look_problem:
                return replace(verdict, reason=f"{verdict.reason} ({entry.last_look_problem})")
        return verdict

    def _rejudge(self, key: WindowKey, entry: Entry, now: datetime, result: Settled) -> None:
        verdict = self._judge(entry, now)
        old = entry.judged
        if old is None:
            return
        verdict = standing(old, verdict)
        if says(old) == says(verdict):
            if old.reason != verdict.reason:
                entry.judged = replace(old, reason=verdict.reason)
            self._let_go(entry)
            return
        report = self.reports.get(key)
        if report is not None:
            result.reports[key] = self.reports[key] = amended(report, old, verdict)
            if self.latest.get(key[0], report).start == key[1]:
                self.latest[key[0]] = self.reports[key]
        result.amendments += told_otherwise(entry, old, verdict, self._book.last, self._remembered)
        self._conclude(key, entry, verdict, now, result)

    def _conclude(
        self, key: WindowKey, entry: Entry, verdict: Verdict, now: datetime, result: Settled
    ) -> None:
        """Make a verdict the canary's outcome; count it, keep or release the canary."""
        old, probe = entry.judged, key[0]
        changed = old.outcome if old is not None and old.outcome is not verdict.outcome else None
        entry.judged = Judged(
            id=entry.owed.id,
            outcome=verdict.outcome,
            final=verdict.final,
            judged_at=now,
            hop=verdict.hop,
            spanned=verdict.spanned,
            flags=verdict.flags,
            reason=verdict.reason,
            amended_from=changed or (old.amended_from if old else None),
        )
        result.judged.append(entry.judged)
        if verdict.final and (old is None or not old.final):
            hop = "->".join(verdict.hop) if verdict.hop else END_TO_END
            self._metrics.counter("outcomes_total", probe, verdict.outcome, hop).inc()
        if changed is not None:
            self._metrics.counter("amended_total", probe, changed, verdict.outcome).inc()
        for flag in verdict.flags - (old.flags if old else frozenset()):
            self._metrics.counter("flags_total", probe, flag, stage_of(flag, entry, self._names)).inc()
        plain = not verdict.flags and not changed and entry.receipt is not Receipt.REFUSED
        if plain and verdict.outcome is Outcome.LATE:
            self.late.append((now, entry))
        elif not plain or (verdict.final and verdict.outcome is not Outcome.ON_TIME):
            self.recent.append((now, entry))
        if verdict.outcome in GONE:
            self._book.give_up(entry)
        self._let_go(entry)

    def _let_go(self, entry: Entry) -> None:
        judged = entry.judged
        if judged is not None and judged.final and judged.outcome not in GONE:
            self._book.release(entry)

    def _report(
        self, key: WindowKey, entries: Mapping[UUID, Entry], verdicts: Mapping[UUID, Verdict], now: datetime
    ) -> WindowReport:
        outcomes, flags, hops = tally(verdicts.values())
        whole = hop_latencies(entries.values(), self._whole).get(self._whole, [])
        return WindowReport(
            probe=key[0],
            start=key[1],
            end=key[1] + self._window,
            settled_at=now,
            due=len(entries) + self._missed.pop(key, 0),
            sent=len(entries),
            outcomes=outcomes,
            flags=flags,
            hops=hops,
            latency=summary(whole) or {},
        )

    def _drop_gone(self, now: datetime) -> None:
        """After the horizon, or when there are too many, what is gone is not looked for any more."""
        gone = self._book.gone
        for entry in list(gone.values()):
            if len(gone) > MAX_GONE or now - entry.waits_from > self._limits.horizon:
                self._book.release(entry)
        for told in (self.recent, self.late):
            while told and now - told[0][0] > self._remembered:
                told.popleft()
        oldest = self._book.oldest() or now
        for reading in self._book.readings.values():
            reading.forget(min(oldest, now - KEPT))
        self.reports = {k: r for k, r in self.reports.items() if k in self._book.settled or r.end >= oldest}

    def _gauges(self, now: datetime) -> None:
        counts: Counter[tuple[str, Outcome]] = Counter()
        for (probe, _), entries in self._book.windows.items():
            counts[probe, Outcome.PENDING] += len(entries)
        for (probe, _), entries in self._book.settled.items():
            counts.update((probe, entry.judged.outcome) for entry in entries.values() if entry.judged)
        for probe in {*self.latest, *(probe for probe, _ in counts)}:
            self._metrics.counter("down_minutes_total", probe).inc(self._minutes.newly_down(probe, now))
            for name in (Outcome.PENDING, Outcome.OVERDUE, Outcome.UNREAD):
                self._metrics.gauge(name, probe).set(counts[probe, name])
        oldest = dict.fromkeys(self._names[2:], now)
        for entry in self._book.missing.values():
            for here, beyond in pairwise(self._names[1:]):
                if here in entry.seen and beyond not in entry.seen:
                    oldest[beyond] = min(oldest[beyond], entry.owed.sent_at)
        for stage, sent_at in oldest.items():
            self._metrics.gauge("consumer_lag_seconds", stage).set((now - sent_at).total_seconds())


def _open(entry: Entry) -> bool:
    """Whether its verdict may change without a sighting: not final, or a loss that spans several hops."""
    judged = entry.judged
    return judged is not None and (not judged.final or bool(judged.spanned))
