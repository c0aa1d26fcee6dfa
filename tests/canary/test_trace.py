"""The walk of a trace: in which order places are asked, since when, and what is asked again before a loss."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from canary.identity import Mint
from canary.trace import Hint, Trace, told_by
from canary.trails import DEAD_LETTER, Find, Passage, Question, Searched, Seen
from canary.verdict import State

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SENT = NOW - timedelta(minutes=10)
EVENT = Mint(b"a secret of the tests", "tests").mint(SENT)
PASSED = Passage(True, True, "passed")
HINT = Hint(None, timedelta(minutes=15))


@dataclass
class FakeTopic:
    """A topic with records of the one event, read up to the first unless copies are asked for."""

    name: str
    log: list[str]
    finds: list[Find] = field(default_factory=list)
    behind: list[int] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    dead: list[tuple[Find, ...]] = field(default_factory=lambda: [()])

    def search(self, question: Question) -> Sequence[Searched]:
        self.log.append(self.name)
        self.asked.append(question)
        shown = [
            one
            for one in self.finds
            if one.at is not None
            and (question.since is None or one.at >= question.since)
            and (question.until is None or one.at <= question.until)
        ]
        found = tuple(shown if question.copies else shown[:1])
        return [Searched(self.name, self.name, "", found), *self.letters(question)]

    def letters(self, question: Question) -> list[Searched]:
        del question
        finds = self.dead.pop(0) if len(self.dead) > 1 else self.dead[0]
        return [Searched(self.name, f"{self.name}_dlq", DEAD_LETTER, finds)]

    def passage(self, finds: Sequence[Seen]) -> Passage:
        self.log.append(f"{self.name} position")
        waiting = [one for one in finds if one.offset in self.behind]
        return Passage(not waiting, not waiting, "waiting" if waiting else "passed")


@dataclass
class FakeTable:
    """A table in which the event's rows turn up at the n-th question."""

    name: str
    log: list[str]
    answers: list[tuple[Find, ...]]

    def search(self, question: Question) -> Searched:  # noqa: ARG002 - the protocol has it
        self.log.append(self.name)
        rows = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Searched(self.name, self.name, "", rows)

    def beside(self, question: Question) -> Sequence[Searched]:  # noqa: ARG002 - the protocol has it
        return []


def traced(*places: FakeTopic | FakeTable, event: uuid.UUID = EVENT, hint: Hint = HINT) -> State:
    paused: list[timedelta] = []
    trace = Trace(
        places,
        now=lambda: NOW,
        lost_after=timedelta(minutes=30),
        passed_grace=timedelta(seconds=2),
        pause=paused.append,
    )
    return trace.run(event, hint, messages=100).verdict.state


def at(minutes: float, offset: int = 0) -> Find:
    return Find(at=SENT + timedelta(minutes=minutes), partition=0, offset=offset)


def test_the_table_is_asked_after_the_positions() -> None:
    """Only so does a passed position prove that the table should have shown it."""
    log: list[str] = []

    state = traced(FakeTopic("raw", log, [at(0)]), FakeTable("events", log, [(at(1),)]))

    assert state is State.STORED
    assert log == ["raw", "raw position", "events"]


def test_each_topic_is_read_from_where_the_one_before_had_it() -> None:
    """A backlog may lie between two topics: the later one is read without an end."""
    log: list[str] = []
    raw, processed = FakeTopic("raw", log, [at(2)]), FakeTopic("processed", log)

    traced(raw, processed, FakeTable("events", log, [()]))

    assert raw.asked[0].since == told_by(EVENT, NOW) - timedelta(minutes=5)  # type: ignore[operator]
    assert processed.asked[0].since == SENT + timedelta(minutes=2) - timedelta(minutes=5)
    assert processed.asked[0].until is None


def test_a_row_that_comes_in_the_last_moment_is_no_loss() -> None:
    """Before a loss is told the table is asked once more."""
    log: list[str] = []

    assert traced(FakeTopic("raw", log, [at(0)]), FakeTable("events", log, [(), (at(9),)])) is State.STORED
    assert traced(FakeTopic("raw", log, [at(0)]), FakeTable("events", log, [(), ()])) is State.LOST


def test_a_dead_letter_that_comes_in_the_last_moment_is_no_loss() -> None:
    """It is written before the consumer commits, and may come after the dead letters were read."""
    log: list[str] = []
    raw = FakeTopic("raw", log, [at(0)], dead=[(), (), (at(9),)])

    assert traced(raw, FakeTable("events", log, [()])) is State.DEAD_LETTERED


def test_a_second_copy_under_way_is_no_loss() -> None:
    """The first record was passed and dropped; a retry of it has yet to be worked off."""
    log: list[str] = []
    raw = FakeTopic("raw", log, [at(0, offset=1), at(40, offset=2)], behind=[2])

    assert traced(raw, FakeTable("events", log, [()])) is State.WAITING


def test_without_a_time_the_table_tells_one() -> None:
    """An id of version 4 says nothing: where the table has the event, topics are read around its row."""
    log: list[str] = []
    raw = FakeTopic("raw", log, [at(0)])

    state = traced(raw, FakeTable("events", log, [(at(1),)]), event=uuid.uuid4())

    assert state is State.STORED
    assert log == ["events", "raw", "raw position"]
    assert raw.asked[0].since == SENT + timedelta(minutes=1) - timedelta(minutes=15)


def test_what_was_absent_before_the_positions_is_asked_for_after_them() -> None:
    """The early question to the table only wanted a time: its empty answer proves nothing."""
    log: list[str] = []
    table = FakeTable("events", log, [(), (at(1),)])

    assert traced(FakeTopic("raw", log, [at(0)]), table, event=uuid.uuid4()) is State.STORED


def test_only_a_believable_time_is_read_off_an_id() -> None:
    """Version 7 carries one; a clock in another century does not count."""
    found = told_by(EVENT, NOW)

    assert found is not None
    assert abs(found - SENT) < timedelta(milliseconds=2)
    assert told_by(uuid.uuid4(), NOW) is None
    assert told_by(Mint(b"a secret of the tests", "tests").mint(NOW + timedelta(days=400)), NOW) is None
