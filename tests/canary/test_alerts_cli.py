"""`canary alerts`: what people type reaches a pager that runs on the same ledger, within seconds."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import Receipt
from alerts.orders import ORDERS_EVERY, OrderBook
from alerts.pager import Pager
from alerts.rules import Rule, Rules
from alerts.store import Store
from canary.cli.main import invoke
from canary.ledger import Ledger
from tests.canary.config.samples import GOOD

LOST = Condition("lost:raw->events", Severity.PAGE, "3 canaries lost \x1b[31m", count=3)
LATE = Condition("late:main", Severity.TICKET, "2 of 60 late", count=2)


class Out:
    """A way out that keeps what it got."""

    def __init__(self) -> None:
        self.got: list[Notice] = []

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Keep it."""
        del thread
        self.got.append(notice)
        return Receipt("C", f"{len(self.got)}.0")

    def check(self) -> list[str]:
        """All is well here."""
        return []


class Daemon:
    """A pager on a ledger that it holds, and the command line beside it."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "canary.toml"
        self.config.write_text(GOOD)
        self.ledger = Ledger.open(f"sqlite:///{folder}/canary.db")
        self.out = Out()
        self.pager = Pager(
            Store(self.ledger.engine, begin=self.ledger.begin),
            self.out,
            rules=Rules(default=Rule(resolve_delay=timedelta(), repeat=timedelta(hours=1))),
            orders=OrderBook(self.ledger.engine, begin=self.ledger.begin),
        )
        self.now = datetime.now(UTC)

    def sees(self, *conditions: Condition, later: timedelta = ORDERS_EVERY) -> list[tuple[str, Kind]]:
        """What it decides to tell at its next look."""
        self.now += later
        told = self.pager.update(conditions, now=self.now)
        while self.pager.deliver(self.now):
            self.now += timedelta(seconds=1)
        return [(notice.key, notice.kind) for notice in told]

    def types(self, *words: str) -> int:
        """The exit code of `canary alerts ...`."""
        return invoke(["alerts", *words, "--config", str(self.config)])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.ledger.close()


def test_the_list_says_what_is_open(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """With its number, in one line each, and nothing in it can move the cursor."""
    assert daemon.types("list") == 0
    assert capsys.readouterr().out == "nothing is open\n"
    daemon.sees(LOST)
    assert daemon.types("list") == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("    1  page    lost:raw->events  since ")
    assert second == "       3 canaries lost \\x1b[31m"
    assert daemon.types("list", "--json") == 1
    known = json.loads(capsys.readouterr().out)
    assert [(one["number"], one["key"], one["messages"]) for one in known["incidents"]] == [(1, LOST.key, 1)]
    assert (known["schema"], known["silences"], known["messages_owed"]) == (1, [], 0)


def test_a_silence_keeps_quiet_until_it_is_ended(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not silenced is told meanwhile; what still holds is told at the end."""
    assert daemon.types("silence", "lost:", "--for", "2h", "--author", "ann", "--reason", "racks") == 0
    assert capsys.readouterr().out.startswith("silence 1: nothing about lost: until ")
    assert daemon.sees(LOST, LATE) == [(LATE.key, Kind.OPENED)]
    daemon.types("list")
    assert "by ann: racks" in capsys.readouterr().out
    assert daemon.types("silence", "--end", "1") == 0
    assert daemon.sees(LOST, LATE) == [(LOST.key, Kind.OPENED)]
    assert daemon.types("silence", "--end", "1") == 64
    assert "no silence of that number holds (got 1)" in capsys.readouterr().err


def test_an_acknowledged_incident_is_not_repeated(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """And the list says who has it in hand, before and after the pager has read it."""
    assert daemon.types("ack", "1") == 64
    assert "none of that number is open (got 1)" in capsys.readouterr().err
    daemon.sees(LOST)
    assert daemon.types("ack", "1", "--author", "ann") == 0
    daemon.types("list")
    assert "in hand: ann" in capsys.readouterr().out
    assert daemon.sees(LOST) == []
    daemon.types("list")
    assert "in hand: ann" in capsys.readouterr().out
    assert daemon.sees(LOST, later=timedelta(hours=2)) == []
    assert daemon.sees() == [(LOST.key, Kind.RESOLVED)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("silence",), "PREFIX: is missing"),
        (("silence", "lost:"), "--for: is missing"),
        (("silence", "lost:", "--for", "1h", "--end", "1"), "--end: goes without PREFIX and --for"),
        (("silence", "lost:", "--for", "0s"), '--for: must be above 0 (got "0s")'),
    ],
)
def test_a_half_order_is_refused(
    daemon: Daemon, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is missing, and nothing is written."""
    assert daemon.types(*words) == 64
    assert says in capsys.readouterr().err
    assert daemon.types("list") == 0
    assert "silence" not in capsys.readouterr().out


def test_without_a_ledger_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And makes none."""
    config = tmp_path / "canary.toml"
    config.write_text(GOOD)
    for words in (("list",), ("ack", "1"), ("silence", "", "--for", "1h")):
        assert invoke(["alerts", *words, "--config", str(config)]) == 73
        assert "there is no ledger here" in capsys.readouterr().err
    assert not (tmp_path / "canary.db").exists()


def test_a_pager_whose_orders_cannot_be_read_goes_on_as_it_was_told(daemon: Daemon) -> None:
    """A silence that was read holds while the database is away."""
    daemon.types("silence", "lost:", "--for", "2h")
    daemon.sees()
    with daemon.ledger.begin() as db:
        db.exec_driver_sql("ALTER TABLE alert_silences RENAME TO away")
    assert daemon.sees(LOST, LATE) == [(LATE.key, Kind.OPENED)]
    with daemon.ledger.begin() as db:
        db.exec_driver_sql("ALTER TABLE away RENAME TO alert_silences")


def test_what_is_over_for_long_is_forgotten(daemon: Daemon) -> None:
    """Messages sent, silences over and acknowledgements; what is open keeps its thread."""
    daemon.types("silence", "late:", "--for", "1s")
    daemon.sees(LOST)
    daemon.types("ack", "1")
    daemon.sees(LOST, LATE)
    daemon.sees()
    daemon.sees(LOST)
    assert daemon.pager.prune(daemon.now + timedelta(days=31)) > 2
    with daemon.ledger.engine.connect() as db:
        left = db.exec_driver_sql("SELECT key, incident FROM alert_incidents").all()
        kept = {row[0] for row in db.exec_driver_sql("SELECT incident FROM alert_outbox")}
        orders = db.exec_driver_sql("SELECT count(*) FROM alert_silences").scalar()
    assert {number for _, number in left} == kept
    assert orders == 0
