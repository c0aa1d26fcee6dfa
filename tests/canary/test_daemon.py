"""The daemon's loops: a step that hangs is named, a step that fails ends everything."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from canary.daemon import Daemon
from canary.values import Look
from tests.virtual.world import World


@dataclass(slots=True)
class QuickClock:
    """A monotonic clock that can be put forward."""

    ahead: float = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def wall(self) -> datetime:
        return datetime.now(UTC)


class Hanging:
    """A stage whose look does not come back until it is let go, and then fails if it is told to."""

    def __init__(self, stage: str, *, fails: bool) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self._stage, self._fails = stage, fails

    def look(self, wanted: object) -> Look:
        del wanted
        self.entered.set()
        self.go.wait(120)
        if self._fails:
            raise RuntimeError("a bug")
        time.sleep(0.01)
        now = datetime.now(UTC)
        return Look(self._stage, started_at=now, ended_at=now)

    def close(self) -> None:
        self.go.set()


@contextmanager
def _running(path: Path, stage: Hanging) -> Iterator[tuple[Daemon, QuickClock, threading.Thread, World]]:
    world, clock = World(path / "ledger.db"), QuickClock()
    world.watch.stages = {**world.watch.stages, "raw": stage}
    daemon = Daemon(world.watch, clock=clock)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            daemon.run()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert stage.entered.wait(60)
        yield daemon, clock, thread, world
    finally:
        daemon.stop()
        stage.close()
        thread.join(5)
        world.ledger.close()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20  # less than it takes for a step to be called stuck
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_step_that_stops_ticking_is_named(tmp_path: Path) -> None:
    """Only the hanging one, once it has hung for longer than any client's deadline; it may come back."""
    stage = Hanging("raw", fails=False)
    with _running(tmp_path, stage) as (daemon, clock, _, world):
        assert daemon.stuck() == []
        clock.ahead = timedelta(seconds=40).total_seconds()
        _until(lambda: len(daemon.stuck()) == 1)
        assert [problem.partition(" has ")[0] for problem in daemon.stuck()] == ["the step 'follow raw'"]
        assert daemon.stuck()[0] in daemon.unready()
        name, registry = "ingestion_canary_step_age_seconds", world.watch.desk.metrics.registry
        assert (registry.get_sample_value(name, {"step": "follow raw"}) or 0) > 30
        assert (registry.get_sample_value(name, {"step": "settle"}) or 0) < 30
        stage.go.set()
        _until(lambda: daemon.stuck() == [])


def test_a_step_that_fails_ends_the_daemon(tmp_path: Path) -> None:
    """A loop that ended is a monitor that lies: the whole daemon ends, with the step's own error."""
    stage = Hanging("raw", fails=True)
    with _running(tmp_path, stage) as (daemon, _, thread, _world):
        stage.go.set()
        thread.join(6)
        assert not thread.is_alive()
        with pytest.raises(RuntimeError, match="a bug"):
            raise daemon.failure or AssertionError("no failure was noted")
