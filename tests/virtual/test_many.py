"""Many seeded schedules of the catalogue's faults, singly and together, with restarts in between.

Two classes, so that each of two workers takes one; `python -m tests.virtual.many SEED` plays one again.
"""

import os
import sys
import time

import pytest

from tests.virtual.many import play_range

COUNT = int(os.environ.get("CANARY_SCHEDULES", "100"))
PARTS = 10
"""How many tests each half is cut into."""


class _Half:
    """Every other chunk of all the seeds."""

    half: int

    @pytest.mark.timeout(900)
    @pytest.mark.parametrize("part", range(PARTS))
    def test_every_schedule_ends_in_right_verdicts(
        self, part: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Each failure begins with its seed, and tells the whole path of its canary."""
        number, chunks = 2 * part + self.half, 2 * PARTS
        seeds = range(COUNT * number // chunks, COUNT * (number + 1) // chunks)
        began, spent = time.monotonic(), time.process_time()
        wrong = play_range(seeds)
        took = f"{time.monotonic() - began:.0f} s ({time.process_time() - spent:.0f} s of a core)"
        with capsys.disabled():
            told = f"{len(seeds)} schedules from {seeds.start} on in {took}, {len(wrong)} wrong\n"
            sys.stderr.write(told)  # which a worker of pytest-xdist shares with who started it
        assert not wrong, "\n\n".join(wrong)


class TestOneHalf(_Half):
    half = 0


class TestTheOtherHalf(_Half):
    half = 1
