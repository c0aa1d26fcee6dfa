"""Where reading begins after a restart: never in a topic by what was kept of another of its name."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from canary.edges.kafka import requests
from canary.edges.kafka.client import Client
from canary.edges.kafka.partitions import Partitions
from canary.edges.kafka.requests import NO_ID, Place, Topic
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


class Ends:
    """A leader whose log begins at 10 and ends at `end`."""

    def __init__(self, end: int) -> None:
        self._offsets = {requests.EARLIEST: 10, requests.LATEST: end}

    def ask(
        self, ask: object, client: object, node: object, some: list[Place], which: int, **_: float
    ) -> Any:
        del ask, client, node
        return dict.fromkeys(some, self._offsets[which])


@pytest.mark.parametrize(
    ("topic_id", "end", "goes_on_at"),
    [
        pytest.param(OLD, 40, 40, id="the log lost its end"),
        pytest.param(OLD, 60, 50, id="and has grown again since it refused us"),
        pytest.param(NO_ID, 40, 10, id="perhaps another topic"),
        pytest.param(NO_ID, 60, 50, id="perhaps another topic, grown meanwhile"),
    ],
)
def test_an_offset_beyond_the_log_is_never_read_on_without_a_gap(
    topic_id: UUID, end: int, goes_on_at: int
) -> None:
    """Whatever the log holds by the time when it is asked where it ends."""
    made = begun({0: OLD}, topic_id, 1)

    assert made.relocate(cast(Client, Ends(end)), {("t", 0): 50}, until=0) == 0
    assert places(made) == [(0, goes_on_at, NOW)]
    assert made.generation
    assert len(made.notes) == 1


def test_a_place_that_was_moved_after_it_was_refused_stays_where_it_is() -> None:
    """The topic was made again: that was told, and is read from its beginning."""
    made = begun({0: OLD}, OLD, 1)

    assert made.relocate(cast(Client, Ends(60)), {("t", 0): 70}, until=0) == 0
    assert places(made) == [(0, 50, STOPPED)]
    assert made.notes == []


def led(*leaders: int, epochs: Sequence[int], topic_id: UUID = OLD, error: int = requests.NONE) -> Topic:
    return Topic("t", error, "", topic_id, dict(enumerate(leaders)), dict(enumerate(epochs)))


def test_a_broker_that_is_cut_off_takes_back_no_leadership_and_no_partition() -> None:
    """It tells what was so before; of what has not changed since it is believed."""
    known = led(1, 2, 3, epochs=[5, 7, 0])

    assert led(9, 9, epochs=[4, 7]).after(known) == led(1, 9, 3, epochs=[5, 7, 0])
    assert led(-1, 2, 4, epochs=[6, 7, 1]).after(known) == led(-1, 2, 4, epochs=[6, 7, 1])


def test_leaderships_count_anew_with_another_topic_or_where_nobody_counts() -> None:
    """Then the last word is believed, and so is an error."""
    for known, news in (
        (led(1, epochs=[5]), led(2, epochs=[0], topic_id=NEW)),
        (led(1, epochs=[5], topic_id=NO_ID), led(2, epochs=[0], topic_id=NO_ID)),
        (led(1, epochs=[5]), led(2, epochs=[-1])),
        (led(1, epochs=[5]), led(error=requests.UNKNOWN_TOPIC, epochs=[])),
        (led(error=requests.UNKNOWN_TOPIC, epochs=[]), led(2, epochs=[0])),
    ):
        assert news.after(known) == news
        assert news.after(None) == news
