"""A world audited an hour later, and what the report says in short."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from canary.audit import Limits, Report
from reconcile.traffic import Fate, Policy
from tests.canary.audit.world import NO_POLICY, START, World

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=1)


def audited(world: World, limits: Limits | None = None, policy: Policy = NO_POLICY, **options: Any) -> Report:
    """An hour later, from the beginning to now."""
    until = world.now + timedelta(seconds=1)
    world.now += HOUR
    report = world.auditor(limits, policy).audit(START - HOUR, until, **options)
    assert report.unbalanced == 0
    return report


def full(count: int = 50) -> World:
    """Two partitions, all of it appended and stored."""
    world = World()
    for partition in world.logs:
        world.append(partition, count)
        world.consume(partition)
    return world


def lacking(**entry: Any) -> World:
    """The same with 20 each, and one event more, at 0:20, of which the table has no row."""
    world = full(20)
    world.append(0, **entry)
    world.consume(0, without={20})
    return world


def told(counts: Mapping[Fate, int]) -> dict[str, int]:
    """Only what is not 0."""
    return {fate.value: number for fate, number in counts.items() if number}
