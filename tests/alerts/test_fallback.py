"""When the first way out fails the next one tells and says so, in order, and never twice unmarked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.pool import NullPool

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError, Letter, Receipt
from alerts.fallback import Way, Ways
from alerts.pager import Pager
from alerts.rules import Rule, Rules
from alerts.store import Store
from alerts.tables import metadata

T0 = datetime(2026, 1, 1, tzinfo=UTC)
RULES = Rules(default=Rule(resolve_delay=timedelta(), repeat=None))
LOST = Condition("lost", Severity.PAGE, "lost 3 of 60")
LATE = Condition("late", Severity.TICKET, "late")
DOWN = DeliveryError("no answer from it")
LIMITED = DeliveryError("too many", retry_after=timedelta(minutes=10))
BROKEN = DeliveryError("wrong token", broken=True, retry_after=timedelta(minutes=1))
NEVER = DeliveryError("too long", permanent=True)
LOST_ANSWER = DeliveryError("no answer", uncertain=True)


def at(seconds: float) -> datetime:
    """That long after the start."""
    return T0 + timedelta(seconds=seconds)


@dataclass
class Out:
    """A way out that keeps what it got, and fails for as long as `error` is set."""

    error: DeliveryError | None = None
    got: list[Notice] = field(default_factory=list)
    threads: list[Receipt | None] = field(default_factory=list)

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Keep it, unless it has to fail; where the answer is lost, do both."""
        if self.error is None or self.error.uncertain:
            self.got.append(notice)
            self.threads.append(thread)
        if self.error is not None:
            raise self.error
        return Receipt("C", f"{len(self.got)}.0")

    def check(self) -> list[str]:
        """What is wrong."""
        return [self.error.reason] if self.error else []


@dataclass
class Keeping(Out):
    """One that forgets what it is not told again."""

    every: timedelta = timedelta(minutes=1)
    kept: list[list[int]] = field(default_factory=list)

    def keep(self, live: Sequence[tuple[Notice, Receipt]]) -> None:
        """Note which incidents are said to be open."""
        if self.error is not None:
            raise self.error
        self.kept.append([notice.incident for notice, _ in live])


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A fresh store."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'file.db'}", poolclass=NullPool)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def pager(engine: sa.Engine, *outs: Out) -> Pager:
    """One with these ways out, called a, b, ..."""
    ways = [Way(name, out) for name, out in zip("abc", outs, strict=False)]
    return Pager(Store(engine), Ways(ways, after=timedelta(minutes=5)), rules=RULES)


def drain(one: Pager, start: float, seconds: int = 20) -> None:
    """Deliver as a loop would, once a second."""
    for second in range(seconds):
        one.deliver(at(start + second))


@pytest.mark.parametrize("error", [DOWN, LIMITED])
def test_the_next_way_waits_for_its_turn(engine: sa.Engine, error: DeliveryError) -> None:
    """A way that fails is given five minutes, whatever it asks for; then the next one tells, and says why."""
    a, b = Out(error), Out()
    one = pager(engine, a, b)
    one.update([LOST], now=at(0))
    drain(one, 0, 299)
    assert b.got == []
    drain(one, 299, 10)
    (told,) = b.got
    assert told.repeat is False
    assert ("why this way", f"a has failed since 00:00:00 UTC ({error.reason})") in told.content.facts
    assert one.owed() == 0


@pytest.mark.parametrize("error", [BROKEN, NEVER])
def test_what_waiting_cannot_mend_is_not_waited_for(engine: sa.Engine, error: DeliveryError) -> None:
    """A wrong token, or a message that it does not take, goes to the next way at once."""
    a, b = Out(error), Out()
    one = pager(engine, a, b)
    one.update([LOST], now=at(0))
    drain(one, 0, 3)
    assert len(b.got) == 1
    assert "why this way" in dict(b.got[0].content.facts)


def test_it_goes_back_to_the_first_way_when_that_works(engine: sa.Engine) -> None:
    """The end of an incident goes by the first way again, without a thread of the other's."""
    a, b = Out(BROKEN), Out()
    one = pager(engine, a, b)
    one.update([LOST], now=at(0))
    drain(one, 0)
    a.error = None
    one.update([], now=at(120))
    drain(one, 120)
    assert [notice.kind for notice in b.got] == [Kind.OPENED]
    assert ([notice.kind for notice in a.got], a.threads) == ([Kind.RESOLVED], [None])
    assert "why this way" not in dict(a.got[0].content.facts)


def test_a_thread_is_found_again_after_the_other_way_told(engine: sa.Engine) -> None:
    """Each way has threads of its own, also after a restart."""
    a, b = Out(), Out()
    rules = Rules(default=Rule(resolve_delay=timedelta(), repeat=timedelta(minutes=2)))
    ways = Ways([Way("a", a), Way("b", b)])
    one = Pager(Store(engine), ways, rules=rules)
    one.update([LOST], now=at(0))
    drain(one, 0)
    a.error = BROKEN
    one.update([LOST], now=at(130))
    drain(one, 130)
    a.error = None
    two = pager(engine, a, b)
    two.update([], now=at(300))
    drain(two, 300)
    assert a.threads == [None, Receipt("C", "1.0")]
    assert b.threads == [None]


def test_only_an_uncertain_message_is_told_twice_and_marked(engine: sa.Engine) -> None:
    """Where the first way may have delivered it, the second says that it may be a repeat."""
    a, b = Out(LOST_ANSWER), Out()
    one = pager(engine, a, b)
    one.update([LOST], now=at(0))
    drain(one, 0, 400)
    assert [notice.repeat for notice in b.got] == [True]
    assert [notice.repeat for notice in a.got][:2] == [False, True]


def test_given_up_only_when_no_way_takes_it(engine: sa.Engine) -> None:
    """The last refusal of all ends it; the next message goes on."""
    a, b = Out(NEVER), Out(NEVER)
    one = pager(engine, a, b)
    one.update([LOST], now=at(0))
    drain(one, 0)
    assert (one.owed(), a.got, b.got) == (0, [], [])
    a.error = None
    one.update([LOST, LATE], now=at(60))
    drain(one, 60)
    assert [notice.key for notice in a.got] == ["late"]


def test_open_incidents_are_kept_alive_where_they_were_told(engine: sa.Engine) -> None:
    """A way that forgets is told each minute what is open, and only of what it was told itself."""
    a, b = Out(BROKEN), Keeping()
    one = pager(engine, a, b)
    one.update([LOST], now=at(0))
    drain(one, 0, 130)
    assert b.kept == [[], [1], [1]]
    a.error = None
    one.update([LOST, LATE], now=at(130))
    drain(one, 130, 120)
    assert b.kept[3:] == [[1], [1]]
    one.update([LATE], now=at(250))
    drain(one, 250, 60)
    assert b.kept[-1] == []


def test_what_a_summary_told_is_kept_alive_too(engine: sa.Engine) -> None:
    """After a storm that was told in one message, each of its incidents is an alert of its own."""
    a = Keeping()
    one = Pager(Store(engine), Ways([Way("a", a)]), rules=Rules(default=RULES.default, per_hour=2))
    one.update([Condition(str(number), Severity.PAGE, "x") for number in range(5)], now=at(0))
    drain(one, 0, 5)
    assert sorted(a.kept[-1]) == [1, 2, 3, 4, 5]


def test_a_clock_that_steps_back_holds_nothing(engine: sa.Engine) -> None:
    """Pauses, failures and rounds from before the step do not last."""
    a, b = Out(LIMITED), Keeping()
    one = pager(engine, a, b)
    one.update([LOST], now=at(7200))
    one.deliver(at(7200))
    drain(one, 0, 320)
    assert len(b.got) == 1
    assert len(b.kept) >= 5


def test_every_way_is_checked_by_name(engine: sa.Engine) -> None:
    """A check asks all of them, whichever is in use."""
    assert pager(engine, Out(BROKEN), Out(), Out(DOWN)).check() == ["a: wrong token", "c: no answer from it"]


def test_names_must_differ() -> None:
    """Receipts and metrics go by them."""
    with pytest.raises(ValueError, match="name of its own"):
        Ways([Way("a", Out()), Way("a", Out())])


errors = st.sampled_from([None, DOWN, LIMITED, BROKEN, NEVER])


@given(st.lists(st.tuples(st.integers(0, 400), errors, errors), max_size=12))
def test_a_letter_always_has_a_way_in_the_end(
    story: list[tuple[int, DeliveryError | None, DeliveryError | None]],
) -> None:
    """Whatever has failed before, a letter finds a way within the longest pause, none while paused."""
    ways = Ways([Way("a", Out()), Way("b", Out())], after=timedelta(minutes=5))
    now = T0
    letter = Letter(Notice("1.1", 1, 1, Kind.OPENED, LOST, T0, T0))
    for wait, *pair in story:
        now += timedelta(seconds=wait)
        for name, error in zip("ab", pair, strict=True):
            if ways.health[name].paused(now):
                continue
            if error is None:
                ways.delivered(name, now)
            else:
                ways.failed(name, error, now)
    choice = ways.choose(letter, now)
    assert choice is None or not ways.health[choice.way.name].paused(now)
    later = ways.choose(letter, now + timedelta(minutes=10))
    assert later is not None
    assert later.way.name == "a"
