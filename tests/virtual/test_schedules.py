"""Under any schedule of faults the monitor's verdicts are right, once everything was healed and read."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, note, settings

from tests.virtual.oracle import faults
from tests.virtual.schedule import CLOCKS, INGRESS, MONITOR, PIPELINE, Step, play, schedules
from tests.virtual.world import World

BOUNDED = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def _wrong(steps: list[Step]) -> list[str]:
    note(f"schedule: {steps}")
    with TemporaryDirectory() as folder:
        world = World(Path(folder) / "ledger.db")
        try:
            play(world, steps)
            return faults(world)
        finally:
            world.ledger.close()


@BOUNDED
@given(schedules(PIPELINE, INGRESS))
def test_every_fault_of_the_pipeline_is_named_and_nothing_else(steps: list[Step]) -> None:
    """A monitor that sees everything is right about every canary."""
    assert _wrong(steps) == []


@BOUNDED
@given(schedules(PIPELINE, INGRESS, MONITOR))
def test_a_monitor_that_is_blinded_and_killed_is_right_in_the_end(steps: list[Step]) -> None:
    """Blind, without a disk, killed: once it sees again, every outcome is right and none ever lied."""
    assert _wrong(steps) == []


@BOUNDED
@given(schedules(PIPELINE, INGRESS, CLOCKS))
def test_clocks_that_step_and_a_monitor_that_stops_change_no_verdict(steps: list[Step]) -> None:
    """An hour forth, an hour back, asleep, stopped: nothing is called lost that is not."""
    assert _wrong(steps) == []
