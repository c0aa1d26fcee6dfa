"""Whatever is done to the pipeline, in any order: each running audit says of every offset what is true of it.

The oracle keeps its own books of what was done; it never looks into the tables of the world or at the audit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from canary.audit.calendar import Calendar
from canary.audit.report import Report
from canary.ledger import Ledger
from reconcile.traffic import Fate
from tests.canary.audit.test_calendar import Heard, calendar, contiguous, ranges
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
    kept_from: dict[int, int] = field(default_factory=dict)

    def allowed(self, place: Place) -> set[Fate]:
        """What may be said of an offset now."""
        partition, offset = place
        passed = self.passed.get(partition, 0) > offset
        if self.ids[place] in self.stored:
            return STORED
        if self.kept_from.get(partition, 0) > offset:
            # Kafka has it no longer: what the consumer never came to is gone, the rest nobody can verify
            return {Fate.EXPIRED} if passed else {Fate.QUEUED, Fate.LOST}
        if not passed:
            return {Fate.QUEUED}
        return {self.kinds.get(place, Fate.LOST)}


class Pipeline:
    """A world that is worked on, its books, and the running audit of it."""

    def __init__(self, ledger: Ledger) -> None:
        self.world, self.heard, self.books = World(), Heard(), Books()
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
        }
        if number % 3 in broken:
            fate, changed = broken[number % 3]
            [offset] = self.world.append(0, **changed)
            self._noted(0, offset)
            self.books.kinds[0, offset] = fate

    def _noted(self, partition: int, offset: int) -> None:
        self.books.ids[partition, offset] = self.world.logs[partition][offset].id

    def consume(self, number: int, *, lose: int = 0) -> None:
        """One partition's consumer comes to the end; the first so many of what it takes are dropped."""
        partition = number % len(self.world.logs)
        first = max(self.books.passed.get(partition, 0), self.books.kept_from.get(partition, 0))
        end = len(self.world.logs[partition])
        dropped = range(first, min(first + lose, end))
        broken = {o for p, o in self.books.kinds if p == partition}
        assert self.world.positions is not None
        self.world.positions[partition] = first
        self.world.consume(partition, without={*dropped, *broken})
        self.books.passed[partition] = max(end, self.books.passed.get(partition, 0))
        self.books.stored |= {
            self.books.ids[partition, offset]
            for offset in range(first, end)
            if offset not in {*dropped, *broken}
        }

    def lose(self, number: int) -> None:
        """A block, however long."""
        self.consume(number, lose=number)

    def replay(self, number: int) -> None:
        """The consumer is set back to what Kafka still has, and inserts again; nothing is dropped now."""
        partition = number % len(self.world.logs)
        self.books.passed[partition] = self.books.kept_from.get(partition, 0)
        self.consume(number)

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
        self.books = Books(stored=self.books.stored)

    def truncate(self, _: int) -> None:
        """Every row goes."""
        self.world.rows.clear()
        self.books.stored.clear()

    def null(self, number: int) -> None:
        """A row loses its offset; its event is there all the same."""
        if self.world.rows:
            at = number % len(self.world.rows)
            self.world.rows[at] = replace(self.world.rows[at], offset=None)

    def tick(self, number: int) -> None:
        """Time goes by; what is due is audited, and held against the books."""
        for _ in range(1 + number % 25):
            self.world.now += timedelta(minutes=1)
            before = len(self.heard.reports)
            self.running.step()
            for report in self.heard.reports[before:]:
                self.check(report)

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
        places = [(part.partition, n) for part in report.window for n in range(part.start, part.end)]
        # by id alone, with nothing stored, nobody knows whether ids can be matched: no loss is claimed
        blind = any("by its id" in note for note in report.notes)
        blind = blind and not any(self.books.ids[place] in self.books.stored for place in places)
        for place in places:
            told = fates.get(place, Fate.STORED)
            allowed = self.books.allowed(place) | ({Fate.UNAUDITED} if blind else set())
            assert told in allowed, f"{place} is {told}, may be {sorted(allowed)}"


@contextmanager
def pipeline() -> Iterator[Pipeline]:
    with TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{Path(folder)}/ledger.db") as ledger:
        yield Pipeline(ledger)


OPS = (
    "append",
    "consume",
    "lose",
    "replay",
    "expire",
    "partition",
    "again",
    "truncate",
    "null",
    "tick",
    "restart",
)
PLANS = st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 40)), max_size=25)
BEGIN: list[Step] = [("append", 30), ("consume", 0), ("consume", 1), ("tick", 6)]

CATALOGUE: dict[str, list[Step]] = {
    "block loss": [("append", 30), ("lose", 20), ("consume", 1), ("tick", 12)],
    "skipped broken messages": [("append", 31), ("consume", 0), ("append", 32), ("consume", 0), ("tick", 12)],
    "replay": [("append", 12), ("lose", 8), ("tick", 12), ("replay", 0), ("tick", 12)],
    "a backlog of 20 minutes": [("append", 40), ("tick", 20), ("consume", 0), ("consume", 1), ("tick", 12)],
    "retention running past": [
        *(("append", 40), ("tick", 9), ("expire", 40), ("expire", 39), ("tick", 24), ("tick", 24)),
        *(("consume", 0), ("consume", 1), ("tick", 12)),
    ],
    "partitions added": [("partition", 0), ("append", 9), ("lose", 5), ("consume", 0), ("tick", 12)],
    "a topic made again": [("again", 0), ("append", 12), ("lose", 4), ("consume", 1), ("tick", 12)],
    "a topic made again while events wait": [
        *(("append", 9), ("tick", 7), ("again", 0), ("append", 9), ("tick", 7)),
        *(("consume", 0), ("consume", 1), ("tick", 12)),
    ],
    "table truncated": [("append", 12), ("consume", 0), ("consume", 1), ("truncate", 0), ("tick", 12)],
    "a row's offset is NULL": [("append", 12), ("consume", 0), ("consume", 1), ("null", 65), ("tick", 12)],
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_fault_by_itself(name: str) -> None:
    """After a sound beginning, with a restart behind it; nothing stays open, and no offset is left out."""
    with pipeline() as one:
        play(one, [*BEGIN, *CATALOGUE[name], ("restart", 0)])
        end(one)


@settings(max_examples=25, deadline=None)
@example([*BEGIN, ("again", 0), ("append", 3), ("again", 0), ("append", 5), ("consume", 0), ("tick", 12)])
@example([("append", 1), ("tick", 10), ("partition", 0), ("append", 5), ("lose", 2), ("tick", 12)])
@given(PLANS)
def test_any_faults_in_any_order(plan: list[Step]) -> None:
    """The same of all that can be done."""
    with pipeline() as one:
        play(one, plan)
        end(one)


def play(one: Pipeline, plan: list[Step]) -> None:
    for name, number in plan:
        getattr(one, name)(number)


def end(one: Pipeline) -> None:
    """Peace: the consumers come to the end, and all is audited once more."""
    for partition in one.world.logs:
        one.consume(partition)
    one.tick(24)
    one.tick(24)
    windows = ranges(one.ledger, one.world)
    same = [window for window in windows if window.topic_id == str(one.world.topic_id)]
    assert contiguous(same)
    assert not [window.start for window in same if window.counts["queued"] or window.counts["not_yet"]]
    assert all(standing.trouble == "" for standing in one.running.standing())
    for partition, entries in one.world.logs.items():
        assert not entries or same[-1].offsets[partition][1] == len(entries)
