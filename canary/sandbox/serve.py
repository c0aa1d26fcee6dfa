"""Runs a sandbox in the foreground until it is told to stop."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from canary.sandbox.control import Control
from canary.sandbox.state import alone, forget_state
from canary.sandbox.supervisor import Sandbox

_SWITCH = 0.001


def serve(
    folder: Path,
    *,
    broker: str,
    partitions: int | None,
    say: Callable[[str], None],
    until_eof: bool = False,
) -> None:
    """Returns on SIGTERM or Ctrl-C, with everything stopped; raises ImpossibleError, with everything stopped.

    With `until_eof` it also ends when its standard input does, so that it never outlives who started it.
    """
    sys.setswitchinterval(_SWITCH)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    if until_eof:
        threading.Thread(target=_watch_input, name="until eof", daemon=True).start()
    with alone(folder):
        sandbox = Sandbox(folder, broker=broker, partitions=partitions)
        control = Control(sandbox)
        try:
            sandbox.start(control_port=control.start)
            say("ready")
            threading.Event().wait()
        except KeyboardInterrupt:
            _deafen()
        finally:
            _deafen()
            forget_state(folder)
            control.stop()
            sandbox.stop()


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - the signature of a handler
    _deafen()
    raise KeyboardInterrupt


def _deafen() -> None:
    """One signal is enough: a second one would break off the stopping."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _watch_input() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
