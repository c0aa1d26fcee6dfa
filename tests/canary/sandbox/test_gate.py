"""The gate: who passes, who waits, who is turned away."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest

from canary.sandbox.gate import Down, Gate, Mode, Throttled


class Visitor:
    """Enters a gate in a thread of its own and remembers how that ended."""

    def __init__(self, gate: Gate) -> None:
        self.ended: BaseException | None = None
        self._gate = gate
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()

    def _visit(self) -> None:
        try:
            self._gate.enter()
        except (Down, Throttled) as turned_away:
            self.ended = turned_away

    def waits(self, seconds: float = 0.1) -> bool:
        self._thread.join(seconds)
        return self._thread.is_alive()

    def leaves(self) -> bool:
        return not self.waits(30)


def test_an_open_gate_lets_everybody_in_at_once() -> None:
    """Nothing is held while the mode is open, which it is from the start."""
    visitor = Visitor(Gate())
    assert visitor.leaves()
    assert visitor.ended is None


def test_a_frozen_gate_holds_until_it_is_opened() -> None:
    """Who waits inside a frozen gate goes on as soon as it opens."""
    gate = Gate()
    gate.set("freeze")
    visitor = Visitor(gate)
    assert visitor.waits()
    gate.set("open")
    assert visitor.leaves()
    assert visitor.ended is None


def test_closing_releases_the_frozen_and_turns_away_later_ones() -> None:
    """Shutdown never waits for a fault to be healed."""
    gate = Gate()
    gate.set("freeze")
    visitor = Visitor(gate)
    assert visitor.waits()
    gate.close()
    assert visitor.leaves()
    assert isinstance(visitor.ended, Down)
    with pytest.raises(Down):
        gate.enter()


def test_a_slow_gate_takes_its_time() -> None:
    """A slow server answers, but not before the time it was given."""
    gate = Gate()
    gate.set("slow", by=timedelta(milliseconds=200))
    started = time.monotonic()
    visitor = Visitor(gate)
    assert visitor.leaves()
    assert time.monotonic() - started >= 0.2
    assert visitor.ended is None


def test_healing_a_slow_gate_frees_those_inside() -> None:
    """A request need not sleep to the end once the fault is gone."""
    gate = Gate()
    gate.set("slow", by=timedelta(hours=1))
    visitor = Visitor(gate)
    assert visitor.waits()
    gate.set("open")
    assert visitor.leaves()


@pytest.mark.parametrize(("mode", "answer"), [("down", Down), ("throttle", Throttled)])
def test_a_gate_can_turn_away(mode: Mode, answer: type[Exception]) -> None:
    """Down and throttle are told apart by the exception."""
    gate = Gate()
    gate.set(mode)
    with pytest.raises(answer):
        gate.enter()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda gate: gate.set(cast("Mode", "ajar")), "gate.mode: must be one of .* \\(got 'ajar'\\)"),
        (lambda gate: gate.set("slow", by=timedelta(seconds=-1)), "gate.by: must not be negative"),
    ],
)
def test_bad_settings_are_named(use: Callable[[Gate], None], message: str) -> None:
    """A wrong word or a negative time is refused and changes nothing."""
    gate = Gate()
    with pytest.raises(ValueError, match=message):
        use(gate)
    assert gate.mode == "open"
