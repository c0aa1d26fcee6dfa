"""Settling: what is kept to be told of stays bounded, and no count suffers from it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from canary.clock import Line, SystemClock
from canary.desk import Desk, Plan
from canary.identity import Mint
from canary.ledger import Ledger
from canary.metrics import Metrics
from canary.probe import Schedule
from canary.readings import StageSpec
from canary.settle import MAX_LATE, Settler
from canary.values import Answer, Difference, Owed, Seen
from reconcile.compare import Limits
from reconcile.outcome import Outcome, Receipt

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIMITS = Limits(objective=timedelta(seconds=2), patience=MINUTE, lost_after=MINUTE)
MINT = Mint(b"a secret for these tests", "main")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """One table and nothing before it."""
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        yield Desk(
            plan=Plan(Schedule(MINUTE, MINUTE), LIMITS),
            stages=[StageSpec("events", topic=False, place="events")],
            ledger=ledger,
            line=Line(SystemClock()),
            metrics=Metrics(CollectorRegistry(), probes=["main"], stages=["events"]),
        )


def _late(desk: Desk, differences: tuple[Difference, ...] = ()) -> None:
    """A canary that came five seconds after it was sent, surely no sooner."""
    there = START + timedelta(seconds=5)
    owed = Owed(MINT.mint(START), "main", 0, "canary-main-0", START, START, START + 2 * MINUTE, 1, "")
    entry = desk.book.add(owed)
    entry.answer = Answer(Receipt.ACCEPTED, START, START, 1, 200, "200 OK")
    entry.copies_checked = True
    desk.book.saw(entry, Seen(owed.id, "events", "events", there, there, differences=differences))


def test_late_ones_are_all_counted_and_not_all_kept(desk: Desk) -> None:
    """A pipeline that is late all day fills no memory; those that are corrupt too are all told of."""
    odd = (Difference("event", "a", "b"),)
    for _ in range(5):
        _late(desk, odd)
    for _ in range(MAX_LATE + 5):
        _late(desk)
    settler = Settler(desk)
    [report] = settler.settle(START + 3 * MINUTE).windows
    assert report.outcomes[Outcome.LATE] == report.sent == MAX_LATE + 10
    told = settler.told()
    assert len({entry.owed.id for entry in told}) == len(told) == MAX_LATE + 5
    assert sum(entry.corrupt for entry in told) == 5
