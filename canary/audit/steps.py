"""The steps of an audit: cut a window, count it where the rows are, look into its gaps, say what they are.

Kafka is asked for the window's offsets and for the consumer's position first. What the table shows then is
stored, whenever it was asked; that it lacks something counts only where it was asked `passed_grace` after the
position was read. So a row that was on its way then has had its time, and a sound window waits for nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from canary.audit.again import look_again
from canary.audit.amending import Found
from canary.audit.cut import aged, another, cut, gone, reaching, unseen
from canary.audit.gather import Gathered, Gatherer
from canary.audit.protocols import Table, Topic
from canary.audit.report import BY_ID, Cost, Report
from canary.audit.work import Counted, Limits, Start, Work, known
from canary.traffic import AuditWindow, CannotAskError, Strays, Times, Twice
from canary.values import Now
from reconcile.offsets import Range, appended, joined, lacking, repeated, within
from reconcile.traffic import Fate, Policy, Run, merged, tally

SPLITS = 5
"""A window that costs too much is halved this many times at most."""

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Auditor:
    """Audits one table against the topic that feeds it. One thread uses it."""

    def __init__(
        self,
        stage: str,
        table_name: str,
        *,
        topic: Topic,
        table: Table,
        limits: Limits,
        policy: Policy,
        now: Now,
        wait: Callable[[timedelta], bool],
    ) -> None:
        self.stage = stage
        self._table_name = table_name
        self._topic = topic
        self._table = table
        self._limits = limits
        self._policy = policy
        self._now = now
        self._wait = wait

    @property
    def most_messages(self) -> int:
        """What one window may fetch."""
        return self._limits.messages

    def audit(
        self, since: datetime, until: datetime, *, start: Start | None = None, payloads: bool = False
    ) -> Report:
        """One window. Raises `CannotAskError` where not even its offsets can be told."""
        started = self._now()
        self._table.costs()
        state = self._topic.state()
        made_again = start is not None and another(state, start)
        if made_again and start is not None and start.ends is not None:
            raise gone(state)
        start = Start({}, by_id=True) if made_again else start
        ahead = self._topic.offsets_at(started + self._limits.slack)
        window, notes = cut(self._topic, state, (since, until), start, ahead=ahead)
        if made_again:
            notes.append(f"topic {state.topic} was made again: audited from its beginning")
        settled_at = state.read_at + self._limits.passed_grace
        before, deadline = known(state, start, started), started + self._limits.seconds
        work = Work(state, since, until, window, deadline, settled_at, payloads, known=before)
        work = self._held(work, notes)
        if work.state.positions_unreadable:
            work = replace(work, unread=self._table.unread_from())
        if not work.held:
            work = replace(work, aged=aged(self._topic, work, start, self._limits, ahead=ahead))
        report = Report(
            topic=state.topic,
            table=self._table_name,
            stage=self.stage,
            since=since,
            until=until,
            audited_at=self._now(),
            method=self._table.method(),
            window=tuple(window),
            counts={},
            notes=tuple(notes),
            behind=started - until,
            topic_id=str(state.id),
            made_again=made_again,
            first_at=work.known.first_at,
            unseen=unseen(state, since, window) if start is None else "",
            passed=work.known.passed,
        )
        report = self._judged(report, work, start)
        costs, fetched = self._table.costs(), report.cost.messages_fetched
        return replace(report, cost=Cost.of(costs, fetched=fetched, took=self._now() - started))

    def look_again(self, window: AuditWindow) -> Found:
        """At what a closed window has lost. Raises `CannotAskError`."""
        topic, table, limits, policy = self._topic, self._table, self._limits, self._policy
        return look_again(window, topic=topic, table=table, limits=limits, policy=policy, now=self._now)

    def interrupt(self) -> None:
        """Make an audit that is going on end soon; what it has not come to is unaudited."""
        self._topic.interrupt()

    def close(self) -> None:
        """Let go of the edges."""
        self._topic.close()
        self._table.close()

    def _held(self, work: Work, notes: list[str]) -> Work:
        """The consumer's positions, as far as they prove an insert: what Distributed tables hold back was
        committed, and is in no table yet. Their queues are read `passed_grace` after the positions were."""
        if self._table.waiting() is None:
            return work
        self._settle(work)
        waiting, state = self._table.waiting(), work.state
        if waiting is not None and waiting.unreadable:
            state = replace(state, positions={}, positions_unreadable=waiting.unreadable)
        elif waiting is not None and waiting.files:
            notes.append(f"{waiting.files} files wait in the queues of Distributed tables: nothing is passed")
            work = replace(work, held=True)
        return replace(work, state=state)

    def _judged(self, report: Report, work: Work, start: Start | None) -> Report:
        method = report.method.name
        if method == "none" or not appended(work.window):
            return self._unaudited(report, work, report.method.why if method == "none" else "")
        try:
            if method == "count":
                return self._by_count(report, work)
            by_id = (start is not None and start.by_id) or self._made_again(work, method)
            return self._by_offset(report, work, by_id=by_id, on_demand=start is None)
        except CannotAskError as error:
            return self._unaudited(report, work, error.reason)

    def _unaudited(self, report: Report, work: Work, why: str) -> Report:
        runs = tuple(Run(one, Fate.UNAUDITED, why) for one in work.window if one.size)
        return replace(report, runs=runs, counts=tally(work.window, runs))

    def _made_again(self, work: Work, method: str) -> bool:
        """Whether rows of an earlier topic of this name may hold offsets of the window: it begins at 0,
        and the table has such offsets from before."""
        first = [one for one in work.window if one.start == 0 and one.size]
        if method != "offset" or not first:
            return False
        before = Times(EPOCH, work.since - self._limits.slack)
        try:
            return any(block.rows for block in self._table.blocks(first, before))
        except CannotAskError as error:
            if not error.over_budget:
                raise
            work.notes.append(f"rows of an earlier topic could not be looked for: {error.reason}")
            return False

    def _by_offset(self, report: Report, work: Work, *, by_id: bool, on_demand: bool) -> Report:
        times = work.times(self._limits.slack)
        sibling = report.method.name == "sibling"
        twice, strays = Twice(), Strays()
        if not sibling:
            strays = self._strays(work)
            if on_demand and (window := reaching(work, strays.highest)) != list(work.window):
                work = replace(work, window=window)
                report = replace(report, window=tuple(window))
        counted = self._counted(work, times, sibling=sibling, splits=SPLITS)
        if any(gap.start < work.state.logs[gap.partition].start for gap in counted.gaps):
            self._settle(work)  # what cannot be read back is not asked for again either
            counted = self._counted(work, times, sibling=sibling, splits=SPLITS)
        if sibling or counted.repeated:
            # By id nothing but the times keeps other windows' copies out; they may have whole seconds.
            own = Times(work.since.replace(microsecond=0), work.until)
            twice = self._twice(work, counted.repeated, own if sibling else times)
        by_id = by_id or bool(twice.strangers)
        if by_id:  # the table's offsets prove nothing: every event is looked up
            counted = replace(counted, gaps=tuple(joined(work.window)), unsearched=())
        gatherer = Gatherer(
            self._topic,
            self._table,
            limits=self._limits,
            policy=self._policy,
            now=self._now,
            settle=self._settle,
        )
        gathered = gatherer.gather(work, within(work.window, counted.gaps), by_id=sibling, all_of_it=by_id)
        return self._told(report, work, counted, gathered, twice, strays, by_id)

    def _twice(self, work: Work, repeated: Mapping[tuple[int, int], int], times: Times) -> Twice:
        try:
            return self._table.twice(work.window, sorted(repeated), times)
        except CannotAskError as error:
            if not error.over_budget:
                raise
            work.notes.append(f"rows twice could not be told apart: {error.reason}")
            return Twice(untold=sum(repeated.values()))

    def _told(
        self,
        report: Report,
        work: Work,
        counted: Counted,
        gathered: Gathered,
        twice: Twice,
        strays: Strays,
        by_id: bool,
    ) -> Report:
        runs = merged(
            run
            for run in sorted((*counted.unsearched, *gathered.runs), key=lambda run: run.range)
            if run.fate is not Fate.STORED
        )
        notes = [*report.notes, *work.notes, *gathered.notes]
        if by_id:
            notes.append(BY_ID)
        return replace(
            report,
            runs=tuple(runs),
            counts=tally(work.window, runs),
            lost=gathered.lost,
            twice=twice,
            strays=strays,
            notes=tuple(dict.fromkeys(notes)),
            cost=Cost(messages_fetched=gathered.fetched),
        )

    def _counted(self, work: Work, times: Times, *, sibling: bool, splits: int) -> Counted:
        """The window's gaps; in halves where it is too large, unsearched where even those cost too much."""
        window = work.window
        if not appended(window):
            return Counted()
        try:
            if splits and appended(window) > self._limits.offsets:
                return self._halved(work, sibling=sibling, splits=splits)
            if sibling:
                return Counted(tuple(self._table.absent(window, times)))
            blocks = self._table.blocks(window, times)
            told, pieces = lacking(window, blocks)
            most = self._limits.ranges
            more, left = self._table.gaps(window, pieces, times, most=most) if pieces else ([], [])
            gaps = joined([*told, *more])
            why = f"more than {most} gaps"
            unsearched = tuple(Run(one, Fate.UNAUDITED, why) for one in joined([*left, *gaps[most:]]))
            return Counted(tuple(gaps[:most]), unsearched, repeated(blocks))
        except CannotAskError as error:
            if error.over_budget and splits and work.until - work.since > timedelta(seconds=2):
                return self._halved(work, sibling=sibling, splits=splits)
            if not error.over_budget:
                raise
            return Counted((), tuple(Run(one, Fate.UNAUDITED, error.reason) for one in window if one.size))

    def _halved(self, work: Work, *, sibling: bool, splits: int) -> Counted:
        middle = work.since + (work.until - work.since) / 2
        offsets = self._topic.offsets_at(middle)
        found = Counted()
        for late, since, until in ((False, work.since, middle), (True, middle, work.until)):
            window = []
            for one in work.window:
                at = offsets.get(one.partition)
                cut = min(max(one.end if at is None else at, one.start), one.end)
                window.append(Range(one.partition, *((cut, one.end) if late else (one.start, cut))))
            half = replace(work, since=since, until=until, window=window)
            found += self._counted(half, half.times(self._limits.slack), sibling=sibling, splits=splits - 1)
        return found

    def _strays(self, work: Work) -> Strays:
        """Rows of the window that nothing stands behind; offsets beyond the end are held against the end
        as it is after that answer, for the topic goes on growing."""
        ends = [Range(p, log.start, log.end) for p, log in work.state.logs.items()]
        found = self._table.strays(ends, Times(work.since, work.until))
        if not found.beyond:
            return found
        now = self._topic.state().logs
        beyond = {
            p: count for p, count in found.beyond.items() if p in now and found.highest[p] >= now[p].end
        }
        return replace(found, beyond=beyond)

    def _settle(self, work: Work) -> None:
        """Raises `CannotAskError` where it is stopped: what was on its way has not had its time."""
        left = work.settled_at - self._now()
        if left > timedelta(0) and self._wait(left):
            raise CannotAskError("the audit was stopped before the table's answers could count")

    def _by_count(self, report: Report, work: Work) -> Report:
        self._settle(work)
        _, distinct = self._table.count(Times(work.since, work.until))
        total = appended(work.window)
        missing = max(total - distinct, 0)
        tolerated = round(total * self._limits.tolerance)
        counts = {**dict.fromkeys(Fate, 0), Fate.STORED: total - missing, Fate.UNAUDITED: missing}
        note = f"{distinct} distinct ids for {total} records; up to {tolerated} may be missing untold"
        return replace(report, counts=counts, tolerated=tolerated, notes=(*report.notes, note))
