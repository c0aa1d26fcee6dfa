"""The switch at the entrance of a sandbox server: it lets requests in, holds, slows or turns them away."""

import threading
from datetime import timedelta
from typing import Literal, get_args

Mode = Literal["open", "freeze", "slow", "down", "throttle"]
MODES: tuple[Mode, ...] = get_args(Mode)


class Down(ConnectionError):  # noqa: N818 - reads as a state
    """The server plays dead: reset the connection, answer nothing."""


class Throttled(Exception):  # noqa: N818 - reads as a state
    """The server asks the caller to come back later: answer 429 with a Retry-After of one second."""


class Gate:
    """Shared by the threads of one server; each request enters it first, and any thread may set it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._mode: Mode = "open"
        self._by = timedelta()
        self._closed = False

    @property
    def mode(self) -> Mode:
        return self._mode

    def set(self, mode: Mode, *, by: timedelta = timedelta(seconds=5)) -> None:
        """Switch for everybody, those who wait inside included; `by` is how long a slow server sleeps."""
        if mode not in MODES:
            raise ValueError(f"gate.mode: must be one of {', '.join(MODES)} (got {mode!r})")
        if by < timedelta():
            raise ValueError(f"gate.by: must not be negative (got {by})")
        with self._changed:
            self._mode, self._by = mode, by
            self._changed.notify_all()

    def enter(self) -> None:
        """Return when the request may go on; raises Down or Throttled when it may not."""
        with self._changed:
            if self._mode == "slow":
                self._changed.wait_for(lambda: self._closed or self._mode != "slow", self._by.total_seconds())
            self._changed.wait_for(lambda: self._closed or self._mode != "freeze")
            if self._closed or self._mode == "down":
                raise Down("the gate is down")
            if self._mode == "throttle":
                raise Throttled("the gate throttles")

    def close(self) -> None:
        """Release everybody who waits, and turn away all who come later: the server is going away."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
