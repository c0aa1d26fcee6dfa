"""What blinds or misleads the monitor's eyes: each edge in its ways, and the clocks."""

from collections.abc import Iterator
from datetime import timedelta

from tests.virtual.naming import Deed, Named
from tests.virtual.pipeline import EVENTS, PROCESSED, RAW, STAGES
from tests.virtual.world import World

TOPIC = ("cut off", "authentication expired", "name not known", "codec not installed")
TABLE = ("refusing", "replica is stale", "a shard is missing", "result truncated: overflow mode")
YEAR = 365 * 24 * 3600.0


def faults() -> Iterator[Named]:
    """All of them."""
    for stage in STAGES:
        for why in TABLE if stage == EVENTS else TOPIC:
            yield Named(
                f"{stage} blind: {why}",
                "blind",
                _blind(stage, why),
                _see(stage),
                lasts=60,
                stage=stage,
                pages=(f"blind:{stage}",),
            )
        yield Named(f"{stage} slow", "slow", _slow(stage, 2.0), _slow(stage, 0.001), lasts=30, stage=stage)
    for stage in (RAW, PROCESSED):
        yield Named(
            f"{stage} read in bites of one record, in no order",
            "order",
            _bite(stage),
            _whole(stage),
            lasts=30,
            stage=stage,
        )
        yield Named(
            f"positions of {stage} unreadable",
            "blind",
            _hide(stage),
            _show(stage),
            lasts=30,
            stage=stage,
        )
    yield Named(
        f"{EVENTS} answers for every second id only",
        "blind",
        lambda world: world.eyes.partial.add(EVENTS),
        lambda world: world.eyes.partial.discard(EVENTS),
        lasts=30,
        stage=EVENTS,
    )
    yield from _clocks()


def _blind(stage: str, why: str) -> Deed:
    return lambda world: world.eyes.blind.update({stage: why})


def _see(stage: str) -> Deed:
    return lambda world: world.eyes.blind.pop(stage, None)


def _slow(stage: str, seconds: float) -> Deed:
    return lambda world: world.eyes.slow.update({stage: seconds})


def _bite(stage: str) -> Deed:
    return lambda world: world.eyes.bites.add(stage)


def _whole(stage: str) -> Deed:
    return lambda world: world.eyes.bites.discard(stage)


def _hide(stage: str) -> Deed:
    return lambda world: world.eyes.no_positions.add(stage)


def _show(stage: str) -> Deed:
    return lambda world: world.eyes.no_positions.discard(stage)


def _step(seconds: float) -> Deed:
    return lambda world: world.clock.step_wall(seconds)


def _off(stage: str, seconds: float) -> Deed:
    return lambda world: world.eyes.clocks.update({stage: timedelta(seconds=seconds)})


def _right(stage: str) -> Deed:
    return lambda world: world.eyes.clocks.pop(stage, None)


def _clocks() -> Iterator[Named]:
    for seconds in (2.0, 3600.0, -2.0, -3600.0, YEAR, -YEAR):
        yield Named(
            f"wall clock steps by {seconds:+.0f} s",
            "clock",
            _step(seconds),
            _step(-seconds),
            lasts=40,
        )
    for stage in STAGES:
        for name, off in (("30 s off", 30.0), ("in another zone", 7200.0), ("in a wrong year", -YEAR)):
            yield Named(
                f"clock of {stage} {name}",
                "clock",
                _off(stage, off),
                _right(stage),
                lasts=30,
                stage=stage,
            )
        yield Named(
            f"clock of {stage} drifts",
            "clock",
            _drift_of(stage),
            _right(stage),
            lasts=10,
            stage=stage,
        )
    yield Named("wall clock drifts", "clock", _drift, lasts=10)


def _drift_of(stage: str) -> Deed:
    """A second in each round, forwards, for half a minute."""

    def drift(world: World) -> None:
        for seconds in range(30):
            _off(stage, seconds)(world)
            world.run(1)

    return drift


def _drift(world: World) -> None:
    """Half a second in each of sixty rounds: never a step, and half a minute in the end."""
    for _ in range(60):
        world.clock.step_wall(0.5)
        world.run(1)
