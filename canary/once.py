"""N canaries and one verdict: the same steps as the daemon, until every outcome is known."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from canary.book import Entry
from canary.values import Judged
from canary.watch import Watch
from reconcile.compare import Case, Verdict, judge
from reconcile.outcome import ARRIVED, Outcome

TICK = 0.05
QUIET = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a check has come, for whoever shows it."""

    now: datetime
    sent: int
    total: int
    verdicts: Mapping[UUID, Verdict]
    entries: Mapping[UUID, Entry]
    blind: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finished:
    """What a check ended with. `interrupted`: somebody stopped it; `timed_out`: the time ran out."""

    started_at: datetime
    finished_at: datetime
    verdicts: Mapping[UUID, Verdict]
    entries: Mapping[UUID, Entry]
    blind: Mapping[str, str]
    positions_unreadable: Mapping[str, str]
    interrupted: bool
    timed_out: bool


class Once:
    """Drives a watch for one check."""

    def __init__(
        self, watch: Watch, *, total: int, timeout: timedelta, show: Callable[[Progress], None]
    ) -> None:
        self._watch = watch
        self._total = total
        self._timeout = timeout
        self._show = show
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._ended: set[str] = set()

    def interrupt(self) -> None:
        """Stop at the next tick and say what is known so far."""
        self._stop.set()

    def run(self) -> Finished:
        """Send, follow, judge; raises whatever a step raised (a bug)."""
        watch, line = self._watch, self._watch.desk.line
        started = line.now()
        done = threading.Event()
        threads = [
            threading.Thread(target=self._follow, args=(name, done), name=f"follow-{name}", daemon=True)
            for name in watch.stages
        ]
        for thread in threads:
            thread.start()
        known_since: datetime | None = None
        while True:
            now = line.now()
            self._inject()
            verdicts = self._verdicts(now)
            self._show(self._progress(now, verdicts))
            known_since = (known_since or now) if self._known(verdicts) else None
            quiet = known_since is not None and now - known_since >= QUIET and self._copies_checked(verdicts)
            timed_out = now - started >= self._timeout
            if quiet or timed_out or self._stop.is_set() or self._failure:
                break
            self._stop.wait(TICK)
        done.set()
        if self._failure is not None:
            raise self._failure
        return self._finish(started, quiet=quiet)

    def _follow(self, name: str, done: threading.Event) -> None:
        try:
            while not done.is_set():
                done.wait(self._watch.follow(name).total_seconds())
        except BaseException as error:  # told by the main thread, where it can be seen
            self._failure = error

    def _inject(self) -> None:
        for name in self._watch.probes:
            self._watch.inject(name)

    def _verdicts(self, now: datetime) -> dict[UUID, Verdict]:
        desk, settler = self._watch.desk, self._watch.settler
        with desk.lock:
            desk.book.mark_out_of_order(desk.book.entries.values())
            verdicts = {}
            for id_, entry in desk.book.entries.items():
                verdict = judge(desk.book.case(entry), now=now, limits=desk.plan.limits)
                verdicts[id_] = verdict
                if verdict.wants_last_look:
                    settler.last_looks.add(id_)
            if self._known(verdicts):
                arrived = {id_ for id_, verdict in verdicts.items() if verdict.outcome in ARRIVED}
                settler.copies.update(id_ for id_ in arrived if not desk.book.entries[id_].copies_checked)
            return verdicts

    def _known(self, verdicts: Mapping[UUID, Verdict]) -> bool:
        return len(verdicts) == self._total and all(verdict.final for verdict in verdicts.values())

    def _copies_checked(self, verdicts: Mapping[UUID, Verdict]) -> bool:
        entries = self._watch.desk.book.entries
        return all(
            entries[id_].copies_checked for id_, verdict in verdicts.items() if verdict.outcome in ARRIVED
        )

    def _progress(self, now: datetime, verdicts: Mapping[UUID, Verdict]) -> Progress:
        book = self._watch.desk.book
        blind = {name: r.blind for name, r in book.readings.items() if r.blind and r.begun}
        return Progress(now, len(verdicts), self._total, verdicts, book.entries, blind)

    def _finish(self, started: datetime, *, quiet: bool) -> Finished:
        desk = self._watch.desk
        now = desk.line.now()
        timed_out = not quiet and not self._stop.is_set()
        limits = desk.plan.limits
        if timed_out:  # nothing more is waited for: what could not be read until now is unread
            limits = replace(limits, reading=timedelta(0))
        with desk.lock:
            verdicts = {}
            for id_, entry in desk.book.entries.items():
                case = desk.book.case(entry)
                case = _as_if_due(case, now, desk.plan.limits.reading) if timed_out else case
                verdicts[id_] = judge(case, now=now, limits=limits)
            readings = desk.book.readings
            for id_, verdict in verdicts.items():
                desk.book.entries[id_].judged = judged = _judged(id_, verdict, now)
                desk.unsaved.settled(judged=[judged], reports=(), minutes=(), counted={})
            return Finished(
                started_at=started,
                finished_at=now,
                verdicts=verdicts,
                entries=dict(desk.book.entries),
                blind={name: r.blind for name, r in readings.items() if r.blind},
                positions_unreadable={
                    name: r.positions_unreadable for name, r in readings.items() if r.positions_unreadable
                },
                interrupted=self._stop.is_set(),
                timed_out=timed_out,
            )


def _as_if_due(case: Case, now: datetime, reading: timedelta) -> Case:
    """When the time is up, what is pending is judged as if its deadline had passed."""
    return replace(case, deadline=min(case.deadline, max(now - reading, case.sent_at)))


def _judged(id_: UUID, verdict: Verdict, now: datetime) -> Judged:
    return Judged(
        id=id_,
        outcome=verdict.outcome,
        final=verdict.final and verdict.outcome is not Outcome.PENDING,
        judged_at=now,
        hop=verdict.hop,
        spanned=verdict.spanned,
        flags=verdict.flags,
        reason=verdict.reason,
    )
