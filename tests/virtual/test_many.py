"""Many seeded schedules of the catalogue's faults, singly and together, with restarts in between."""

import os
import time

import pytest

from tests.virtual.many import play_all

COUNT = int(os.environ.get("CANARY_SCHEDULES", "100"))


@pytest.mark.timeout(1500)
def test_every_schedule_ends_in_right_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    """Each failure begins with its seed: `python -m tests.virtual.many SEED` plays it again."""
    began = time.monotonic()
    wrong = play_all(COUNT)
    with capsys.disabled():
        print(f"\n{COUNT} schedules played in {time.monotonic() - began:.0f} s, {len(wrong)} wrong verdicts")  # noqa: T201
    assert wrong == []
