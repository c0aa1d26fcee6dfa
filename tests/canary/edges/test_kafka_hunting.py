"""Hunts for single canaries in a busy topic: what they fetch, and what they keep when they are broken off."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder

from canary.edges.kafka import requests
from canary.edges.kafka.client import Client, TroubleError
from canary.edges.kafka.hunting import Hunting
from canary.edges.kafka.partitions import Partitions
from canary.edges.kafka.record import Recogniser
from canary.edges.kafka.requests import NO_ID, Fetched, From, Limits, Place, Topic
from canary.edges.kafka.seeking import Seeking
from canary.identity import Mint, Verifier
from canary.values import Marks, Resume, Sighting, Wanted

SECRET = b"a secret of the tests"
MARKS = Marks(Verifier(SECRET, ["tests"]).recognises, "ingestion_canary", "canary-")
T0 = datetime(2026, 3, 1, tzinfo=UTC)
LATER = T0 + timedelta(seconds=1)
TOPIC = "busy"
LIMITS = Limits(wait=0, total_bytes=50_000_000, partition_bytes=0)


@dataclass(slots=True)
class Log:
    """A broker's partitions, batch by batch. A fetch cuts what is too large short, as a broker does, but for
    the first batch of all; it hangs up once `answers` fetches are answered."""

    batches: dict[int, list[bytes]] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    starts: dict[int, list[int]] = field(default_factory=dict)
    answers: int = 100
    asked: list[int] = field(default_factory=list)

    def append(self, partition: int, values: Sequence[bytes]) -> None:
        base = self.ends.get(partition, 0)
        builder: Any = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000_000)
        for number, value in enumerate(values):
            builder.append(number, timestamp=0, key=b"k", value=value, headers=[])
        data = bytearray(builder.build())
        data[:8] = base.to_bytes(8, "big")
        self.batches.setdefault(partition, []).append(bytes(data))
        self.starts.setdefault(partition, []).append(base)
        self.ends[partition] = base + len(values)

    def ask(
        self, _: Any, client: Any, node: Any, positions: Mapping[Place, From], *more: Any, until: float
    ) -> Any:
        """Answers fetches: no hunt of these tests has a hint."""
        del client, node, until
        if len(self.asked) >= self.answers:
            raise TroubleError("no answer within 2 s")
        size = more[1].partition_bytes
        self.asked.append(size)
        whole, found = True, []
        for place, (offset, *_) in positions.items():
            data = b"".join(
                batch
                for batch, start, end in zip(
                    self.batches[place[1]],
                    self.starts[place[1]],
                    [*self.starts[place[1]][1:], self.ends[place[1]]],
                    strict=True,
                )
                if end > offset
            )
            first = 12 + int.from_bytes(data[8:12], "big") if data else 0
            data = data[: max(size, first if whole else 0)]
            whole = whole and not data
            found.append(Fetched(place, 0, "", self.ends[place[1]], 0, (), -1, data, False))
        return found


@dataclass(slots=True)
class Hunter:
    log: Log
    hunting: Hunting
    seeking: Seeking
    found: list[Sighting] = field(default_factory=list)

    def hunt(self, *, stop: float = float("inf")) -> None:
        hunts = self.seeking.hunts(LATER)
        self.hunting.hunt(cast(Client, self.log), hunts, LIMITS, self.found, until=0, stop=stop)


def hunter(log: Log, canaries: Mapping[int, UUID]) -> Hunter:
    """Of a topic whose partitions were empty when the canaries were sent."""
    places = {(TOPIC, partition): 0 for partition in log.batches}
    parts = Partitions({TOPIC: ""}, now=lambda: LATER, resume=Resume(dict.fromkeys(places, (0, T0))))
    topic = Topic(TOPIC, requests.NONE, "", NO_ID, dict.fromkeys(log.batches, 1))
    parts.arrange(cast(Client, log), {TOPIC: topic}, until=0)
    seeking = Seeking("targeted", topic=TOPIC, seek_after=timedelta(hours=1), above=1)
    seeking.ends(T0, places, asked=True)
    wanted = [Wanted(one, T0, "ingestion_canary", "canary-1", part) for part, one in canaries.items()]
    seeking.plan(wanted, LATER)
    recogniser = Recogniser(MARKS)
    made = Hunting("raw", TOPIC, partitions=parts, recogniser=recogniser, seeking=seeking, now=lambda: LATER)
    return Hunter(log, made, seeking)


def noise(count: int, size: int) -> list[bytes]:
    return [b"x" * size] * count


def canary(one: UUID) -> bytes:
    return json.dumps({"uuid": str(one), "event": "ingestion_canary", "distinct_id": "canary-1"}).encode()


def test_what_was_seen_before_the_broker_fell_silent_is_kept() -> None:
    """A hunt that has passed a canary does not come by again: its sighting outlives the look's trouble."""
    near, far = Mint(SECRET, "tests").mint(T0), Mint(SECRET, "tests").mint(LATER)
    log = Log(answers=1)
    log.append(0, [canary(near)])
    log.append(1, noise(10, 5000))
    log.append(1, [canary(far)])
    made = hunter(log, {0: near, 1: far})
    with pytest.raises(TroubleError):
        made.hunt()
    assert [item.id for item in made.found] == [near]


def test_a_hunt_that_is_stopped_goes_on_from_where_it_was() -> None:
    """Nothing is fetched twice for it."""
    one = Mint(SECRET, "tests").mint(T0)
    log = Log()
    for _ in range(6):
        log.append(0, noise(3, 2000))
    log.append(0, [canary(one)])
    made = hunter(log, {0: one})
    for _ in range(10):
        made.hunt(stop=time.monotonic())
        if made.found:
            break
    assert [item.id for item in made.found] == [one]
    assert made.hunting.counts["records_read"] == 6 * 3 + 1


@settings(max_examples=50, deadline=None)
@given(
    before=st.lists(
        st.lists(st.tuples(st.integers(1, 30), st.integers(10, 3000)), max_size=4), min_size=1, max_size=8
    ),
    behind=st.integers(0, 40),
)
def test_a_hunt_fetches_little_more_than_it_must(before: list[list[tuple[int, int]]], behind: int) -> None:
    """Every canary is found, in few rounds; what is fetched for it is bounded by what stands up to it and by
    the largest batch, however much came behind it."""
    mint, log = Mint(SECRET, "tests"), Log()
    canaries = {partition: mint.mint(T0) for partition in range(len(before))}
    must = largest = 0
    for partition, some in enumerate(before):
        for count, size in some:
            log.append(partition, noise(count, size))
        log.append(partition, [canary(canaries[partition])])
        must += sum(map(len, log.batches[partition]))
        for _ in range(behind):
            log.append(partition, noise(10, 300))
        largest = max(largest, *map(len, log.batches[partition]))
    made = hunter(log, canaries)
    made.hunt()
    assert sorted(item.id for item in made.found) == sorted(canaries.values())
    assert made.hunting.counts["bytes_read"] <= 4 * must + 2 * len(before) * largest
    assert len(log.asked) <= 11
