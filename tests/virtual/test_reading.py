"""Whatever share of the topics is read, the verdicts are those of a monitor that reads all of them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, note, settings

from reconcile.outcome import Flag, Outcome
from tests.virtual.oracle import faults
from tests.virtual.pipeline import EVENTS, PROCESSED, RAW
from tests.virtual.schedule import CLOCKS, INGRESS, MONITOR, PIPELINE, Step, apply, play, schedules
from tests.virtual.seeking import Reads
from tests.virtual.test_schedules import BOUNDED
from tests.virtual.world import World

FEW = settings(BOUNDED, max_examples=4)

MODES = [
    Reads("targeted", "right"),
    Reads("targeted", "wrong"),
    Reads("on_demand", "right"),
    Reads("on_demand", "wrong"),
    Reads("on_demand", "unknown"),
    Reads("auto", "right", above=0.1),
]
IDS = [f"{reads.mode}-{reads.keys}" for reads in MODES]


def _wrong(steps: list[Step], reads: Reads) -> list[str]:
    note(f"schedule: {steps}")
    with TemporaryDirectory() as folder:
        world = World(Path(folder) / "ledger.db", reads=reads)
        try:
            play(world, steps)
            return faults(world)
        finally:
            world.close()


@pytest.mark.parametrize("reads", MODES, ids=IDS)
@FEW
@given(steps=schedules(PIPELINE, INGRESS))
def test_every_fault_of_the_pipeline_is_named_and_nothing_else(reads: Reads, steps: list[Step]) -> None:
    """Every loss at its hop, proven; nothing that is not so. What retention removed before anybody searched
    for it is lost over both hops beside it."""
    assert _wrong(steps, reads) == []


@pytest.mark.parametrize("reads", MODES, ids=IDS)
@FEW
@given(steps=schedules(PIPELINE, INGRESS, MONITOR))
def test_a_monitor_that_is_blinded_and_killed_is_right_in_the_end(reads: Reads, steps: list[Step]) -> None:
    """Blind, without a disk, killed, and reading little: right once it sees again."""
    assert _wrong(steps, reads) == []


@pytest.mark.parametrize("reads", MODES, ids=IDS)
@FEW
@given(steps=schedules(PIPELINE, INGRESS, CLOCKS))
def test_clocks_that_step_change_no_verdict(reads: Reads, steps: list[Step]) -> None:
    """Records' times lead hunts astray then, and nothing else."""
    assert _wrong(steps, reads) == []


@pytest.mark.parametrize("reads", [MODES[2], MODES[4], MODES[5]], ids=[IDS[2], IDS[4], IDS[5]])
def test_on_demand_reads_nothing_of_a_pipeline_that_works(tmp_path: Path, reads: Reads) -> None:
    """All arrive; what was not read in the middle is no detour; nobody hears of anything."""
    world = World(tmp_path / "ledger.db", reads=reads)
    world.run(15)  # auto reads all of it until it knows how busy the topic is
    before = {name: seeker.read for name, seeker in world.seekers.items()}
    world.run(60)
    world.finish()
    assert {name: seeker.read for name, seeker in world.seekers.items()} == before
    assert world.outcomes(world.pipeline.ids()) == {Outcome.ON_TIME}
    flags = {flag for said in world.said.values() for item in said for flag in item.flags}
    assert Flag.DETOURED not in flags
    assert world.inbox.notices == []
    world.close()


@pytest.mark.parametrize("stage", [RAW, PROCESSED, EVENTS])
@pytest.mark.parametrize("reads", MODES, ids=IDS)
def test_a_loss_is_proven_in_the_same_time_however_the_topics_are_read(
    tmp_path: Path, reads: Reads, stage: str
) -> None:
    """Not by `lost_after`: what has to be read for it is read."""
    world = World(tmp_path / "ledger.db", reads=reads)
    world.run(22)
    apply(world, ("drop", stage), 3)
    world.run(40)
    gone = [id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None]
    assert len(gone) == 3
    assert world.outcomes(gone) == {Outcome.LOST}
    world.finish()
    assert faults(world) == []
    world.close()


def test_keys_that_lead_elsewhere_are_told_and_the_topic_is_read_whole(tmp_path: Path) -> None:
    """A wrong partitioner shows by canaries that arrive and are not where they should be."""
    world = World(tmp_path / "ledger.db", reads=Reads("targeted", "wrong"))
    world.run(40)
    world.finish()
    assert "not in the partitions" in world.watch.notes[RAW]
    assert world.watch.desk.book.readings[RAW].mode == "full"
    sample = world.watch.desk.metrics.registry.get_sample_value
    assert (sample("ingestion_canary_astray_total", {"stage": RAW}) or 0) >= 3
    late = [fate for fate in world.pipeline.fates.values() if fate.sent_at > 1030]
    shown = [id_ for id_, fate in world.pipeline.fates.items() if fate in late]
    assert all(RAW in {seen.stage for seen in world.track(id_).seen} for id_ in shown)
    world.close()


def test_targeted_reading_shows_every_canary_at_every_topic(tmp_path: Path) -> None:
    """By hunts alone: no partition is read to its end for it."""
    world = World(tmp_path / "ledger.db", reads=Reads("targeted", "right"))
    world.run(60)
    world.finish()
    for id_ in world.pipeline.ids():
        assert {seen.stage for seen in world.track(id_).seen} >= {RAW, PROCESSED, EVENTS}
    assert world.watch.desk.book.readings[RAW].visited(world.watch.desk.line.now()) == 4
    assert faults(world) == []
    world.close()
