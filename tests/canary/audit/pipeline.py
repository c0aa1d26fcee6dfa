"""A pipeline that is worked on while its running audit goes on, and the oracle that audits are held against:
its own books of what was done; it never looks into the tables of the world or at the audit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from alerts.condition import Amendment
from canary.audit.amending import lost_of
from canary.audit.calendar import Calendar
from canary.audit.report import Report
from canary.ledger import Ledger
from canary.traffic import AuditWindow
from reconcile.offsets import Range
from reconcile.traffic import Fate
from tests.canary.audit.test_calendar import Heard, calendar
from tests.canary.audit.world import World

Place = tuple[int, int]
Step = tuple[str, int]

STORED = {Fate.STORED, Fate.DEDUPLICATED}


@dataclass
class Books:
    """What was done to each offset of the topic as it is now, and how far things are."""

    ids: dict[Place, str] = field(default_factory=dict)
    kinds: dict[Place, Fate] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    passed: dict[int, int] = field(default_factory=dict)
    came: dict[int, int] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    waiting: bool = False
    kept_from: dict[int, int] = field(default_factory=dict)
    rows: set[Place] = field(default_factory=set)
    told_lost: set[Place] = field(default_factory=set)

    def allowed(self, place: Place) -> set[Fate]:
        """What may be said of an offset now."""
        partition, offset = place
        passed = self.passed.get(partition, 0) > offset
        came = self.came.get(partition, 0) > offset
        expired = self.kept_from.get(partition, 0) > offset
        if self.waiting and place not in self.rows | self.told_lost:
            # what waits may be any event's row; what was explained before Kafka lost it stays so
            return {Fate.QUEUED, self.kinds.get(place, Fate.QUEUED)} if expired else {Fate.QUEUED}
        if self.known(place):  # a copy that the consumer has not come to waits for it
            return STORED if passed or place in self.rows else {Fate.QUEUED, *STORED}
        if place in self.told_lost:
            return {Fate.LOST}  # whatever became of Kafka's record since
        if expired:
            # Kafka has it no longer: what the consumer never came to is gone, the rest nobody can verify
            unsure = {Fate.EXPIRED} if partition in self.forgotten else set()
            explained = {self.kinds[place], Fate.EXPIRED} if place in self.kinds else {Fate.EXPIRED}
            return explained if came else {Fate.QUEUED, Fate.LOST} | unsure
        if not passed:
            return {Fate.QUEUED}
        return {self.kinds.get(place, Fate.LOST)}

    def missing(self) -> list[Place]:
        """What the consumer passed without a row, though nothing spoke against one."""
        return [
            (p, n)
            for (p, n), id_ in self.ids.items()
            if id_ not in self.stored and self.passed.get(p, 0) > n and (p, n) not in self.kinds
        ]

    def known(self, place: Place) -> bool:
        """Whether an audit can find its event: by its id, as long as Kafka has the record, or its offset."""
        return place in self.rows or (self.ids[place] in self.stored and self.readable(place))

    def readable(self, place: Place) -> bool:
        """Whether Kafka still has its record."""
        return self.kept_from.get(place[0], 0) <= place[1]


class Pipeline:
    """A world that is worked on, its books, and the running audit of it."""

    def __init__(self, ledger: Ledger) -> None:
        self.world, self.heard, self.books = World(), Heard(), Books()
        self.held: dict[Place, str] = {}
        self.held_of = self.world.topic_id
        self.ledger = ledger
        self.running: Calendar = calendar(self.world, ledger, self.heard)

    def append(self, number: int) -> None:
        """Records for every partition; some of them broken, some in aborted transactions."""
        for partition in self.world.logs:
            for offset in self.world.append(partition, number):
                self._noted(partition, offset)
        broken: dict[int, tuple[Fate, dict[str, Any]]] = {
            1: (Fate.UNPARSABLE, {"error": "no JSON"}),
            2: (Fate.ABORTED, {"kind": "aborted"}),
            3: (Fate.CONTROL, {"kind": "control"}),
        }
        if number % 4 in broken:
            fate, changed = broken[number % 4]
            [offset] = self.world.append(0, **changed)
            self._noted(0, offset)
            self.books.kinds[0, offset] = fate

    def _noted(self, partition: int, offset: int) -> None:
        self.books.ids[partition, offset] = self.world.logs[partition][offset].id

    def hold(self, number: int) -> None:
        """A consumer comes to the end; its rows wait in the queue of a Distributed table."""
        self.consume(number, hold=True)

    def release(self, _: int) -> None:
        """What waits there is sent on."""
        self.books.rows |= self.held.keys() if self.held_of == self.world.topic_id else set()
        self.books.stored |= set(self.held.values())
        self.held, self.books.waiting = {}, False
        self.world.release()

    def consume(self, number: int, *, lose: int = 0, hold: bool = False) -> None:
        """One partition's consumer comes to the end; the first so many of what it takes are dropped."""
        partition = number % len(self.world.logs)
        first = max(self.books.passed.get(partition, 0), self.books.kept_from.get(partition, 0))
        end = len(self.world.logs[partition])
        dropped = range(first, min(first + lose, end))
        broken = {o for p, o in self.books.kinds if p == partition}
        assert self.world.positions is not None
        self.world.positions[partition] = first
        (self.world.hold if hold else self.world.consume)(partition, without={*dropped, *broken})
        self.books.passed[partition] = max(end, self.books.passed.get(partition, 0))
        self.books.came[partition] = max(end, self.books.came.get(partition, 0))
        self.books.forgotten.discard(partition)
        made = {(partition, offset) for offset in range(first, end) if offset not in {*dropped, *broken}}
        if hold:
            self.held |= {place: self.books.ids[place] for place in made}
            self.held_of, self.books.waiting = self.world.topic_id, bool(self.held)
            return
        self.books.rows |= made
        self.books.stored |= {self.books.ids[place] for place in made}

    def lose(self, number: int) -> None:
        """A block, however long."""
        self.consume(number, lose=number)

    def replay(self, number: int) -> None:
        """The consumer is set back to what Kafka still has, and inserts again; nothing is dropped now."""
        partition = number % len(self.world.logs)
        self.books.passed[partition] = self.books.kept_from.get(partition, 0)
        self.consume(number)

    def set_back(self, number: int) -> None:
        """The group is set back, and its consumer stands still."""
        partition = number % len(self.world.logs)
        assert self.world.positions is not None
        if partition in self.world.positions:
            back = max(self.world.positions[partition] - number, 0)
            self.world.positions[partition] = self.books.passed[partition] = back

    def forget(self, number: int) -> None:
        """The group's offset is removed: it has none in this partition."""
        partition = number % len(self.world.logs)
        assert self.world.positions is not None
        self.world.positions.pop(partition, None)
        self.books.passed[partition] = 0
        self.books.forgotten.add(partition)

    def late(self, number: int) -> None:
        """Rows of lost events come long after, by whatever way."""
        for partition, offset in self.books.missing()[: 1 + number]:
            self.world.store(partition, range(offset, offset + 1))
            self.books.stored.add(self.books.ids[partition, offset])
            self.books.rows.add((partition, offset))

    def resend(self, number: int) -> None:
        """A person puts lost events into the topic once more."""
        for place in self.books.missing()[: 1 + number % 5]:
            [offset] = self.world.append(0, id=self.books.ids[place])
            self._noted(0, offset)

    def expire(self, number: int) -> None:
        """Retention removes up to a place, whoever has not read it."""
        partition = number % len(self.world.logs)
        until = min(len(self.world.logs[partition]), self.books.kept_from.get(partition, 0) + number)
        self.world.log_start[partition] = self.books.kept_from[partition] = until

    def partition(self, _: int) -> None:
        """One more."""
        self.world.logs.setdefault(len(self.world.logs), [])

    def again(self, _: int) -> None:
        """The topic is made anew: offsets begin at 0, the table keeps its rows."""
        self.world.topic_id = uuid4()
        self.world.logs = {partition: [] for partition in self.world.logs}
        self.world.log_start, self.world.positions = {}, {}
        self.books = Books(stored=self.books.stored, waiting=self.books.waiting)

    def truncate(self, _: int) -> None:
        """Every row goes."""
        self.world.rows.clear()
        self.books.stored.clear()
        self.books.rows.clear()

    def null(self, number: int) -> None:
        """A row loses its offset; its event is there all the same."""
        if self.world.rows:
            at = number % len(self.world.rows)
            row = self.world.rows[at]
            self.world.rows[at] = replace(row, offset=None)
            places = [(one.partition, one.offset) for one in self.world.rows]
            self.books.rows = {place for place in self.books.rows if place in places}

    def tick(self, number: int) -> None:
        """Time goes by; what is due is audited, and held against the books."""
        for _ in range(1 + number % 25):
            self.world.now += timedelta(minutes=1)
            self.step()

    def step(self) -> None:
        """One of the audit's, held against the books."""
        reports, told, looked = len(self.heard.reports), len(self.heard.amendments), len(self.heard.looked)
        self.running.step()
        for amendment in self.heard.amendments[told:]:
            self.amended(amendment)
        for report in self.heard.reports[reports:]:
            self.check(report)
        for before, after in self.heard.looked[looked:]:
            self.looked(before, after)

    def amended(self, amendment: Amendment) -> None:
        """Told once, of what was told as lost and is there now."""
        _, topic_id, told = amendment.id.split()
        part = Range.of(told)
        place = part.partition, part.start
        assert (topic_id, part.size) == (str(self.world.topic_id), 1)
        assert self.books.known(place)
        self.books.told_lost.remove(place)

    def looked(self, before: AuditWindow, after: AuditWindow) -> None:
        """All that turned up and can be read is amended, and nothing else is."""
        was, lost = places(before), places(after)
        assert lost <= was
        assert after.counts["lost"] == len(lost)
        assert sum(after.counts.values()) == after.appended
        for place in was:
            there = self.books.ids[place] in self.books.stored
            assert (place not in lost) == (there and self.books.readable(place))
        assert (after.verdict == "fault") == bool(lost)
        assert after.amendments - before.amendments == (lost != was)

    def restart(self, _: int) -> None:
        """The daemon is started anew."""
        self.running = calendar(self.world, self.ledger, self.heard)

    def check(self, report: Report) -> None:
        """Of an earlier topic nothing is known now, and nothing new may be said."""
        assert report.unbalanced == 0
        if report.topic_id != str(self.world.topic_id):
            return
        fates = {
            (run.range.partition, offset): run.fate
            for run in report.runs
            for offset in range(run.range.start, run.range.end)
        }
        all_of_it = [(part.partition, n) for part in report.window for n in range(part.start, part.end)]
        # by id alone, with nothing stored, nobody knows whether ids can be matched: no loss is claimed
        by_id = any("by its id" in note for note in report.notes)
        blind = by_id and not any(self.books.ids[place] in self.books.stored for place in all_of_it)
        for place in all_of_it:
            told = fates.get(place, Fate.STORED)
            allowed = self.books.allowed(place) | ({Fate.UNAUDITED} if blind else set())
            if by_id and self.books.passed.get(place[0], 0) <= place[1]:
                allowed |= {Fate.QUEUED}  # a row proves nothing then, and no id is read of what still waits
            assert told in allowed, f"{place} is {told}, may be {sorted(allowed)}"
            if told is Fate.LOST:
                self.books.told_lost.add(place)
        assert not self.books.told_lost & {place for place in all_of_it if fates.get(place) is not Fate.LOST}


def places(window: AuditWindow) -> set[Place]:
    """What a window has lost."""
    return {(one.partition, n) for one in lost_of(window) for n in range(one.start, one.end)}


@contextmanager
def pipeline() -> Iterator[Pipeline]:
    with TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{Path(folder)}/ledger.db") as ledger:
        yield Pipeline(ledger)
