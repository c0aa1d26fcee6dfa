"""The daemon's real loops and edges on a machine whose wall clock is stepped by an hour."""

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from bench.running import configuration
from canary.app import App, build
from canary.config import load as load_config
from canary.daemon import Daemon
from canary.sandbox.handle import Handle
from canary.sandbox.ports import free_port
from reconcile.outcome import Outcome
from tests.e2e.checking import peace
from tests.e2e.daemons import load, told

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.timeout(150),
    # The daemon's end waits for no edge that is under way; what it holds goes with the process, here with gc.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass(slots=True)
class SteppedClock:
    """The machine's clocks, the one on the wall wrong by `off`."""

    off: timedelta = timedelta(0)

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC) + self.off


@contextmanager
def _daemon(sandbox: Handle, name: str, clock: SteppedClock) -> Iterator[App]:
    """A whole daemon in this process; what a loop of it raised is raised here."""
    config = load_config(configuration(sandbox, load(name), free_port()), env={}, overrides={}).config
    app = build(config, clock=clock)
    daemon = Daemon(app.watch, clock=clock)
    thread = threading.Thread(target=daemon.run, daemon=True)
    thread.start()
    try:
        yield app
        assert daemon.stuck() == []
    finally:
        daemon.stop()
        thread.join(10)
        app.ledger.close()
        gc.collect()
    assert daemon.failure is None


def _count(app: App, outcome: Outcome) -> float:
    hop = "end_to_end" if outcome is not Outcome.LOST else "processed->events"
    name = "ingestion_canary_outcomes_total"
    labels = {"probe": "sandbox", "outcome": outcome.value, "hop": hop}
    return app.metrics.registry.get_sample_value(name, labels) or 0.0


def _until(app: App, outcome: Outcome, count: float) -> None:
    deadline = time.monotonic() + 45
    while _count(app, outcome) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _count(app, outcome) >= count


@pytest.mark.parametrize("hours", [1, -1])
def test_a_stepped_wall_clock_loses_nothing(sandbox: Handle, hours: int) -> None:
    """A page is open when the clock steps: the canaries in flight arrive, and nobody is paged again."""
    peace(sandbox)
    said, clock = told(sandbox), SteppedClock()
    with _daemon(sandbox, f"clock{hours}", clock) as app:
        _until(app, Outcome.ON_TIME, 5)
        sandbox.fault("drop", at="events", count=1, canaries=True)
        _until(app, Outcome.LOST, 1)
        clock.off = timedelta(hours=hours)
        _until(app, Outcome.ON_TIME, _count(app, Outcome.ON_TIME) + 80)
        assert _count(app, Outcome.LOST) == 1
        windows = app.watch.settler.reports.values()
        assert [one for one in windows if sum(one.outcomes.values()) != one.sent] == []
    pages = said.pages()
    assert len([title for title in pages if "lost between processed and events" in title]) == 1, pages
    assert len(pages) == 1
