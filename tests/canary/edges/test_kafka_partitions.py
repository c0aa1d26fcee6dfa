"""Where reading begins after a restart: never in a topic by what was kept of another of its name."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import pytest

from canary.edges.kafka import requests
from canary.edges.kafka.client import Client
from canary.edges.kafka.partitions import Partitions
from canary.edges.kafka.requests import NO_ID, Topic
from canary.values import Resume

STOPPED = datetime(2026, 1, 1, tzinfo=UTC)
NOW = STOPPED + timedelta(hours=1)
OLD, NEW = UUID(int=1), UUID(int=2)


def begun(kept: Mapping[int, UUID | None], topic_id: UUID, partitions: int) -> Partitions:
    """Partitions read on from offset 50 where something was `kept` of them, by the id of its topic."""
    resume = Resume(
        {("t", part): (50, STOPPED) for part in kept},
        {("t", part): "" if one is None else str(one) for part, one in kept.items()},
    )
    made = Partitions({"t": ""}, now=lambda: NOW, resume=resume)
    leaders = dict.fromkeys(range(partitions), 1)
    topic = Topic("t", requests.NONE, "", topic_id, leaders)
    assert not made.arrange(cast(Client, None), {"t": topic}, until=0)
    return made


def places(made: Partitions) -> list[tuple[int, int, datetime | None]]:
    return [(r.partition, r.next_offset, r.since) for r in made.readings.values()]


@pytest.mark.parametrize(("kept", "now"), [(OLD, OLD), (None, OLD), (OLD, NO_ID)])
def test_the_same_topic_is_read_on(kept: UUID | None, now: UUID) -> None:
    """Also where nobody told, then or now, which one it is."""
    made = begun({0: kept, 1: kept}, now, 2)

    assert places(made) == [(0, 50, STOPPED), (1, 50, STOPPED)]
    assert (made.generation, made.notes) == (0, [])


@pytest.mark.parametrize("partitions", [1, 2, 3])
def test_another_topic_begins_anew_with_a_gap(partitions: int) -> None:
    """None of its records is passed over, and none that came before is covered: the old one had its own."""
    made = begun({0: OLD, 1: OLD}, NEW, partitions)

    assert places(made) == [(part, 0, NOW) for part in range(partitions)]
    assert made.generation
    assert made.notes == ["topic t was made again: reading it from its beginning"]


def test_a_partition_left_over_from_an_older_topic_is_a_new_one() -> None:
    """A topic made again with fewer partitions got more while nobody looked: they are read whole."""
    made = begun({0: NEW, 1: NEW, 2: OLD}, NEW, 3)

    assert places(made) == [(0, 50, STOPPED), (1, 50, STOPPED), (2, 0, STOPPED)]
    assert made.generation
    assert made.notes == []
