"""The five questions this project asks of Kafka, each as plain values in and out. Reads only."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import UUID

import kafka.errors as kafka_errors
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest, OffsetFetchRequest
from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest

from canary.edges.kafka import fetch_wire
from canary.edges.kafka.client import Client, TroubleError

Place = tuple[str, int]

NONE = 0
OUT_OF_RANGE = 1
UNKNOWN_TOPIC = 3
DENIED = 29
EARLIEST, LATEST = -2, -1
NO_ID = UUID(int=0)
_COMMITTED_ONLY = 1


@dataclass(frozen=True, slots=True)
class Topic:
    """What the cluster says of one topic: leaders by partition (-1 without one), or why it says nothing."""

    name: str
    error: int
    reason: str
    id: UUID
    leaders: Mapping[int, int]
    epochs: Mapping[int, int] = field(default_factory=dict)
    """By partition the number of its leadership, which grows with each change; absent where not told."""

    def after(self, before: "Topic | None") -> "Topic":
        """This news, but for leaderships that are known to be over, and partitions to be there."""
        if (
            before is None
            or self.error
            or before.error
            or NO_ID in (self.id, before.id)
            or self.id != before.id
        ):
            return self
        over = {p for p, epoch in self.epochs.items() if 0 <= epoch < before.epochs.get(p, -1)}
        leaders = {**before.leaders, **{p: led for p, led in self.leaders.items() if p not in over}}
        epochs = {**before.epochs, **{p: epoch for p, epoch in self.epochs.items() if p not in over}}
        return replace(self, leaders=leaders, epochs=epochs)


@dataclass(frozen=True, slots=True)
class Fetched:
    """One partition's answer to a fetch. `error` is Kafka's code, `reason` its name."""

    place: Place
    error: int
    reason: str
    end: int
    log_start: int | None
    aborted: Sequence[tuple[int, int]]
    preferred: int
    """The broker to read this partition from instead, with no records in this answer; -1 for none."""
    data: bytes
    complete: bool
    """The answer was free to carry records up to `end` (no quota, no open transaction) and carried none."""
    diverged: int | None = None
    """The log is not the one that was read: it parted from that there, and was written anew since."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one fetch may bring, how long the broker may wait for it (milliseconds), and for whom."""

    wait: int
    total_bytes: int
    partition_bytes: int
    rack: str = ""


class From(NamedTuple):
    """Where to read on, and under which leadership (-1 for any): under another one the broker refuses.

    `read`: under which one the record before it was written (-1: not known, and not held against the log).
    """

    offset: int
    epoch: int
    read: int = -1


def error_name(code: int) -> str:
    """Kafka's name of an error code, in words."""
    return str(kafka_errors.for_code(code).__name__).removesuffix("Error")


async def topics(client: Client, names: Sequence[str], first: object) -> Sequence[Topic]:
    """What one broker of the cluster (`first`, where it can be reached) knows of these topics; makes none."""
    node = await client.connect(first)
    request = MetadataRequest(
        topics=[MetadataRequest.MetadataRequestTopic(name=name) for name in names],
        allow_auto_topic_creation=False,
        include_cluster_authorized_operations=False,
        include_topic_authorized_operations=False,
    )
    response = await client.send(request, node)
    client.learn_brokers(response)
    return [
        Topic(
            name=item.name,
            error=item.error_code,
            reason=error_name(item.error_code),
            id=item.topic_id or NO_ID,
            leaders={part.partition_index: part.leader_id for part in item.partitions or ()},
            epochs={
                part.partition_index: part.leader_epoch
                for part in item.partitions or ()
                if part.leader_epoch is not None
            },
        )
        for item in response.topics
    ]


async def offsets(client: Client, node: object, places: Sequence[Place], which: int) -> Mapping[Place, int]:
    """The first or the next offset of each partition that `node` leads; those it does not are left out."""
    parts: dict[str, list[Any]] = defaultdict(list)
    for topic, partition in places:
        parts[topic].append(
            ListOffsetsRequest.ListOffsetsTopic.ListOffsetsPartition(
                partition_index=partition, current_leader_epoch=-1, timestamp=which
            )
        )
    request = ListOffsetsRequest(isolation_level=0, topics=list(parts.items()), min_version=1)
    response = await client.send(request, node)
    found: dict[Place, int] = {}
    for topic in response.topics:
        for part in topic.partitions:
            if part.error_code == DENIED:
                raise TroubleError(f"not authorized to read topic {topic.name}")
            if part.error_code == NONE and part.offset >= 0:
                found[(topic.name, part.partition_index)] = part.offset
    return found


async def fetch(
    client: Client, node: object, positions: Mapping[Place, From], ids: Mapping[str, UUID], limits: Limits
) -> Sequence[Fetched]:
    """Read these partitions from a broker that leads or follows them.

    Where all sides know topic ids the topics are named by them: then a topic that was made again under
    its old name answers with an error instead of with records that are not what we think they are.
    """
    newest = client.highest(FetchRequest)
    if newest < fetch_wire.BY_NAME:
        return await _fetch_of_old(client, node, positions, limits)
    topics = {topic for topic, _ in positions}
    by_id = newest >= fetch_wire.BY_ID and all(ids.get(topic, NO_ID) != NO_ID for topic in topics)
    said: Mapping[str, fetch_wire.Topic] = ids if by_id else {topic: topic for topic in topics}
    asked = ((said[topic], (part, at.epoch, at.offset, at.read)) for (topic, part), at in positions.items())
    request = fetch_wire.Fetch(
        version=fetch_wire.BY_ID if by_id else fetch_wire.BY_NAME,
        wait=limits.wait,
        total_bytes=limits.total_bytes,
        partition_bytes=limits.partition_bytes,
        isolation=_COMMITTED_ONLY,
        rack=limits.rack,
        topics=fetch_wire.by_topic(asked),
    )
    response: fetch_wire.Answer = await client.send(request, node)
    names = {said[topic]: topic for topic in topics}
    return _answers(response, [(names.get(part.topic, ""), part) for part in response.parts])


def _answers(response: Any, parts: Sequence[tuple[str, fetch_wire.Part]]) -> Sequence[Fetched]:
    if response.error_code:
        raise TroubleError(f"fetch refused: {error_name(response.error_code)}")
    complete = not response.throttle_time_ms and not any(part.records for _, part in parts)
    return [
        Fetched(
            place=(topic, part.partition),
            error=part.error,
            reason=error_name(part.error) if part.error else "",
            end=part.end,
            log_start=part.log_start if part.log_start >= 0 else None,
            aborted=part.aborted,
            preferred=part.preferred,
            data=part.records or b"",
            complete=complete and part.stable_end == part.end,
            diverged=part.diverged[1] if part.diverged is not None else None,
        )
        for topic, part in parts
    ]


async def _fetch_of_old(
    client: Client, node: object, positions: Mapping[Place, From], limits: Limits
) -> Sequence[Fetched]:
    """The same of a broker before 2.7, in the library's own words."""
    request = FetchRequest(
        max_wait_ms=limits.wait,
        min_bytes=1,
        max_bytes=limits.total_bytes,
        isolation_level=_COMMITTED_ONLY,
        session_id=0,
        session_epoch=-1,
        topics=_old_topics(positions, limits.partition_bytes),
        forgotten_topics_data=[],
        rack_id=limits.rack,
        min_version=4,
        max_version=fetch_wire.BY_NAME - 1,
    )
    response = await client.send(request, node)
    return _answers(
        response, [(t.topic, _old_part(t.topic, p)) for t in response.responses for p in t.partitions]
    )


def _old_topics(positions: Mapping[Place, From], size: int) -> list[Any]:
    parts: dict[str, list[Any]] = defaultdict(list)
    for (topic, partition), (offset, epoch, _) in positions.items():
        parts[topic].append(
            FetchRequest.FetchTopic.FetchPartition(
                partition=partition,
                current_leader_epoch=epoch,
                fetch_offset=offset,
                log_start_offset=-1,
                partition_max_bytes=size,
            )
        )
    return [FetchRequest.FetchTopic(topic=name, partitions=items) for name, items in parts.items()]


def _old_part(topic: str, part: Any) -> fetch_wire.Part:
    """Fields that a version does not have are None."""
    start, preferred = part.log_start_offset, part.preferred_read_replica
    return fetch_wire.Part(
        topic,
        part.partition_index,
        part.error_code,
        end=part.high_watermark,
        stable_end=part.last_stable_offset,
        log_start=-1 if start is None else start,
        aborted=[(item.producer_id, item.first_offset) for item in part.aborted_transactions or ()],
        preferred=-1 if preferred is None else preferred,
        records=None if part.records is None else bytes(part.records),
    )


async def coordinator(client: Client, group: str) -> int:
    """The broker that keeps a group's offsets."""
    node = await client.connect()
    if client.highest(FindCoordinatorRequest) >= 4:
        request = FindCoordinatorRequest(key_type=0, coordinator_keys=[group], min_version=4)
        found = (await client.send(request, node)).coordinators[0]
    else:
        found = await client.send(FindCoordinatorRequest(key=group, key_type=0, max_version=3), node)
    if found.error_code:
        raise TroubleError(f"group {group}: {error_name(found.error_code)}")
    return int(found.node_id)


async def committed(
    client: Client, group: str, places: Sequence[Place], where: int | None
) -> tuple[int, Mapping[Place, int | None]]:
    """Where the group's coordinator is, if `where` does not say, and how far it has committed.

    None for a partition on which it never did.
    """
    where = await coordinator(client, group) if where is None else where
    parts: dict[str, list[int]] = defaultdict(list)
    for topic, partition in places:
        parts[topic].append(partition)
    single = OffsetFetchRequest.OffsetFetchRequestTopic
    many = OffsetFetchRequest.OffsetFetchRequestGroup
    if client.highest(OffsetFetchRequest) >= 8:
        asked = [many.OffsetFetchRequestTopics(name=n, partition_indexes=p) for n, p in parts.items()]
        request = OffsetFetchRequest(
            groups=[many(group_id=group, topics=asked)], min_version=8, max_version=8
        )
        response = (await client.send(request, where)).groups[0]
    else:
        asked = [single(name=n, partition_indexes=p) for n, p in parts.items()]
        response = await client.send(OffsetFetchRequest(group_id=group, topics=asked, max_version=7), where)
    if response.error_code:
        raise TroubleError(f"group {group}: {error_name(response.error_code)}")
    found: dict[Place, int | None] = dict.fromkeys(places)
    for topic in response.topics:
        for part in topic.partitions:
            if part.error_code:
                raise TroubleError(f"group {group}, topic {topic.name}: {error_name(part.error_code)}")
            found[(topic.name, part.partition_index)] = (
                part.committed_offset if part.committed_offset >= 0 else None
            )
    return where, found
