"""A clock that goes only when it is told to, and whose wall can be stepped."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STARTED = 1000.0
"""What the monotonic clock shows then."""


class VirtualClock:
    """Both clocks of a machine. `advance` moves them together, `step_wall` only the one on the wall."""

    def __init__(self, start: datetime = START) -> None:
        self._wall = start
        self._monotonic = STARTED

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> datetime:
        return self._wall

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"seconds: must not be negative (got {seconds})")
        self._monotonic += seconds
        self._wall += timedelta(seconds=seconds)

    def step_wall(self, seconds: float) -> None:
        self._wall += timedelta(seconds=seconds)
