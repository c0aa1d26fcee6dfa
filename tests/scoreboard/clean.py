"""A day on which nothing goes wrong: latency has its tails, consumers are deployed, the monitor restarts."""

import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from canary.probe import Schedule
from tests.virtual.oracle import faults
from tests.virtual.pipeline import EVENTS, PROCESSED
from tests.virtual.telling import told
from tests.virtual.terms import Terms
from tests.virtual.truth import unexplained
from tests.virtual.world import World

HOUR = 3600
TICK = 5.0
TERMS = Terms(objective=30, patience=90, lost_after=1800)


@dataclass(frozen=True, slots=True)
class Day:
    """What was said in so many hours of peace."""

    hours: int
    canaries: int
    restarts: int
    deployments: int
    wrong: tuple[str, ...]
    pages: tuple[str, ...]


def day(hours: int = 24, seed: int = 1) -> Day:
    """Play it; the limits are the program's own defaults."""
    chance = random.Random(seed)
    with TemporaryDirectory() as folder:
        minute = timedelta(minutes=1)
        world = World(Path(folder) / "ledger.db", times=Schedule(minute, minute), terms=TERMS, rate=0.2)
        try:
            restarts = deployments = 0
            for _ in range(hours * 2):
                _run(world, chance, chance.uniform(0.1, 0.4) * HOUR)
                if chance.random() < 0.5:
                    deployments += 1
                    _deploy(world, chance)
                if chance.random() < 0.25:
                    restarts += 1
                    world.sleep(chance.uniform(1, 20))
                    world.kill()
                spent = (world.clock.monotonic() - 1000.0) % (HOUR / 2)
                _run(world, chance, HOUR / 2 - spent)
            world.finish(tick=TICK, peace=300)
            world.run(180, TICK)  # the last window and its grace
            wrong, pages = tuple(faults(world)), tuple(told(world, key) for key in unexplained(world))
            return Day(hours, len(world.mine), restarts, deployments, wrong, pages)
        finally:
            world.close()


def _run(world: World, chance: random.Random, seconds: float) -> None:
    """Inserts come in batches, and now and then a hop takes seconds."""
    for _ in range(round(seconds / TICK)):
        for stage in (PROCESSED, EVENTS):
            world.pipeline.hold[stage] = min(chance.lognormvariate(-1.0, 1.2), 12.0)
        world.run(TICK, TICK)


def _deploy(world: World, chance: random.Random) -> None:
    """A consumer stops, rebalances and goes on where it was."""
    stage = chance.choice((PROCESSED, EVENTS))
    world.pipeline.stopped.add(stage)
    _run(world, chance, chance.uniform(5, 15))
    world.pipeline.stopped.discard(stage)
