"""Thousands of schedules from seeds: `python -m tests.virtual.many SEED [LAST]` plays one of them again."""

import gc
import os
import random
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.virtual.failing import FailingLedger, place_in, short_lived
from tests.virtual.faults import CATALOGUE
from tests.virtual.oracle import faults
from tests.virtual.telling import told
from tests.virtual.truth import unexplained
from tests.virtual.world import World

LONGEST = 30.0
APART = 3.0
SELDOM = 50_000


def play(seed: int, folder: Path) -> list[str]:
    """One to three faults that overlap, perhaps a restart; what was said wrongly."""
    chance = random.Random(seed)
    pool = [fault for fault in CATALOGUE.values() if fault.lasts <= LONGEST and fault.kind != "clock"]
    chosen = chance.sample(pool, chance.randint(1, 3))
    world = World(place_in(folder), opens=FailingLedger.quick)
    try:
        world.run(chance.randint(3, 9))
        for fault in chosen:
            fault.apply(world)
            world.run(chance.uniform(0, APART) + 1)
        if chance.random() < 0.3:
            world.kill()
        world.run(3)
        for fault in chosen:
            fault.undo(world)
        if chance.random() < 0.5:  # nothing is sent any more once the answers of before are noted
            world.heal()
            world.run(1)
            world.sending = False
        world.finish(peace=20, drain=5)  # as long as the page of a ledger that was gone takes to end
        wrong = faults(world)
        wrong += [told(world, key) for key in unexplained(world, *chosen)]
    except Exception:
        wrong = [traceback.format_exc()]
    finally:
        world.close()
    return [f"seed {seed}: {[fault.name for fault in chosen]}\n{text}" for text in wrong]


def gently() -> None:
    """A process that computes for minutes leaves the cores to tests that run against real time."""
    gc.set_threshold(SELDOM)
    os.nice(10)


@contextmanager
def seldom_tidied() -> Iterator[None]:
    """Worlds are large and short-lived: to look for cycles among their objects again and again is waste."""
    before = gc.get_threshold()
    gc.set_threshold(SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def play_range(seeds: range) -> list[str]:
    """Many of them, one after the other; all that was wrong, each with its seed."""
    with short_lived() as folder, seldom_tidied():
        return [wrong for seed in seeds for wrong in play(seed, Path(folder))]


if __name__ == "__main__":
    sys.stdout.write("\n".join(play_range(range(int(sys.argv[1]), int(sys.argv[-1]) + 1))) + "\n")
