"""Reads stretches of topics: offsets by time, from one offset to another, so many messages at most.

No coverage comes of it, and nothing is followed: the watching of a topic stands in `stage`. Only committed
records are read.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka.protocol.consumer import ListOffsetsRequest

from canary.edges.kafka import requests
from canary.edges.kafka.batches import Record, UnreadableError, batches
from canary.edges.kafka.client import Access, Client, Pending, TroubleError
from canary.edges.kafka.cluster import Cluster
from canary.edges.kafka.requests import NO_ID, Fetched, From, Limits, Place, Topic

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WAIT = 250
ANSWER_BYTES, PARTITION_BYTES = 8 * 1024 * 1024, 1024 * 1024
PATIENCE = 4
"""So many fruitless answers in a row end the reading of a partition."""


class NoTopicError(TroubleError):
    """The cluster was asked, and has no topic of this name."""


Visit = Callable[[int, Record], bool]
"""Takes a partition and one of its records; True ends the reading."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The first offset that is kept, and the one that comes next."""

    start: int
    end: int


@dataclass
class Reach:
    """How far a reading came: by partition the next offset, and why it stopped short of its end."""

    next: dict[int, int]
    gaps: dict[int, str] = field(default_factory=dict)
    read: int = 0
    broken: int = 0
    stopped: bool = False


def believed(positions: Mapping[int, int | None], ends: Mapping[int, int]) -> Mapping[int, int | None]:
    """None for a place behind the end: it is that of another topic of this name, or of an end that was lost,
    and proves nothing here."""
    return {p: at if at is None or at <= ends.get(p, at) else None for p, at in positions.items()}


class RangeReader:
    """One session with a cluster, for topics named beforehand. Every call may raise `TroubleError`."""

    def __init__(self, access: Access, topics: Sequence[str]) -> None:
        self._timeout = access.timeout
        self._cluster = Cluster(access, sorted(set(topics)))

    def close(self) -> None:
        """Hang up."""
        self._cluster.close()

    def topic(self, name: str) -> Topic:
        """What the cluster says of a topic that is there."""
        self._client()
        topic = self._cluster.topics.get(name)
        if topic is None or topic.error == requests.UNKNOWN_TOPIC:
            raise NoTopicError(f"topic {name} does not exist")
        if topic.error == requests.DENIED:
            raise TroubleError(f"not authorized to read topic {name}")
        if topic.error:
            raise TroubleError(f"topic {name}: {topic.reason}")
        return topic

    def bounds(self, name: str) -> Mapping[int, Bounds]:
        """By partition what a topic holds now; those without a leader are left out."""
        first = self._offsets(name, requests.EARLIEST)
        last = self._offsets(name, requests.LATEST)
        return {p: Bounds(first[p][0], last[p][0]) for p in first if p in last}

    def offsets_at(self, name: str, moment: datetime) -> Mapping[int, tuple[int, datetime]]:
        """By partition the first offset whose record's time is `moment` or later, and that time.

        A partition without such a record is left out.
        """
        found = self._offsets(name, max(0, int((moment - EPOCH) / timedelta(milliseconds=1))))
        return {p: (o, EPOCH + timedelta(milliseconds=t)) for p, (o, t) in found.items() if t >= 0}

    def committed(self, group: str, name: str) -> Mapping[int, int | None]:
        """By partition where a consumer group goes on; None where it never committed, or cannot stand."""
        places = [(name, partition) for partition in self.topic(name).leaders]
        client = self._client()
        _, found = client.ask(requests.committed, client, group, places, None, until=self._until())
        last = self._offsets(name, requests.LATEST) if any(found.values()) else {}
        return believed({p: at for (_, p), at in found.items()}, {p: end for p, (end, _) in last.items()})

    def read(self, name: str, ranges: Mapping[int, tuple[int, int]], visit: Visit, *, budget: int) -> Reach:
        """Read `[from, to)` of each partition, all of them in turn, until `visit` or the budget ends it."""
        reach = Reach({partition: start for partition, (start, _) in ranges.items()})
        ends = {partition: end for partition, (start, end) in ranges.items() if start < end}
        fruitless: Counter[int] = Counter()
        while not reach.stopped and (left := [p for p in ends if p not in reach.gaps]):
            if reach.read >= budget:
                reach.gaps |= dict.fromkeys(left, f"only {budget:,} messages may be read")
                break
            for answer, barren in self._fetch(name, {p: reach.next[p] for p in left}):
                if reach.stopped or reach.read >= budget:
                    break
                self._take(answer, reach, ends, _Visitor(visit, budget, ends))
                partition = answer.place[1]
                fruitless[partition] = fruitless[partition] + 1 if barren else 0
                if fruitless[partition] >= PATIENCE and partition in ends:
                    self._barren(answer, reach, ends)
            ends = {p: end for p, end in ends.items() if reach.next[p] < end}
        return reach

    def _barren(self, answer: Fetched, reach: Reach, ends: dict[int, int]) -> None:
        """Nothing comes of a partition any more: a cleaned log is at its end, all else is a gap."""
        partition = answer.place[1]
        if answer.error:
            reach.gaps[partition] = answer.reason
        elif answer.complete:
            reach.next[partition] = ends[partition]
        else:
            reach.gaps[partition] = "an open transaction holds it back, or a quota"

    def _take(self, answer: Fetched, reach: Reach, ends: Mapping[int, int], visitor: "_Visitor") -> None:
        partition = answer.place[1]
        if answer.error == requests.OUT_OF_RANGE:
            reach.gaps[partition] = "retention removed what was to be read"
        elif answer.error == requests.DENIED:
            reach.gaps[partition] = f"not authorized to read topic {answer.place[0]}"
        elif answer.error:
            self._cluster.stale()
        if answer.error or partition not in ends:
            return
        try:
            for batch in batches(answer.data, start=reach.next[partition], aborted=answer.aborted):
                reach.broken += bool(batch.broken)
                left_at = visitor.take(partition, batch.records, reach)
                reach.next[partition] = batch.next_offset if left_at is None else left_at
                if reach.next[partition] >= ends[partition] or left_at is not None:
                    return
        except UnreadableError as error:
            reach.gaps[partition] = str(error)

    def _fetch(self, name: str, positions: Mapping[int, int]) -> Sequence[tuple[Fetched, bool]]:
        """One fetch from each leader; with each answer whether nothing at all came of its fetch."""
        client, topic = self._client(), self.topic(name)
        sent: list[Pending[Sequence[Fetched]]] = []
        for node, parts in _by_leader(topic, positions).items():
            asked = {(name, p): From(positions[p], topic.epochs.get(p, -1)) for p in parts}
            limits = Limits(wait=WAIT, total_bytes=ANSWER_BYTES, partition_bytes=PARTITION_BYTES)
            ids = {name: topic.id} if topic.id != NO_ID else {}
            sent.append(client.begin(requests.fetch, client, node, asked, ids, limits))
        if not sent:
            raise TroubleError(f"topic {name} has a partition without a leader")
        self._cluster.bell.wait(lambda: all(one.done for one in sent), until=self._until())
        found: list[tuple[Fetched, bool]] = []
        for one in sent:
            answers = one.result()
            barren = not any(answer.data for answer in answers)
            found += [(answer, barren or bool(answer.error)) for answer in answers]
        return found

    def _offsets(self, name: str, which: int) -> dict[int, tuple[int, int]]:
        client, topic = self._client(), self.topic(name)
        found: dict[Place, tuple[int, int]] = {}
        for node, parts in _by_leader(topic, topic.leaders).items():
            places = [(name, p) for p in parts]
            found |= client.ask(_offsets, client, node, places, which, until=self._until())
        return {partition: told for (_, partition), told in found.items()}

    def _client(self) -> Client:
        try:
            return self._cluster.client(self._until())
        except TroubleError as trouble:  # else the next call would find no topics there
            self._cluster.drop(str(trouble))
            raise

    def _until(self) -> float:
        return time.monotonic() + self._timeout


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Hands records on until the reading shall end."""

    visit: Visit
    budget: int
    ends: Mapping[int, int]

    def take(self, partition: int, records: Sequence[Record], reach: Reach) -> int | None:
        """Where to go on when it stopped before the last of them; None when it took them all."""
        for record in records:
            if reach.stopped or reach.read >= self.budget or record.offset >= self.ends[partition]:
                return record.offset
            reach.read += 1
            reach.stopped = self.visit(partition, record)
        return None


def _by_leader(topic: Topic, partitions: Mapping[int, object]) -> Mapping[int, Sequence[int]]:
    found: dict[int, list[int]] = {}
    for partition in partitions:
        if (leader := topic.leaders.get(partition, -1)) >= 0:
            found.setdefault(leader, []).append(partition)
    return found


async def _offsets(
    client: Client, node: object, places: Sequence[Place], which: int
) -> Mapping[Place, tuple[int, int]]:
    """Offset and time of each partition's first record at or after a time (or -2 and -1: its ends)."""
    kind = ListOffsetsRequest.ListOffsetsTopic.ListOffsetsPartition
    parts: dict[str, list[Any]] = {}
    for topic, partition in places:
        asked = kind(partition_index=partition, current_leader_epoch=-1, timestamp=which)
        parts.setdefault(topic, []).append(asked)
    request = ListOffsetsRequest(isolation_level=0, topics=list(parts.items()), min_version=1)
    response = await client.send(request, node)
    found: dict[Place, tuple[int, int]] = {}
    for topic in response.topics:
        for part in topic.partitions:
            if part.error_code == requests.DENIED:
                raise TroubleError(f"not authorized to read topic {topic.name}")
            if part.error_code == requests.NONE and part.offset >= 0:
                found[(topic.name, part.partition_index)] = (part.offset, part.timestamp)
    return found
