"""Reading gaps back: how many empty answers prove that a broker keeps nothing there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder

from canary.edges.kafka.client import Client, TroubleError
from canary.edges.kafka.cluster import Cluster
from canary.edges.kafka.fetchback import EMPTY_AFTER, FEW, Fetchback
from canary.edges.kafka.requests import Fetched, From, Place, Topic
from canary.edges.kafka.traffic import Reading
from canary.traffic import ReadBack
from reconcile.offsets import Range, joined

TOPIC = "events"


@dataclass(slots=True)
class Brokers:
    """Partitions of `size` records in one batch. Each answers so many fetches with nothing first, as one that
    reads from slow storage does, and tells whether it could have answered with more."""

    size: int
    barren: Mapping[int, int]
    complete: bool = True
    asked: Counter[int] = field(default_factory=Counter)

    def ask(
        self, _: Any, client: Any, node: Any, wanted: Mapping[Place, From], *more: Any, until: float
    ) -> Any:
        del client, node, more, until
        self.asked.update(place[1] for place in wanted)
        empty = {place: self.asked[place[1]] <= self.barren[place[1]] for place in wanted}
        complete = self.complete and all(empty.values())
        return [
            Fetched(place, 0, "", self.size, 0, (), -1, b"" if empty[place] else self._batch(), complete)
            for place in wanted
        ]

    def _batch(self) -> bytes:
        builder: Any = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000_000)
        for number in range(self.size):
            builder.append(number, timestamp=0, key=b"k", value=b'{"uuid":"a"}', headers=[])
        return bytes(builder.build())


def read_back(brokers: Brokers, gaps: Sequence[Range], leaders: Mapping[int, int]) -> ReadBack:
    return fetched(brokers, gaps, leaders).result(Reading())


def fetched(
    brokers: Brokers,
    gaps: Sequence[Range],
    leaders: Mapping[int, int],
    local: Mapping[int, int] | None = None,
) -> Fetchback:
    topic = Topic(TOPIC, 0, "", uuid4(), leaders)
    cluster = cast(Cluster, SimpleNamespace(topics={TOPIC: topic}))
    back = Fetchback(cluster, TOPIC, gaps, timeout=1.0)
    back.local = local or {}
    while back.left:
        back.round(cast(Client, brokers))
    return back


def found(back: ReadBack) -> list[Range]:
    return joined([Range(m.partition, m.offset, m.offset + 1) for m in back.messages])


@given(st.lists(st.integers(0, EMPTY_AFTER - 1), min_size=2, max_size=4), st.booleans(), st.booleans())
def test_a_range_is_not_given_up_for_the_empty_answers_of_others(
    barren: list[int], one_broker: bool, large: bool
) -> None:
    """Led by one broker or by several, and asked for together or apart: what is there is found."""
    size = FEW + 1 if large else 1
    gaps = [Range(p, 0, size if p % 2 else 1) for p in range(len(barren))]
    leaders = {p: 1 if one_broker else p for p in range(len(barren))}
    back = read_back(Brokers(size, dict(enumerate(barren))), gaps, leaders)

    assert (back.unread, back.read, found(back)) == ("", gaps, gaps)


def test_enough_empty_answers_prove_that_nothing_is_kept_there() -> None:
    """Where the broker was free to answer with more; else it does not answer, and nothing is proven."""
    gap = Range(0, 0, 1)
    gone = read_back(Brokers(1, {0: EMPTY_AFTER}), [gap], {0: 1})
    held = read_back(Brokers(1, {0: EMPTY_AFTER}, complete=False), [gap], {0: 1})

    assert (gone.unread, gone.read, found(gone)) == ("", [gap], [])
    assert ("does not answer" in held.unread, held.read) == (True, [])


def test_no_number_of_empty_answers_proves_that_tiered_storage_keeps_nothing() -> None:
    """Its broker answers with nothing as long as that storage has not; what lies on the broker is proven."""
    gap = Range(0, 0, 1)
    slow = fetched(Brokers(1, {0: EMPTY_AFTER}), [gap], {0: 1}, local={0: 1}).result(Reading())
    local = fetched(Brokers(1, {0: EMPTY_AFTER}), [gap], {0: 1}, local={0: 0}).result(Reading())

    assert (slow.unread, slow.read) == ("topic events, partition 0's tiered storage does not answer", [])
    assert (local.unread, local.read) == ("", [gap])


def test_dead_letters_that_could_not_be_read_are_missed() -> None:
    """What could be read is told first: the rest may hold any event."""
    gaps = [Range(p, 0, 1) for p in (0, 1)]
    back = fetched(Brokers(1, {0: 0, 1: EMPTY_AFTER}, complete=False), gaps, {0: 1, 1: 2})
    told: list[tuple[str, str]] = []
    with pytest.raises(TroubleError, match="partition 1 does not answer"):
        told.extend(back.letters(["uuid"]))

    assert told == [("a", "")]
