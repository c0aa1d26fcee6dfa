"""Thousands of schedules from seeds: `python -m tests.virtual.many SEED` plays one of them again."""

import gc
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.virtual.failing import FailingLedger, place_in, short_lived
from tests.virtual.faults import CATALOGUE
from tests.virtual.oracle import faults
from tests.virtual.truth import unexplained
from tests.virtual.world import World

LONGEST = 30.0
APART = 3.0


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
        world.finish(peace=5, drain=5)
        wrong = faults(world, may_miss=any(fault.may_miss for fault in chosen))
        wrong += [f"false page: {key}" for key in unexplained(world, *chosen)]
    except Exception as error:
        wrong = [repr(error)]
    finally:
        world.close()
    return [f"seed {seed}: {[fault.name for fault in chosen]}\n{text}" for text in wrong]


def gently() -> None:
    """A process that computes for minutes leaves the cores to tests that run against real time."""
    gc.set_threshold(50_000)
    os.nice(10)


def play_all(count: int, first: int = 0, processes: int = 2) -> list[str]:
    """Many of them; all that was wrong, each with its seed."""
    with (
        short_lived() as folder,
        ProcessPoolExecutor(processes, initializer=gently) as workers,
    ):
        played = workers.map(partial(play, folder=Path(folder)), range(first, first + count), chunksize=10)
        return [wrong for found in played for wrong in found]


if __name__ == "__main__":
    with short_lived() as place:
        sys.stdout.write("\n".join(play(int(sys.argv[1]), Path(place))) + "\n")
