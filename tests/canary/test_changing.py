"""The step that asks the parts: how often, what it keeps over a restart, and what it does about trouble."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from canary.changing import Observer, Pace
from canary.described import CannotTellError, Description, Keeps
from canary.ledger import Ledger

T0 = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PACE = Pace(every=5 * MINUTE, in_trouble=timedelta(seconds=30))


@dataclass
class Part:
    """Says what it is told to say, and remembers when it was asked, since when, and whether in trouble."""

    world: "World"
    said: dict[str, str] = field(default_factory=lambda: {"partitions": "4"})
    who: str = ""
    away: bool = False
    asked: list[tuple[datetime, datetime, bool]] = field(default_factory=list)
    done: tuple[tuple[datetime, str], ...] = ()

    def describe(self, since: datetime, *, trouble: bool) -> Description:
        """As it is now."""
        self.asked.append((self.world.now, since, trouble))
        if self.away:
            raise CannotTellError("raw: connection refused")
        return Description(
            at=self.world.now,
            said={"topic raw": dict(self.said)},
            who=self.who,
            done=self.done,
            keeps=Keeps(timedelta(days=1), "retention.ms"),
            warned={"too_large": 2} if trouble else {},
            warned_since=self.world.now - MINUTE if trouble else None,
        )


@dataclass
class World:
    """A clock, a ledger and two parts."""

    ledger: Ledger
    now: datetime = T0
    trouble: frozenset[str] = frozenset()
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.raw, self.events = Part(self), Part(self)

    def observer(self) -> Observer:
        """A fresh one, as after a start."""
        made = Observer(
            {"raw": self.raw, "events": self.events},
            pace=PACE,
            trouble=lambda: self.trouble,
            ledger=self.ledger,
            now=lambda: self.now,
            tell=self.told.append,
        )
        made.restore()
        return made

    def run(self, observer: Observer, minutes: float) -> None:
        """Steps as the daemon makes them."""
        until = self.now + minutes * MINUTE
        while self.now < until:
            self.now += max(observer.step(), timedelta(milliseconds=100))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield World(opened)


def test_a_change_is_kept_with_the_time_between_the_readings(world: World) -> None:
    """Told once, written down, and there for the rules."""
    observer = world.observer()
    world.run(observer, 1)
    world.raw.said["partitions"] = "8"
    world.run(observer, 12)

    (change,) = observer.background.changes
    assert (change.stage, change.told) == ("raw", "topic raw: partitions 4 -> 8")
    assert change.since < T0 + MINUTE < change.until
    assert change.until - change.since <= PACE.every + timedelta(seconds=2)
    assert world.told == ["raw changed: topic raw: partitions 4 -> 8"]
    assert world.ledger.changes(T0) == [change]
    assert observer.background.keeps["raw"] == Keeps(timedelta(days=1), "retention.ms")


def test_each_part_is_asked_rarely_and_sooner_in_trouble(world: World) -> None:
    """A guest asks as often as was promised, and never more; a part that is away is no exception."""
    observer = world.observer()
    world.raw.away = True
    world.run(observer, 60)
    calm = [at for at, _, _ in world.raw.asked]
    world.trouble = frozenset({"lost:raw->events"})
    world.run(observer, 10)
    pressed = [at for at, _, _ in world.raw.asked][len(calm) :]

    assert 12 <= len(calm) <= 13
    assert len(world.events.asked) == len(world.raw.asked)
    assert all(b - a >= PACE.in_trouble for a, b in pairwise(pressed))
    assert 18 <= len(pressed) <= 21
    world.run(observer, 60)
    assert len(world.raw.asked) <= len(calm) + len(pressed) + 13  # it has been wrong for long
    world.trouble |= {"late:main"}
    world.run(observer, 5)
    assert len(world.raw.asked) >= len(calm) + len(pressed) + 12 + 9
    assert observer.background.warned["events"].counts == {"too_large": 2}
    assert world.told == ["what changed in raw cannot be told: raw: connection refused"]


def test_what_changed_while_we_were_stopped_shows_after_the_start(world: World) -> None:
    """What was said before is in the ledger, and so is what had changed."""
    observer = world.observer()
    world.run(observer, 1)
    world.raw.said["partitions"] = "8"
    world.run(observer, 6)
    world.raw.said["partitions"] = "16"
    world.now += timedelta(minutes=20)
    again = world.observer()
    assert [one.told for one in again.background.changes] == ["topic raw: partitions 4 -> 8"]
    world.run(again, 1)

    assert [one.told for one in again.background.changes][1:] == ["topic raw: partitions 8 -> 16"]


def test_servers_behind_one_address_are_not_taken_for_a_change(world: World) -> None:
    """Each is held against itself, and what two of them tell is told once."""
    observer = world.observer()
    for number in range(6):
        world.events.who = "ab"[number % 2]
        world.events.said = {"uuid": world.events.who}
        world.run(observer, 5)
    assert not observer.background.changes
    for number in range(4):
        world.events.who = "ab"[number % 2]
        world.events.said = {"uuid": world.events.who, "column x": "String"}
        world.events.done = ((T0 + 31 * MINUTE, "events: Alter by ann"),)
        world.run(observer, 5)

    told = [one.told for one in observer.background.changes]
    assert told.count("events: Alter by ann") == 1
    assert "topic raw: column x is new (String)" in told


def test_our_own_settings_of_another_run_are_held_against_these(world: World) -> None:
    """They count from the start that brought them into force."""
    settings = Description(at=T0, said={"settings": {"canary.grace": '"60s"'}})
    world.observer().ourselves(settings)
    world.now = T0 + timedelta(days=3)
    observer = world.observer()
    observer.ourselves(replace(settings, at=world.now, said={"settings": {"canary.grace": '"30s"'}}))

    (change,) = observer.background.changes
    assert (change.stage, change.told) == ("", 'settings: canary.grace "60s" -> "30s"')
    assert change.since == change.until == world.now


def test_a_ledger_that_is_gone_stops_nothing(world: World) -> None:
    """What could not be written comes with a later reading."""
    observer = world.observer()
    world.run(observer, 1)
    world.ledger.close()
    world.raw.said["partitions"] = "8"
    world.run(observer, 6)

    assert [one.told for one in observer.background.changes] == ["topic raw: partitions 4 -> 8"]
