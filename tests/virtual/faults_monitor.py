"""What happens to the monitor itself: death at any point, sleep, its disk, its twin, its configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from canary.ledger import Ledger, LedgerInUse, LedgerUnusable
from tests.virtual.naming import Deed, Named
from tests.virtual.pipeline import EVENTS, PROCESSED, RAW, STAGES
from tests.virtual.world import World

STEPS = ("inject", f"follow {RAW}", f"follow {PROCESSED}", f"follow {EVENTS}", "settle", "page")


def faults() -> Iterator[Named]:
    """All of them."""
    for step in STEPS:
        yield Named(f"killed before {step}", "killed", _dies_before(step))
    for number in range(4):
        for when, committed in (("amid", False), ("after", True)):
            yield Named(
                f"killed {when} transaction {number + 1}", "killed", _dies(number, after_commit=committed)
            )
    yield Named("stopped for an hour", "asleep", lambda world: world.sleep(3600))
    yield Named("machine asleep for an hour", "asleep", lambda world: world.suspend(3600))
    for why in ("full", "locked"):
        yield Named(
            f"disk {why}" if why == "full" else "ledger locked by another",
            "ledger",
            _ledger(why, True),
            _ledger(why, False),
            lasts=30,
            pages=("ledger",),
        )
    yield Named("two monitors on one ledger", "changed", _intrude)
    yield Named("ledger file corrupted", "killed", _corrupt)
    yield Named("stage removed between runs", "changed", _stages(RAW, EVENTS), _stages(*STAGES), lasts=30)
    yield Named("stage added between runs", "changed", _fewer_first, lasts=30)
    yield Named("a second monitor with the same secret", "twin", _twin, _alone, lasts=40)
    yield Named("rate changed between runs", "changed", _rate(2.0), _rate(1.0), lasts=20)
    yield Named("probe renamed between runs", "changed", _rename("q"), _rename("p"), lasts=20)


def _dies_before(step: str) -> Deed:
    return lambda world: setattr(world, "dies_before", step)


def _ledger(trouble: str, on: bool) -> Deed:
    return lambda world: setattr(world.ledger, trouble, on)


def _dies(number: int, *, after_commit: bool) -> Deed:
    def order(world: World) -> None:
        world.ledger.dies_in, world.ledger.dies_after_commit = number, after_commit

    return order


def _twin(world: World) -> None:
    path = Path(f"{world.path}.twin{len(world.others)}")
    twin = World(path, clock=world.clock, shared=world.pipeline, terms=world.terms, opens=world.opens)
    world.others.append(twin)


def _alone(world: World) -> None:
    for other in world.others:
        other.sending = False


def _intrude(world: World) -> None:
    """The second one is refused, and the first goes on as if nothing had been."""
    with pytest.raises(LedgerInUse):
        Ledger.open(f"sqlite:///{world.path}")


def _corrupt(world: World) -> None:
    """It is named and left alone; somebody puts it away, and the next start begins anew.

    What only that ledger knew is owed no more: its canaries are strangers, and nobody is told of a loss.
    """
    world.ledger.close()
    broken = b"not a database" * 100
    world.path.write_bytes(broken)
    with pytest.raises(LedgerUnusable):
        Ledger.open(f"sqlite:///{world.path}")
    if world.path.read_bytes() != broken:
        raise AssertionError("a ledger that cannot be read was written to")
    world.path.unlink()
    world.forget()


def _stages(*names: str) -> Deed:
    def change(world: World) -> None:
        world.stages = names
        world.pipeline.watch(names)
        world.kill()

    return change


def _fewer_first(world: World) -> None:
    _stages(RAW, EVENTS)(world)
    world.run(30)
    _stages(*STAGES)(world)


def _rate(value: float) -> Deed:
    def change(world: World) -> None:
        world.rate = value
        world.kill()

    return change


def _rename(name: str) -> Deed:
    def change(world: World) -> None:
        world.probe = name
        world.kill()

    return change
