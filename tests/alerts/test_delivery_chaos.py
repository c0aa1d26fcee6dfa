"""Slack down for an hour or limited for minutes, answers lost, the process killed: every end is told."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from alerts.condition import Condition, Notice, Severity
from alerts.delivery import Receipt
from alerts.fallback import Way, Ways
from alerts.pager import Pager
from alerts.rules import Rule, Rules
from alerts.slack import SlackSender
from alerts.store import Store
from alerts.tables import metadata
from canary.sandbox.gate import Gate
from canary.sandbox.slack import SlackStandIn

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "xoxb-chaos"
REPEAT = "a repeat: you may have had this message before"
RULES = Rules(default=Rule(resolve_delay=timedelta(), repeat=None))


class Killed(BaseException):
    """kill -9, here."""


@dataclass
class Points:
    """Places where the process can die; it does at the one whose turn has come, once."""

    die_at: int = -1
    passed: int = 0
    names: list[str] = field(default_factory=list)

    def here(self, name: str) -> None:
        """One of them."""
        self.names.append(name)
        self.passed += 1
        if self.passed - 1 == self.die_at:
            raise Killed(name)


@dataclass
class Mortal:
    """Slack's sender, with points before and after each call."""

    inner: SlackSender
    points: Points

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Send, and perhaps die."""
        self.points.here("before the send")
        receipt = self.inner.send(notice, thread)
        self.points.here("after the send")
        return receipt

    def find(self, notice: Notice, thread: Receipt | None) -> Receipt | None:
        """Look, and perhaps die."""
        found = self.inner.find(notice, thread)
        self.points.here("after the lookup")
        return found

    def check(self) -> list[str]:
        """As it is."""
        return self.inner.check()


@dataclass
class Stage:
    """A Slack, a database that outlives the pager, a clock that is moved by hand, and the pager of now."""

    slack: SlackStandIn
    gate: Gate
    engine: sa.Engine
    points: Points
    clock: list[float]
    deaths: int = 0

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction with points before it, inside it and after it."""
        self.points.here("before a transaction")
        with self.engine.begin() as db:
            yield db
            self.points.here("before its commit")
        self.points.here("after its commit")

    def pager(self) -> Pager:
        """One that starts now."""
        sender = SlackSender(lambda: TOKEN, channel="C0SANDBOX01", url=self.slack.api_url, timeout=1)
        ways = Ways([Way("slack", Mortal(sender, self.points))])
        return Pager(Store(self.engine, begin=self.begin), ways, rules=RULES)

    def play(
        self, true: Callable[[int], list[Condition]], seconds: int, during: Callable[[int], None]
    ) -> None:
        """A loop a second: look, then deliver until nothing may go; killed, it is started again."""
        one: Pager | None = None
        for second in range(seconds):
            self.clock[0] = float(second)
            during(second)
            now = T0 + timedelta(seconds=second)
            try:
                one = one or self.pager()
                one.update(true(second), now=now)
                one.deliver(now)
            except Killed:
                self.deaths += 1
                one = None
        assert one is not None
        assert one.owed() == 0

    def told(self) -> Counter[tuple[str, str]]:
        """Kind and incident of each message, as its metadata has it."""
        found = Counter[tuple[str, str]]()
        for message in self.slack.messages:
            assert message.metadata is not None
            payload = message.metadata["event_payload"]
            found[payload["kind"], payload["notice"].partition(".")[0]] += 1
        return found

    def repeats(self) -> int:
        """How many messages came marked as such."""
        return sum(REPEAT in json.dumps(message.blocks) for message in self.slack.room.posted)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A fresh one, whose Slack refuses more than a message a second."""
    gate, clock = Gate(), [0.0]
    slack = SlackStandIn(gate=gate, token=TOKEN, clock=lambda: clock[0])
    slack.room.limits = True
    slack.start()
    engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine)
    yield Stage(slack, gate, engine, Points(), clock)
    slack.stop()
    engine.dispose()
    assert slack.room.broken == []


def open_between(*spans: tuple[int, int]) -> Callable[[int], list[Condition]]:
    """Conditions that are true from one second to another."""

    def true(second: int) -> list[Condition]:
        return [
            Condition(f"lost:{number}", Severity.PAGE, f"lost {number}", count=3)
            for number, (begin, end) in enumerate(spans)
            if begin <= second < end
        ]

    return true


def each_once(incidents: int) -> Counter[tuple[str, str]]:
    """An opening and an end for each."""
    return Counter(
        (kind, str(number)) for number in range(1, incidents + 1) for kind in ("opened", "resolved")
    )


@pytest.mark.parametrize("mode", ["down", "throttle"])
def test_after_an_hour_without_slack_every_incident_is_told_with_its_end(stage: Stage, mode: str) -> None:
    """Those that opened before, during and after; none twice, none marked, each end in its thread."""
    length = 3600 if mode == "down" else 600
    spans = [
        (0, 100),
        (50, 5 * length),
        (70, 90),
        (length // 2, length // 2 + 60),
        (length + 100, length + 150),
    ]

    def during(second: int) -> None:
        if second == 60:
            stage.gate.set("down" if mode == "down" else "throttle")
        if second == 60 + length:
            stage.gate.set("open")

    stage.play(open_between(*spans), length + 300, during)
    expected = each_once(5)
    del expected["resolved", "2"]
    # While Slack is down its resets leave open whether it got the message; the lookup says that it did not.
    assert stage.told() == expected
    threads = {message.ts for message in stage.slack.messages if message.thread_ts is None}
    assert len(threads) == 5
    if mode == "throttle":
        assert stage.repeats() == 0


@pytest.mark.parametrize("looks", [True, False])
def test_lost_answers_are_looked_up_or_marked(stage: Stage, looks: bool) -> None:
    """With the right to look nothing comes twice; without it each repeat says what it is."""
    if not looks:
        stage.slack.room.scopes.discard("channels:history")

    def during(second: int) -> None:
        if second in (10, 40, 100):
            stage.slack.lose_answers(1)

    stage.play(open_between((10, 60), (40, 100), (45, 130)), 300, during)
    told, once = stage.told(), each_once(3)
    assert set(told) == set(once)
    assert told.total() - once.total() == stage.repeats() == (0 if looks else 3)


def test_a_kill_at_any_point_loses_nothing_and_repeats_only_marked(stage: Stage) -> None:
    """Before, inside and after each transaction, before and after each send: the same messages come out."""
    story = open_between((2, 20), (5, 30))
    stage.play(story, 60, lambda _: None)
    assert stage.told() == each_once(2)
    names = list(stage.points.names)
    assert set(names) == {
        "before a transaction",
        "before its commit",
        "after its commit",
        "before the send",
        "after the send",
    }
    for point in range(len(names)):
        again = Stage(
            SlackStandIn(gate=Gate(), token=TOKEN),
            stage.gate,
            sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}),
            Points(die_at=point),
            stage.clock,
        )
        metadata.create_all(again.engine)
        # Every other time without the right to look, so that repeats are seen as well.
        if point % 2:
            again.slack.room.scopes.discard("channels:history")
        again.slack.start()
        again.play(story, 90, lambda _: None)
        told, once = again.told(), each_once(2)
        again.slack.stop()
        again.engine.dispose()
        assert again.deaths == 1, names[point]
        assert set(told) == set(once), names[point]
        # A message comes twice only where it was sent and that was not noted, and then it says so.
        twice = told.total() - once.total()
        assert twice <= again.repeats() <= 1, names[point]
        assert not (twice and point % 2 == 0), names[point]


def test_a_day_without_slack_ends_in_one_summary(stage: Stage) -> None:
    """After 24 hours nobody reads forty messages: one tells what was, and later ones come singly again."""
    spans = [(hour * 3600, hour * 3600 + 600) for hour in range(25)]
    true = open_between(*spans, (25 * 3600 + 400, 26 * 3600))
    one = stage.pager()
    stage.gate.set("down")
    for second in range(0, 26 * 3600, 60):
        stage.clock[0] = float(second)
        if second == 25 * 3600 + 300:
            stage.gate.set("open")
        now = T0 + timedelta(seconds=second)
        one.update(true(second), now=now)
        one.deliver(now)
    summary, after = stage.slack.messages
    shown = json.dumps(summary.blocks)
    assert "50 messages in one" in summary.text
    assert "*opened*\\n25" in shown
    assert "*resolved*\\n25" in shown
    assert "since" in shown
    assert after.text == "🔴 lost 25"
    assert one.owed() == 0


def test_a_burst_is_one_message_and_each_of_it_is_named(stage: Stage) -> None:
    """Thirty at once would take half a minute and be read by nobody."""
    rules = Rules(default=RULES.default, per_hour=100, burst=50)
    one = Pager(Store(stage.engine), Ways([Way("slack", Mortal(_slack(stage), Points()))]), rules=rules)
    one.update([Condition(str(n), Severity.PAGE, f"lost {n}") for n in range(30)], now=T0)
    one.deliver(T0)
    (message,) = stage.slack.messages
    assert all(f"lost {number}" in json.dumps(message.blocks) for number in range(30))
    assert one.owed() == 0


def _slack(stage: Stage) -> SlackSender:
    return SlackSender(lambda: TOKEN, channel="C0SANDBOX01", url=stage.slack.api_url, timeout=1)
