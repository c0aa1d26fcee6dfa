"""A child and the shell that guards it: when they are said to be gone, all of them are."""

import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from canary.sandbox.child import Child

LINGERS = [sys.executable, "-c", "import time; time.sleep(60)"]
ENDS = [sys.executable, "-c", "pass"]


def naming(text: str) -> list[int]:
    """The processes that live and have this in their command line."""
    return [
        one.pid
        for one in psutil.process_iter(["cmdline", "status"])
        if text in " ".join(one.info["cmdline"] or []) and one.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize("patience", [timedelta(0), timedelta(seconds=10)])
def test_nothing_is_left_of_one_that_was_stopped(tmp_path: Path, patience: timedelta) -> None:
    """Killed, or asked to end."""
    log = tmp_path / "log"
    child = Child(LINGERS, log=log)
    child.start()
    assert naming(str(log))
    child.stop(patience=patience)

    assert naming(str(log)) == []


def test_nothing_is_left_of_one_that_ended_by_itself(tmp_path: Path) -> None:
    """Not even who would have killed it, and now might kill a stranger."""
    log = tmp_path / "log"
    child = Child(ENDS, log=log)
    child.start()
    deadline = time.monotonic() + 30
    while child.alive() and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not child.alive()
    assert naming(str(log)) == []
    child.stop()
