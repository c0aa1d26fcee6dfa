"""Schedules of faults: what is done to the pipeline and to the monitor, and when."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.virtual.pipeline import EVENTS, PROCESSED, RAW, STAGES
from tests.virtual.world import World

Fault = tuple[str, ...]

PIPELINE: tuple[Fault, ...] = (
    *(("drop", stage) for stage in STAGES),
    *(("duplicate", stage) for stage in STAGES),
    *(("hold", stage) for stage in (PROCESSED, EVENTS)),
    *(("stop", stage) for stage in (PROCESSED, EVENTS)),
    *(("start", stage) for stage in (PROCESSED, EVENTS)),
    *(("expire", stage) for stage in (RAW, PROCESSED)),
    *(("replay", stage) for stage in (RAW, PROCESSED)),
    ("corrupt", PROCESSED),
    ("corrupt", EVENTS),
    ("detour", RAW),
    ("dead", PROCESSED),
)
INGRESS: tuple[Fault, ...] = tuple(
    ("answer", mode)
    for mode in ("refuse", "accept_and_drop", "error", "error_stored", "timeout_stored", "timeout_lost")
)
MONITOR: tuple[Fault, ...] = (
    *(("blind", stage) for stage in STAGES),
    *(("see", stage) for stage in STAGES),
    ("no positions", RAW),
    ("no positions", PROCESSED),
    ("kill",),
    ("disk full",),
    ("disk free",),
)
CLOCKS: tuple[Fault, ...] = (
    ("kill",),
    ("wall", "3600"),
    ("wall", "-3600"),
    ("wall", "2"),
    ("sleep", "90"),
    ("suspend", "3600"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """Wait so long, then do this."""

    wait: int
    fault: Fault
    count: int


def schedules(*kinds: tuple[Fault, ...], most: int = 8) -> st.SearchStrategy[list[Step]]:
    """Lists of faults, near each other in time so that they meet."""
    faults = st.sampled_from([fault for kind in kinds for fault in kind])
    step = st.builds(Step, st.integers(0, 15), faults, st.integers(1, 4))
    return st.lists(step, min_size=1, max_size=most)


def play(world: World, steps: list[Step]) -> None:
    """Run a schedule, then heal everything and wait for every answer."""
    world.run(5)
    for step in steps:
        world.run(step.wait)
        apply(world, step.fault, step.count)
    world.run(5)
    world.finish()


def apply(world: World, fault: Fault, count: int = 1) -> None:
    """Do one thing."""
    kind, what = fault[0], fault[1] if len(fault) > 1 else ""
    pipeline, eyes = world.pipeline, world.eyes
    deeds: Mapping[str, Callable[[], object]] = {
        "stop": lambda: pipeline.stopped.add(what),
        "start": lambda: pipeline.stopped.discard(what),
        "hold": lambda: pipeline.hold.update({what: 3.0 * count}),
        "expire": lambda: pipeline.expire(what),
        "replay": lambda: pipeline.replay(what, count),
        "answer": lambda: pipeline.answers.extend([what] * count),
        "blind": lambda: eyes.blind.update({what: "cut off"}),
        "see": lambda: eyes.blind.pop(what, None),
        "no positions": lambda: eyes.no_positions.add(what),
        "kill": world.kill,
        "disk full": lambda: setattr(world.ledger, "full", True),
        "disk free": lambda: setattr(world.ledger, "full", False),
        "wall": lambda: world.clock.step_wall(float(what)),
        "sleep": lambda: world.sleep(float(what)),
        "suspend": lambda: world.suspend(float(what)),
    }
    if kind in deeds:
        deeds[kind]()
    else:
        pipeline.todo[kind, what] += count
