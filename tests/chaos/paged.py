"""A pager, for a process of its own, that kills itself at a point of the delivery.

It looks once a virtual second, whose number it keeps in a file: started again, it goes on where it died.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from alerts.condition import Amendment, Condition, Notice, Severity
from alerts.delivery import DeliveryError, Receipt, Sender
from alerts.fallback import Way, Ways
from alerts.pager import Pager
from alerts.rules import Rule, Rules
from alerts.slack import SlackSender
from alerts.store import Store
from alerts.tables import metadata

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "xoxb-chaos"
RULES = Rules(
    default=Rule(
        resolve_delay=timedelta(),
        repeat=None,
        amendable=timedelta(hours=1),
        amend_delay=timedelta(seconds=5),
    )
)
SPANS = {"lost:a": (2, 20), "lost:b": (5, 25)}
AMENDED = range(30, 33)
"""In these seconds it turns out, again and again, that one of the first was none."""
SECONDS = 60
PHASES = ("decided", "amended", "begun", "recorded")
"""What a transaction of the pager is for."""
POINTS = (
    *(f"{when} {phase}" for phase in PHASES for when in ("amid", "after")),
    "before the send",
    "after the send",
)


class Fuse:
    """SIGKILL in the nth passing of one point."""

    def __init__(self, point: str, number: int) -> None:
        self._point, self._number, self._passed = point, number, Counter[str]()
        self.phase = ""

    def here(self, point: str) -> None:
        """One of them is passed."""
        self._passed[point] += 1
        if point == self._point and self._passed[point] == self._number:
            os.kill(os.getpid(), signal.SIGKILL)


class Fused:
    """Slack, with a point before and after each message."""

    def __init__(self, inner: SlackSender, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Send, and perhaps die."""
        self._fuse.here("before the send")
        receipt = self._inner.send(notice, thread)
        self._fuse.here("after the send")
        self._fuse.phase = "recorded"
        return receipt

    def find(self, notice: Notice, thread: Receipt | None) -> Receipt | None:
        """As it is."""
        found = self._inner.find(notice, thread)
        self._fuse.phase = "recorded" if found else self._fuse.phase
        return found

    def check(self) -> list[str]:
        """As it is."""
        return self._inner.check()


class Dead:
    """A first way out that takes nothing."""

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Nobody is there."""
        del notice, thread
        raise DeliveryError("nobody is there", broken=True)

    def check(self) -> list[str]:
        """Nobody is there."""
        return ["nobody is there"]


def main(folder: Path, url: str, ways: str, point: str = "", number: int = 0) -> None:
    """Live until the end, or until the fuse."""
    fuse = Fuse(point, number)
    engine = sa.create_engine(f"sqlite:///{folder / 'outbox.db'}")
    metadata.create_all(engine)

    @contextmanager
    def begin() -> Iterator[sa.Connection]:
        with engine.begin() as db:
            yield db
            fuse.here(f"amid {fuse.phase}")
        fuse.here(f"after {fuse.phase}")

    slack: Sender = Fused(SlackSender(lambda: TOKEN, channel="C0SANDBOX01", url=url), fuse)
    order = [Way("slack", slack)] if ways == "first" else [Way("dead", Dead()), Way("slack", slack)]
    pager = Pager(Store(engine, begin=begin), Ways(order), rules=RULES)
    clock = folder / "second"
    for second in range(int(clock.read_text()) if clock.exists() else 0, SECONDS):
        clock.write_text(str(second))
        live(pager, second, fuse)
    if pager.owed():
        raise SystemExit("something is still owed")


def live(pager: Pager, second: int, fuse: Fuse) -> None:
    """One look, and one message."""
    now = T0 + timedelta(seconds=second)
    if second in AMENDED:
        fuse.phase = "amended"
        counted = T0 + timedelta(seconds=SPANS["lost:a"][0])
        pager.amend([Amendment("lost:a", "1", counted, counted, "arrived after all")], now=now)
    fuse.phase = "decided"
    true = [
        Condition(key, Severity.PAGE, key, count=3)
        for key, (begin, end) in SPANS.items()
        if begin <= second < end
    ]
    pager.update(true, now=now)
    fuse.phase = "begun"
    pager.deliver(now)
