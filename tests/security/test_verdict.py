"""Strangers who write into the pipeline neither hide a loss nor make one."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from canary.identity import Mint
from reconcile.outcome import Flag, Outcome
from tests.security.haunted import Forged, HauntedWorld
from tests.virtual.clock import START
from tests.virtual.oracle import faults
from tests.virtual.pipeline import PROCESSED, RAW, STAGES
from tests.virtual.schedule import apply
from tests.virtual.world import PROBE, SECRET

TOPICS = (RAW, PROCESSED)
HOPS = tuple(pairwise(("ingress", *STAGES)))
Forge = Callable[[HauntedWorld, UUID], UUID]


def wrong_proof(world: HauntedWorld, id_: UUID) -> UUID:
    """The id of a canary that there is, but for one bit."""
    del world
    return UUID(int=id_.int ^ 1)


def own_proof(world: HauntedWorld, id_: UUID) -> UUID:
    """As if minted for our probe, by somebody who does not know the secret."""
    del id_
    return Mint(b"another secret, of somebody else", PROBE).mint(world.watch.desk.line.now())


def any_uuid(world: HauntedWorld, id_: UUID) -> UUID:
    """No canary's id at all."""
    del world, id_
    return uuid4()


def another_probe(world: HauntedWorld, id_: UUID) -> UUID:
    """Minted with our secret, for a probe that this monitor does not run."""
    del id_
    return Mint(SECRET, "another").mint(world.watch.desk.line.now())


def another_run(world: HauntedWorld, id_: UUID) -> UUID:
    """Minted with our secret for our probe, and not in our ledger: years old, or another monitor's."""
    del world, id_
    return Mint(SECRET, PROBE).mint(START - timedelta(days=3000))


FOREIGN: tuple[Forge, ...] = (wrong_proof, own_proof, any_uuid, another_probe)
STRANGE: tuple[Forge, ...] = (*FOREIGN, another_run)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HauntedWorld]:
    made = HauntedWorld(tmp_path / "ledger.db")
    yield made
    made.ledger.close()


def haunted(world: HauntedWorld, forge: Forge, stages: Iterable[str] = TOPICS) -> int:
    """Losses at every hop, each second a forged canary beside each true one; how many were forged."""
    forged = 0
    for second in range(60):
        if second in (15, 25, 35):
            apply(world, ("drop", STAGES[second // 10 - 1]), 2)
        world.run(1)
        for id_ in list(world.pipeline.fates)[-3:]:
            for stage in stages:
                world.strangers.write(stage, Forged(forge(world, id_), world.content(id_)))
                forged += 1
    world.finish()
    return forged


@pytest.mark.parametrize("forge", STRANGE)
def test_what_is_not_ours_changes_nothing(world: HauntedWorld, forge: Forge) -> None:
    """Every verdict is right, as if nobody had written anything; all of it is counted, none is kept."""
    forged = haunted(world, forge)
    assert faults(world) == []
    gone = [id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None]
    assert len(gone) == 6
    assert world.outcomes(gone) == {Outcome.LOST}
    assert set(world.tracks()) == set(world.pipeline.fates)
    assert {n.key for n in world.opened() if not n.key.startswith("lost:")} == set()
    if forge in FOREIGN:
        assert counted(world, "foreign_total") == forged
    else:
        assert counted(world, "unexpected_total", "not_in_ledger") == forged


def counted(world: HauntedWorld, name: str, *labels: str) -> float:
    """Over both topics."""
    registry = world.watch.desk.metrics.registry
    extra = {"reason": labels[0]} if labels else {}
    return sum(
        registry.get_sample_value(f"ingestion_canary_{name}", {"stage": stage, **extra}) or 0.0
        for stage in TOPICS
    )


def test_old_ids_that_are_played_again_are_copies_and_nothing_else(world: HauntedWorld) -> None:
    """A genuine id, copied out of the topic and written again, is a copy: it pays for no loss."""
    world.run(30)
    old = world.arrived(10)
    for id_ in old:
        world.pipeline.fates[id_].replayed = True
        world.strangers.write(RAW, *[Forged(id_, world.content(id_))] * 3)
    for stage in STAGES:
        apply(world, ("drop", stage), 2)
    world.run(30)
    world.finish()
    assert faults(world) == []
    gone = [id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None]
    assert len(gone) == 6
    assert world.outcomes(gone) == {Outcome.LOST}
    assert world.outcomes(old) == {Outcome.ON_TIME}
    for id_ in old:
        judged = world.track(id_).judged
        assert judged is not None
        assert Flag.DUPLICATED in judged.flags


@pytest.mark.parametrize("stage", STAGES)
def test_an_id_on_another_canarys_content_is_no_clean_arrival(world: HauntedWorld, stage: str) -> None:
    """A canary is dropped on its way into a stage; a stranger writes its id there, on another's content.

    The pipeline carries that record on as any other. Whoever can write into it can make a loss look like
    an arrival, but not like an intact one: each is corrupt, and somebody is told.
    """
    world.run(20)
    apply(world, ("drop", stage), 3)
    world.run(6)
    gone = [id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None]
    for id_ in gone:
        world.smuggle(stage, id_, "another row's content")
    world.run(30)
    world.finish()
    assert len(gone) == 3
    for id_ in gone:
        judged = world.track(id_).judged
        assert judged is not None
        assert Flag.CORRUPT in judged.flags
    assert [notice.key for notice in world.opened("corrupt:")] == [f"corrupt:{stage}"]
    assert world.outcomes([id_ for id_ in world.pipeline.fates if id_ not in gone]) == {Outcome.ON_TIME}


@pytest.mark.parametrize("stage", TOPICS)
def test_a_smuggled_record_that_goes_lost_again_is_lost(world: HauntedWorld, stage: str) -> None:
    """That it was seen there cannot be told from a true sighting: lost at the next hop, then."""
    beyond = STAGES[STAGES.index(stage) + 1]
    world.run(20)
    apply(world, ("drop", stage), 3)
    world.run(6)
    gone = [id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None]
    world.pipeline.orders["drop", beyond] = lambda fate: fate.event.id in gone
    for id_ in gone:
        world.smuggle(stage, id_, "another row's content")
    world.run(30)
    world.finish()
    assert len(gone) == 3
    assert world.outcomes(gone) == {Outcome.LOST}
    assert {notice.key for notice in world.opened("lost:")} <= {f"lost:{a}->{b}" for a, b in HOPS}


def test_a_second_content_under_an_id_that_was_seen_is_a_spoilt_copy(world: HauntedWorld) -> None:
    """Told as what it is; the canary itself arrived, and is lost to nobody."""
    world.run(20)
    first, other = world.arrived(2)
    world.strangers.write(PROCESSED, Forged(first, world.content(other)))
    world.pipeline.fates[first].replayed = world.pipeline.fates[first].corrupted = True
    world.run(20)
    world.finish()
    assert faults(world) == []
    judged = world.track(first).judged
    assert judged is not None
    assert judged.outcome is Outcome.ON_TIME
    assert judged.flags == {Flag.DUPLICATED, Flag.CORRUPT}
