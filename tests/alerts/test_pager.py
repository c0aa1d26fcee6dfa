"""The pager delivers what is owed once, in order, through crashes, refusals and a store that is gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError, Receipt
from alerts.pager import Hooks, Pager
from alerts.rules import Rule, Rules
from alerts.sending import STORE_KEY
from alerts.store import Store
from alerts.tables import metadata

T0 = datetime(2026, 1, 1, tzinfo=UTC)
RULES = Rules(default=Rule(resolve_delay=timedelta()))
LOST = Condition("lost", Severity.PAGE, "lost 3 of 60", count=3, ids=("x", "y", "z"))
LATE = Condition("late", Severity.TICKET, "late")


class Crash(BaseException):
    """The process ends here."""


def at(seconds: float) -> datetime:
    """That long after the start."""
    return T0 + timedelta(seconds=seconds)


@dataclass
class Out:
    """A way out that keeps what it got, and fails as told, before or after it took the message."""

    got: list[tuple[Notice, Receipt | None]] = field(default_factory=list)
    before: list[BaseException] = field(default_factory=list)
    after: list[BaseException] = field(default_factory=list)
    tries: int = 0
    never: str = ""

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Keep it, unless it has to fail."""
        self.tries += 1
        if notice.key == self.never:
            raise DeliveryError("not this one")
        if self.before:
            raise self.before.pop(0)
        self.got.append((notice, thread))
        if self.after:
            raise self.after.pop(0)
        return Receipt("C", f"{len(self.got)}.0")

    def check(self) -> list[str]:
        """All is well here."""
        return []

    @property
    def told(self) -> list[tuple[str, Kind]]:
        """Key and kind of each message, in order."""
        return [(notice.key, notice.kind) for notice, _ in self.got]


@dataclass
class Disk:
    """A database that can be taken away."""

    engine: sa.Engine
    gone: bool = False

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction, or the error of a disk that is full."""
        if self.gone:
            raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))
        with self.engine.begin() as db:
            yield db


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A fresh one with the tables."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'file.db'}", poolclass=NullPool)
    metadata.create_all(engine)
    yield Disk(engine)
    engine.dispose()


def pager(disk: Disk, out: Out, hooks: Hooks | None = None) -> Pager:
    """One that starts now."""
    return Pager(Store(disk.engine, begin=disk.begin), out, rules=RULES, hooks=hooks)


def drain(pager: Pager, start: float, *, seconds: int = 20) -> None:
    """Deliver as a loop would, once a second."""
    for second in range(seconds):
        pager.deliver(at(start + second))


def test_tells_the_opening_and_the_end_in_one_thread(disk: Disk) -> None:
    """The end is sent with the receipt of the opening, and nothing is owed afterwards."""
    out, decided, sent = Out(), list[str](), list[str]()
    hooks = Hooks(on_decided=lambda n: decided.append(n.id), on_sent=lambda n: sent.append(n.id))
    one = pager(disk, out, hooks)
    one.update([LOST], now=at(0))
    assert one.deliver(at(0))
    assert (decided, sent) == (["1.1"], ["1.1"])
    assert [incident.key for incident in one.incidents()] == ["lost"]
    one.update([], now=at(60))
    assert one.deliver(at(60))
    assert out.told == [("lost", Kind.OPENED), ("lost", Kind.RESOLVED)]
    assert [thread for _, thread in out.got] == [None, Receipt("C", "1.0")]
    assert (one.owed(), one.incidents(), one.deliver(at(120))) == (0, (), False)


def test_sends_at_most_one_message_a_second(disk: Disk) -> None:
    """The second message waits for the next second, even when asked for at once."""
    out = Out()
    one = pager(disk, out)
    one.update([LOST, LATE], now=at(0))
    assert [one.deliver(at(s)) for s in (0, 0.5, 0.99, 1)] == [True, False, False, True]


def test_a_restart_sends_what_is_owed_and_no_more(disk: Disk) -> None:
    """What was decided but not sent survives; what was sent is not sent again; threads are found again."""
    out = Out()
    pager(disk, out).update([LOST], now=at(0))
    two = pager(disk, out)
    drain(two, 1)
    assert [notice.repeat for notice, _ in out.got] == [False]
    three = pager(disk, out)
    three.update([LOST], now=at(30))
    drain(three, 30)
    assert len(out.got) == 1
    four = pager(disk, out)
    four.update([], now=at(60))
    drain(four, 60)
    assert out.got[1][0].kind is Kind.RESOLVED
    assert out.got[1][1] == Receipt("C", "1.0")


def test_a_crash_after_the_send_gives_a_marked_repeat(disk: Disk) -> None:
    """When the process dies between send and record, the message comes again and says so."""
    out = Out(after=[Crash()])
    one = pager(disk, out)
    one.update([LOST], now=at(0))
    with pytest.raises(Crash):
        one.deliver(at(0))
    drain(pager(disk, out), 10)
    assert [notice.repeat for notice, _ in out.got] == [False, True]


def test_a_lost_answer_gives_a_marked_repeat_and_a_refusal_does_not(disk: Disk) -> None:
    """Only where it may have arrived is the next try called a repeat."""
    lost = DeliveryError("no answer", uncertain=True)
    for error, repeats in ((lost, [False, True]), (DeliveryError("refused"), [False])):
        out = Out(after=[error]) if error is lost else Out(before=[error])
        one = pager(disk, out)
        one.update([LOST], now=at(0))
        drain(one, 0)
        assert [notice.repeat for notice, _ in out.got] == repeats
        one.update([], now=at(100))
        drain(one, 100)


def test_order_is_kept_while_the_opening_is_refused(disk: Disk) -> None:
    """The end of an incident waits for its opening, and the oldest message goes first."""
    busy = [DeliveryError("internal", retry_after=timedelta(seconds=5)) for _ in range(2)]
    out = Out(before=list(busy))
    one = pager(disk, out)
    one.update([LOST], now=at(0))
    one.deliver(at(0))
    one.update([LATE], now=at(1))
    drain(one, 1, seconds=60)
    assert out.told == [("lost", Kind.OPENED), ("lost", Kind.RESOLVED), ("late", Kind.OPENED)]


def test_one_message_that_fails_again_and_again_does_not_stop_the_others(disk: Disk) -> None:
    """Another incident gets its turn, while the failing one keeps its own order."""
    out = Out(never="lost")
    one = pager(disk, out)
    one.update([LOST], now=at(0))
    one.update([LATE], now=at(1))
    drain(one, 1, seconds=300)
    assert out.told == [("late", Kind.OPENED)]
    out.never = ""
    drain(one, 301, seconds=700)
    assert out.told[1:] == [("lost", Kind.OPENED), ("lost", Kind.RESOLVED)]


def test_honours_retry_after(disk: Disk) -> None:
    """Nothing at all is tried before the time that the other side named."""
    out = Out(before=[DeliveryError("slow down", retry_after=timedelta(seconds=7))])
    one = pager(disk, out)
    one.update([LOST, LATE], now=at(0))
    one.deliver(at(0))
    assert [one.deliver(at(s)) for s in (1, 3, 6.9)] == [False] * 3
    assert out.tries == 1
    assert one.deliver(at(7))


def test_backs_off_while_nothing_gets_through(disk: Disk) -> None:
    """An hour of outage costs some dozens of tries, and ends within half a minute of its end."""
    out = Out(before=[DeliveryError("down") for _ in range(10_000)])
    one = pager(disk, out)
    one.update([LOST], now=at(0))
    drain(one, 0, seconds=3600)
    assert 6 < out.tries < 150
    assert one.problems() == ("down",)
    out.before.clear()
    drain(one, 3600, seconds=600)
    assert out.told == [("lost", Kind.OPENED)]
    assert one.problems() == ()


def test_gives_up_on_what_can_never_be_sent_and_goes_on(disk: Disk) -> None:
    """A message that the other side will never take does not hold up the rest, nor come back at a restart."""
    out = Out(before=[DeliveryError("too long", permanent=True)])
    failed: list[str] = []
    one = pager(
        disk, out, Hooks(on_failed=lambda notice, error: failed.append(f"{notice.id} {error.reason}"))
    )
    one.update([LOST], now=at(0))
    one.update([], now=at(1))
    drain(one, 1)
    assert out.told == [("lost", Kind.RESOLVED)]
    assert failed == ["1.1 too long"]
    assert pager(disk, out).owed() == 0


def test_a_clock_that_steps_back_holds_no_message(disk: Disk) -> None:
    """Pauses set before a step back of an hour do not last an hour."""
    out = Out(before=[DeliveryError("down")])
    one = pager(disk, out)
    one.update([LOST], now=at(3600))
    one.deliver(at(3600))
    assert one.deliver(at(0))
    assert len(out.got) == 1


def test_pages_from_memory_while_the_store_is_gone(disk: Disk) -> None:
    """Without the store the outage itself and all that happens meanwhile are told, once each."""
    out = Out()
    one = pager(disk, out)
    disk.gone = True
    one.update([LOST], now=at(0))
    drain(one, 0)
    one.update([LOST, LATE], now=at(60))
    drain(one, 60)
    assert sorted(out.told) == [(STORE_KEY, Kind.OPENED), ("late", Kind.OPENED), ("lost", Kind.OPENED)]
    told = {notice.key: notice.content.title for notice, _ in out.got}
    assert told[STORE_KEY] == "the ledger is gone: database or disk is full"
    assert one.problems() == ("database or disk is full",)


def test_what_was_told_from_memory_is_written_when_the_store_is_back(disk: Disk) -> None:
    """After the outage a restart repeats nothing, and ends answer in the threads opened meanwhile."""
    out = Out()
    one = pager(disk, out)
    disk.gone = True
    one.update([LOST], now=at(0))
    drain(one, 0)
    disk.gone = False
    assert (one.update([LOST], now=at(60)), one.problems())[1] == ()
    two = pager(disk, out)
    two.update([], now=at(120))
    two.update([], now=at(200))
    drain(two, 200)
    ends = {notice.key: thread for notice, thread in out.got if notice.kind is Kind.RESOLVED}
    opened = [notice.key for notice, _ in out.got if notice.kind is Kind.OPENED]
    assert sorted(opened) == sorted(ends) == [STORE_KEY, "lost"]
    assert all(ends.values())


def test_tells_of_the_store_at_most_once_an_hour(disk: Disk) -> None:
    """However often the store comes and goes, or however long it stays away, its notice is hourly."""
    out = Out()
    one = pager(disk, out)
    for minute in range(300):
        disk.gone = minute >= 150 or minute % 7 < 3
        given = [LOST] if minute % 2 else [LATE]
        one.update(given, now=at(minute * 60))
        drain(one, minute * 60, seconds=10)
    times = [n.made_at for n, _ in out.got if n.key == STORE_KEY and n.kind is not Kind.RESOLVED]
    assert len(times) >= 4
    assert all(later - earlier >= timedelta(hours=1) for earlier, later in pairwise(times))


def test_writes_nothing_while_nothing_changes(disk: Disk) -> None:
    """Looks that find the same cost the database nothing."""
    one = pager(disk, Out())
    one.update([LOST], now=at(0))
    drain(one, 0)
    disk.gone = True
    assert (one.update([LOST], now=at(60)), one.problems()) == ((), ())
