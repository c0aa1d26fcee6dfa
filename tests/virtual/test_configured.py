"""A configuration that was changed between two runs, with canaries under way: no page stays, no step dies."""

from collections.abc import Callable
from dataclasses import replace

from alerts.condition import Kind
from canary.courier import Courier, Ingress
from canary.event import Payload
from canary.identity import Mint
from canary.inject import Injector
from canary.probe import Pace, Probe
from tests.virtual.clock import START
from tests.virtual.edges import VirtualIngress
from tests.virtual.pipeline import EVENTS, PROCESSED, RAW
from tests.virtual.schedule import apply
from tests.virtual.world import PROBE, SECRET, World


def test_what_the_last_window_of_a_renamed_probe_said_is_told_and_over(world: World) -> None:
    """It settles after the restart, and no later window of that probe will ever say otherwise."""
    world.run(22)
    apply(world, ("answer", "refuse"), 3)
    world.run(5)
    world.probe = "q"
    world.kill()
    world.run(120)
    told = [(notice.kind, notice.key) for notice in world.inbox.notices]
    assert told == [(Kind.OPENED, "rejected:p"), (Kind.RESOLVED, "rejected:p")]


def test_a_copy_in_a_stage_that_is_configured_no_more_stops_nothing(world: World) -> None:
    """The canary is judged by the stages that are left, and its flag names the stage that showed it."""
    world.run(22)
    apply(world, ("duplicate", RAW), 1)
    apply(world, ("drop", PROCESSED), 2)
    world.run(5)
    world.stages = (EVENTS,)
    world.pipeline.watch((EVENTS,))
    world.kill()
    world.run(60)
    assert [n.key for n in world.opened("duplicated")] == [f"duplicated:{RAW}"]


def test_a_renamed_probe_has_what_is_left_of_the_day_and_no_more(world: World) -> None:
    """The day's limit is on what is sent in all: a new name in the configuration is no new day."""
    _limited(world)
    world.run(20)
    world.probe = "q"
    world.kill()
    _limited(world)
    world.run(60)
    assert len(world.pipeline.fates) == 30


def test_as_long_as_a_day_cannot_be_counted_nothing_is_sent(world: World) -> None:
    """What is left of it is not known; it is once the ledger can be read. Who is told hears why."""
    _limited(world)
    world.run(20)
    sent = len(world.pipeline.fates)
    world.kill()
    _limited(world)
    world.ledger.uncounted = True
    world.run(40)
    assert len(world.pipeline.fates) == sent
    (told,) = world.opened("not_sending")
    assert dict(told.content.facts)["why"] == "what was sent today cannot be counted: ledger: disk I/O error"
    world.ledger.uncounted = False
    world.run(60)
    assert len(world.pipeline.fates) == 30


def test_what_a_full_disk_kept_from_being_sent_is_not_spent(world: World) -> None:
    """The day's limit is on what is sent."""
    _limited(world)
    world.ledger.full = True
    world.run(20)
    assert not world.pipeline.fates
    world.ledger.full = False
    world.run(60)
    assert len(world.pipeline.fates) == 30


class _Midnight(Courier):
    """Has no free lane; while it is asked for one, the day ends and another probe sends."""

    def __init__(self, ingress: Ingress, *, meanwhile: Callable[[], object]) -> None:
        super().__init__(ingress, workers=0)
        self._meanwhile = meanwhile

    @property
    def busy(self) -> frozenset[int]:
        self._meanwhile()
        return frozenset(range(100))


def test_what_was_not_sent_before_midnight_is_no_gift_to_the_new_day(world: World) -> None:
    """Another probe has begun to count that one meanwhile: its limit is what it was."""
    desk, probe = world.watch.desk, world.watch.probes[PROBE]
    desk.plan = replace(desk.plan, max_events_per_day=5)
    world.clock.advance(86_399 - (START.hour * 3600))

    def midnight() -> None:
        world.clock.advance(2)
        injector.inject("other")

    late = Probe(
        PROBE,
        pace=Pace(rate=1.0),
        mint=Mint(SECRET, PROBE),
        payload=Payload(SECRET, PROBE),
        habits=probe.habits,
        courier=_Midnight(VirtualIngress(world.pipeline, now=desk.line.now), meanwhile=midnight),
        lanes=probe.lanes,
    )
    injector = Injector(desk, {PROBE: late, "other": probe})
    injector.inject(PROBE)
    for _ in range(10):
        world.clock.advance(1)
        injector.inject("other")
    assert len(world.pipeline.fates) == 5


def _limited(world: World) -> None:
    desk = world.watch.desk
    desk.plan = replace(desk.plan, max_events_per_day=30)
