"""What the watch keeps in mind: every canary that is not done, and the evidence about it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from canary.readings import Progress, Reading, StageSpec, Standing
from canary.values import Answer, Judged, Owed, Seen, Track
from reconcile.compare import LOOK_OWED, Case, Glimpse, StageCase, Verdict
from reconcile.order import Placed, out_of_order
from reconcile.outcome import Outcome, Receipt

WindowKey = tuple[str, datetime]
LOOKED_FOR = frozenset({Outcome.LOST, Outcome.UNDELIVERED})
"""Outcomes that are only given after a look past the deadline that found nothing."""

NOWHERE = Standing()

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Entry:
    """One canary in mind. `asked` holds when a table last answered that it had not got it; `look_owed_since`,
    since when nothing but the last look is awaited before it is called lost; `jumped`, by how much our line
    moved up since it was sent, without that time having passed."""

    owed: Owed
    waits_from: datetime
    deadline: datetime
    jumped: timedelta = timedelta(0)
    answer: Answer | None = None
    seen: dict[str, Seen] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)
    judged: Judged | None = None
    last_look_at: datetime | None = None
    last_look_problem: str = ""
    look_owed_since: datetime | None = None
    copies_checked: bool = False
    dead_letter: str | None = None
    out_of_order: bool = False
    minute: str = ""
    extra: frozenset[tuple[str, int | None, int | None]] = frozenset()

    def await_look(self, verdict: Verdict, now: datetime) -> None:
        """Note since when the last look is owed; one that has to wait anew after a restart owes it still."""
        if verdict.outcome is not Outcome.PENDING:
            self.look_owed_since = (self.look_owed_since or now) if verdict.wants_last_look else None

    @property
    def receipt(self) -> Receipt | None:
        return self.answer.receipt if self.answer else None

    def waited(self, until: datetime) -> timedelta:
        """How long after the send that is, less what our line jumped in between."""
        return until - self.owed.sent_at - (self.jumped if until >= self.waits_from else timedelta(0))

    @property
    def copied(self) -> bool:
        """Whether any stage holds a copy that is not of our own making."""
        return any(seen.copies and seen.copy_kinds != ("own_retry",) for seen in self.seen.values())

    @property
    def corrupt(self) -> bool:
        return any(seen.differences for seen in self.seen.values())


class Book:
    """The open canaries and the readings of every stage. Not locked: the watch is."""

    def __init__(self, stages: Sequence[StageSpec], *, epoch_started_at: datetime, grace: timedelta) -> None:
        self.stages = tuple(stages)
        self.last = self.stages[-1].name
        self.readings = {spec.name: Reading(spec) for spec in self.stages}
        self.entries: dict[UUID, Entry] = {}
        self.missing: dict[UUID, Entry] = {}
        self.windows: dict[WindowKey, dict[UUID, Entry]] = {}
        self.deadlines: dict[WindowKey, datetime] = {}  # of each window the last of its canaries'
        self.settled: dict[WindowKey, dict[UUID, Entry]] = {}
        self.gone: dict[UUID, Entry] = {}
        self.dirty: set[UUID] = set()
        self._epoch = epoch_started_at
        self._grace = grace
        self._queues = {
            spec.name: self.readings[following.name]
            for spec, following in pairwise(self.stages)
            if following.through_distributed
        }  # a position behind them proves nothing while the row may wait in a queue before its table
        self._carried: dict[tuple[str, int], list[Placed]] = {}

    def add(self, owed: Owed) -> Entry:
        """A canary that is about to be sent."""
        entry = Entry(owed, waits_from=owed.sent_at, deadline=owed.deadline)
        self.hold(entry)
        return entry

    def restore(self, track: Track) -> Entry:
        """A canary from the ledger: an earlier run's, or one that turned up after it was done with."""
        entry = self.recall(track)
        self.hold(entry)
        self.dirty.add(entry.owed.id)  # what it counts as in its minute may have been lost with a crash
        return entry

    def recall(self, track: Track) -> Entry:
        """The same, only to be told of: it is not followed."""
        owed, judged = track.owed, track.judged
        letters = [seen for seen in track.seen if seen.side == "dead_letter"]
        return Entry(
            owed,
            waits_from=max(owed.sent_at, self._epoch),
            deadline=max(owed.deadline, self._epoch + self._grace)
            if owed.sent_at < self._epoch
            else owed.deadline,
            answer=track.answer,
            seen={seen.stage: seen for seen in track.seen if seen not in letters},
            judged=judged,
            look_owed_since=judged.judged_at if judged and judged.reason.endswith(LOOK_OWED) else None,
            dead_letter=letters[0].reason or f"found in {letters[0].place}" if letters else None,
            minute=track.counted,
        )

    def hold(self, entry: Entry) -> None:
        """Follow it from now on."""
        owed = entry.owed
        self.entries[owed.id] = entry
        entry.copies_checked = self.stages[-1].topic  # it is read whole: a copy shows by itself
        key = (owed.probe, owed.window)
        if entry.judged is not None:
            self.settled.setdefault(key, {})[owed.id] = entry
        else:
            self.windows.setdefault(key, {})[owed.id] = entry
            self.deadlines[key] = max(entry.deadline, self.deadlines.get(key, entry.deadline))
        if self.last not in entry.seen:
            self.missing[owed.id] = entry

    def new_epoch(self, started_at: datetime, jumped: timedelta) -> None:
        """Our line was anchored again: nothing sent before waits on time that may not have passed."""
        self._epoch = started_at
        for entry in self.entries.values():
            entry.waits_from = max(entry.waits_from, started_at)
            entry.jumped += jumped
            entry.deadline = max(entry.deadline, started_at + self._grace)
            entry.asked.clear()
        for key, entries in self.windows.items():
            self.deadlines[key] = max(entry.deadline for entry in entries.values())

    def wanted(self, stage: str) -> list[Entry]:
        """The canaries that a table should be asked for, oldest first."""
        pool = self.missing if stage == self.last else self.entries
        return [entry for entry in pool.values() if stage not in entry.seen and not _owed_nothing(entry)]

    def saw(self, entry: Entry, seen: Seen) -> None:
        """Note the first sighting at a stage, or more about it."""
        entry.seen[seen.stage] = seen
        if seen.stage == self.last:
            self.missing.pop(entry.owed.id, None)
            self.gone.pop(entry.owed.id, None)

    def give_up(self, entry: Entry) -> None:
        """It is called gone: asked for seldom from now on, in case it turns up after all."""
        self.missing.pop(entry.owed.id, None)
        self.gone[entry.owed.id] = entry

    def case(self, entry: Entry) -> Case:
        """All the evidence about one canary, as the rules want it."""
        arrived = self.last in entry.seen
        last = self.stages[-1]
        whole = self.readings[last.name].covered_until(entry.owed.sent_at) if last.topic else None
        return Case(
            sent_at=entry.owed.sent_at,
            waits_from=entry.waits_from,
            deadline=entry.deadline,
            receipt=entry.receipt,
            stages=[self._stage_case(spec, entry, arrived=arrived) for spec in self.stages],
            last_look_at=entry.last_look_at or whole,  # a topic that is read whole has no other corner
            dead_letter=entry.dead_letter,
            copied=entry.copied,
            corrupt=entry.corrupt,
            out_of_order=entry.out_of_order,
            missed=self._missed(entry),
        )

    def _missed(self, entry: Entry) -> bool:
        """Whether looks past the deadline that would have found what is there now found nothing."""
        seen, judged = entry.seen.get(self.last), entry.judged
        if seen is None or seen.side or judged is None:
            return False
        return judged.outcome in LOOKED_FOR or judged.amended_from in LOOKED_FOR

    def _stage_case(self, spec: StageSpec, entry: Entry, *, arrived: bool) -> StageCase:
        seen = entry.seen.get(spec.name)
        glimpse = seen and Glimpse(seen.seen_at, seen.not_before, alternate=seen.side == "alternate")
        if arrived and glimpse:
            return StageCase(spec.name, spec.topic, glimpse)
        reading = self.readings[spec.name]
        if not spec.topic:
            return StageCase(spec.name, False, glimpse or None, entry.asked.get(spec.name))
        queue = self._queues.get(spec.name)
        unknown = queue is not None and queue.queue_at is None  # it may wait in there, and nobody can tell
        standing = NOWHERE if unknown or seen is None else self._standing(entry, seen)
        return StageCase(
            spec.name,
            True,
            glimpse or None,
            reading.covered_until(entry.owed.sent_at),
            passed_at=standing.passed_at,
            expired=standing.expired,
            queued_at=standing.queued_at,
            alternates=bool(spec.others),
            drained=() if unknown else reading.drained if queue is None else queue.through(reading.drained),
            positions_at=None if unknown else reading.positions_at,
        )

    def _standing(self, entry: Entry, seen: Seen) -> Standing:
        """Where the next consumer stands to what was seen in a topic, and the queue behind it."""
        if seen.partition is None or seen.offset is None:
            return NOWHERE
        progress = self.readings[seen.stage].progress.get((seen.place, seen.partition), Progress())
        standing = progress.standing(seen.offset, entry.owed.sent_at)
        queue = self._queues.get(seen.stage)
        if queue is None or standing.passed_at is None or standing.expired:
            return standing
        flushed = queue.flushed_after(standing.passed_at)
        return Standing(passed_at=flushed, queued_at=None if flushed else queue.queue_at)

    def due(self, now: datetime) -> list[tuple[WindowKey, dict[UUID, Entry]]]:
        """The windows whose canaries are all past their deadline, oldest first."""
        ready = [(key, self.windows[key]) for key, deadline in self.deadlines.items() if now >= deadline]
        return sorted(ready, key=lambda item: item[0][1])

    def next_due(self) -> datetime | None:
        """When the next window's last deadline passes."""
        return min(self.deadlines.values(), default=None)

    def mark_out_of_order(self, entries: Iterable[Entry]) -> None:
        """Flag what the first topic holds in a provably wrong order, the window before included."""
        lines: dict[tuple[str, int], list[tuple[Placed, Entry | None]]] = defaultdict(list)
        for key, carried in self._carried.items():
            lines[key].extend((item, None) for item in carried)
        for entry in entries:
            seen = entry.seen.get(self.stages[0].name)
            if seen is None or entry.answer is None or seen.partition is None or seen.offset is None:
                continue
            if entry.receipt is not Receipt.ACCEPTED:  # may be stored at any time after the answer
                continue
            promised = entry.receipt is Receipt.ACCEPTED  # else it may be appended long after the answer
            answered_at = entry.answer.answered_at if promised else NEVER
            placed = Placed(entry.answer.started_at, answered_at, seen.offset)
            lines[(seen.place, seen.partition)].append((placed, entry))
        self._carried = {}
        for key, line in lines.items():
            for index in out_of_order(item for item, _ in line):
                wrong = line[index][1]
                if wrong is not None and (wrong.answer is None or wrong.answer.tries == 1):
                    wrong.out_of_order = True
            self._carried[key] = [item for item, entry in line if entry is not None]

    def close_window(self, key: WindowKey) -> None:
        """Its report is written: what is final leaves, the rest stays until it is."""
        entries = self.windows.pop(key, {})
        self.deadlines.pop(key, None)
        self.settled.setdefault(key, {}).update(entries)

    def release(self, entry: Entry) -> None:
        """Nothing more is owed about this canary; the ledger still knows it."""
        owed = entry.owed
        self.entries.pop(owed.id, None)
        self.missing.pop(owed.id, None)
        self.gone.pop(owed.id, None)
        self.dirty.discard(owed.id)
        key = (owed.probe, owed.window)
        if key in self.settled:
            self.settled[key].pop(owed.id, None)
            if not self.settled[key]:
                del self.settled[key]

    def oldest(self) -> datetime | None:
        """No canary in mind was sent before this: the start of the oldest window that holds one."""
        return min((start for _, start in (*self.windows, *self.settled)), default=None)

    def changing(self) -> Iterator[Entry]:
        """Those whose count in their minute may be another than before: of which there is news, or which
        have not been seen at the last stage, so that time alone changes it. One may come twice."""
        yield from (self.entries[id_] for id_ in self.dirty if id_ in self.entries)
        yield from self.missing.values()
        yield from self.gone.values()


def _owed_nothing(entry: Entry) -> bool:
    return entry.receipt is Receipt.REFUSED and entry.judged is not None


def open_outcome(entry: Entry) -> bool:
    """Whether a settled canary may still get another outcome soon."""
    return entry.judged is None or entry.judged.outcome in (Outcome.PENDING, Outcome.OVERDUE, Outcome.UNREAD)
