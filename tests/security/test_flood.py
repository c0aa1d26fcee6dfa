"""100,000 forged canaries a minute: nothing that the monitor keeps grows with them."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from canary.ask import Stage
from canary.clock import Line
from canary.edges.kafka import Settings
from canary.event import EVENT_NAME
from canary.follow import MOST_COPIES
from canary.identity import Mint, Verifier
from canary.laner import DISTINCT_PREFIX
from canary.ledger.tables import canary, sighting
from canary.settle import MAX_RECENT
from canary.values import Look, Marks, Resume, Wanted
from reconcile.outcome import Flag, Outcome
from tests.chaos.points import PointedStage, unlit
from tests.contract.fake_topic import FakeBroker, FakeTopic
from tests.security.haunted import Forged, HauntedWorld
from tests.virtual.oracle import faults
from tests.virtual.pipeline import RAW, STAGES
from tests.virtual.schedule import apply
from tests.virtual.world import PROBE, SECRET, World

FLOOD = 100_000


class FloodedTopic(PointedStage):
    """A stage beside which the reader of Kafka's records reads what strangers wrote; as one look."""

    def __init__(self, inner: Stage, flood: FakeTopic) -> None:
        super().__init__(inner, RAW, unlit)
        self._flood = flood

    def look(self, wanted: Sequence[Wanted]) -> Look:
        look, strange = super().look(wanted), self._flood.look(())
        return replace(look, sightings=[*look.sightings, *strange.sightings], counts=strange.counts)


@dataclass(slots=True)
class FloodedWorld(World):
    """The real monitor over a first topic that strangers fill."""

    broker: FakeBroker = field(default_factory=FakeBroker)

    def _stage(self, name: str, line: Line) -> Stage:
        inner = World._stage(self, name, line)
        if name != RAW:
            return inner
        self.broker.make("strange", 1)
        marks = Marks(Verifier(SECRET, [PROBE]).recognises, EVENT_NAME, DISTINCT_PREFIX)
        settings = Settings(name=RAW, bootstrap=(), topic="strange", wait=timedelta(0))
        return FloodedTopic(
            inner, FakeTopic(self.broker, settings, marks=marks, now=line.now, resume=Resume())
        )

    def flood(self, count: int, proof: Mint) -> None:
        """So many records, each with an id that says of itself that it is a canary."""
        for _ in range(count):
            id_ = proof.mint(self.watch.desk.line.now())
            value = {"uuid": str(id_), "event": EVENT_NAME, "distinct_id": f"{DISTINCT_PREFIX}0"}
            self.broker.append(("strange", 0), key=id_.bytes, value=json.dumps(value).encode())


@dataclass(frozen=True, slots=True)
class Kept:
    """What the monitor keeps: canaries in mind, rows of the ledger, time series."""

    entries: int
    canaries: int
    sightings: int
    series: int


def kept(world: World) -> Kept:
    with world.ledger.engine.connect() as connection:
        canaries, sightings = (
            connection.execute(select(func.count()).select_from(t)).scalar_one() for t in (canary, sighting)
        )
    series = sum(len(metric.samples) for metric in world.watch.desk.metrics.registry.collect())
    return Kept(len(world.watch.desk.book.entries), canaries, sightings, series)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("known_secret", [False, True], ids=["forged", "another run's"])
def test_a_flood_is_counted_and_not_kept(tmp_path: Path, known_secret: bool) -> None:
    """Canaries in mind, rows and series stay what our own canaries need; each loss is found, and no other."""
    secret = SECRET if known_secret else b"another secret, of somebody else"
    world = FloodedWorld(tmp_path / "ledger.db")
    world.run(20)
    before, memory = kept(world), psutil.Process().memory_info().rss
    mint = Mint(secret, PROBE)
    for second in range(60):
        if second in (15, 25, 35):
            apply(world, ("drop", STAGES[second // 10 - 1]), 2)
        world.flood(FLOOD // 60, mint)
        world.broker.expire(("strange", 0), FLOOD // 60 * second)  # else it is the fake that grows
        world.run(1)
    after, grown = kept(world), psutil.Process().memory_info().rss - memory
    sys.stderr.write(f"resident before {memory >> 20} MB, after {(memory + grown) >> 20} MB\n")
    posted = len(world.pipeline.fates)
    assert after.entries <= before.entries + 6
    assert after.canaries == posted
    assert after.sightings <= len(STAGES) * posted
    assert after.series - before.series <= 10
    world.finish()
    assert faults(world) == []
    gone = [id_ for id_, fate in world.pipeline.fates.items() if fate.gone_at is not None]
    assert len(gone) == 6
    assert world.outcomes(gone) == {Outcome.LOST}
    name = "unexpected_total" if known_secret else "foreign_total"
    labels = {"stage": RAW, "reason": "not_in_ledger"} if known_secret else {"stage": RAW}
    counted = world.watch.desk.metrics.registry.get_sample_value(f"ingestion_canary_{name}", labels)
    assert counted == 60 * (FLOOD // 60)
    world.ledger.close()


@pytest.fixture
def haunted(tmp_path: Path) -> Iterator[HauntedWorld]:
    made = HauntedWorld(tmp_path / "ledger.db")
    yield made
    made.ledger.close()


def test_a_lost_canarys_id_played_again_and_again_takes_no_room(haunted: HauntedWorld) -> None:
    """It is kept in mind for a day in case it turns up; what strangers write under its id is not."""
    haunted.run(22)
    apply(haunted, ("drop", "events"), 1)
    haunted.run(30)
    [id_] = [id_ for id_, fate in haunted.pipeline.fates.items() if fate.gone_at is not None]
    assert haunted.outcome(id_) is Outcome.LOST
    for _ in range(10):
        haunted.strangers.write(RAW, *[Forged(id_, haunted.content(id_))] * 1000)
        haunted.run(1)
    entry = haunted.watch.desk.book.entries[id_]
    assert len(entry.extra) <= MOST_COPIES
    judged = haunted.track(id_).judged
    assert judged is not None
    assert (judged.outcome, Flag.DUPLICATED in judged.flags) == (Outcome.LOST, True)
    assert kept(haunted).sightings <= len(STAGES) * len(haunted.pipeline.fates)


def test_a_whole_days_canaries_played_again_leave_the_mind_again(haunted: HauntedWorld) -> None:
    """Thousands of genuine old ids at once, as a consumer set back by a day brings them: each is a copy."""
    haunted.rate, haunted.lanes = 50, 60
    haunted.kill()
    haunted.run(56)
    haunted.rate, haunted.lanes = 1, 4
    haunted.kill()
    haunted.run(40)
    before = kept(haunted)
    old = haunted.arrived(2_500)
    for id_ in old:
        haunted.pipeline.fates[id_].replayed = True
        haunted.strangers.write(RAW, Forged(id_, haunted.content(id_)))
    haunted.run(5)
    assert len(old) == 2_500
    assert kept(haunted).entries <= before.entries + 5
    assert len(haunted.watch.settler.recent) >= 2_500
    assert haunted.watch.settler.recent.maxlen == MAX_RECENT
