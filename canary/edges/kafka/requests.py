"""The five questions this project asks of Kafka, each as plain values in and out. Reads only."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import kafka.errors as kafka_errors
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest, OffsetFetchRequest
from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest

from canary.edges.kafka.client import Client, TroubleError

Place = tuple[str, int]

NONE = 0
OUT_OF_RANGE = 1
UNKNOWN_TOPIC = 3
DENIED = 29
EARLIEST, LATEST = -2, -1
NO_ID = UUID(int=0)
_WITH_IDS = 13
_BY_NAME = 12
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


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one fetch may bring, how long the broker may wait for it (milliseconds), and for whom."""

    wait: int
    total_bytes: int
    partition_bytes: int
    rack: str = ""


class From(NamedTuple):
    """Where to read on, and under which leadership (-1 for any): under another one the broker refuses."""

    offset: int
    epoch: int


def error_name(code: int) -> str:
    """Kafka's name of an error code, in words."""
    return str(kafka_errors.for_code(code).__name__).removesuffix("Error")


async def topics(client: Client, names: Sequence[str]) -> Sequence[Topic]:
    """What the cluster knows of these topics; makes none."""
    node = await client.connect()
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
    by_id = client.highest(FetchRequest) >= _WITH_IDS and all(
        ids.get(t, NO_ID) != NO_ID for t, _ in positions
    )
    version = _WITH_IDS if by_id else _BY_NAME
    request = FetchRequest(
        max_wait_ms=limits.wait,
        min_bytes=1,
        max_bytes=limits.total_bytes,
        isolation_level=_COMMITTED_ONLY,
        session_id=0,
        session_epoch=-1,
        topics=_fetch_topics(positions, ids if by_id else None, limits.partition_bytes),
        forgotten_topics_data=[],
        rack_id=limits.rack,
        min_version=_WITH_IDS if by_id else 4,
        max_version=version,
    )
    response = await client.send(request, node)
    if response.error_code:
        raise TroubleError(f"fetch refused: {error_name(response.error_code)}")
    names = {topic_id: name for name, topic_id in ids.items()}
    size = sum(len(p.records or b"") for t in response.responses for p in t.partitions)
    complete = size == 0 and not response.throttle_time_ms
    return [
        _fetched((names.get(t.topic_id, "") if by_id else t.topic, p.partition_index), p, complete)
        for t in response.responses
        for p in t.partitions
    ]


def _fetch_topics(positions: Mapping[Place, From], ids: Mapping[str, UUID] | None, size: int) -> list[Any]:
    parts: dict[str, list[Any]] = defaultdict(list)
    for (topic, partition), (offset, epoch) in positions.items():
        parts[topic].append(
            FetchRequest.FetchTopic.FetchPartition(
                partition=partition,
                current_leader_epoch=epoch,
                fetch_offset=offset,
                last_fetched_epoch=-1,
                log_start_offset=-1,
                partition_max_bytes=size,
            )
        )
    if ids is None:
        return [FetchRequest.FetchTopic(topic=name, partitions=items) for name, items in parts.items()]
    return [FetchRequest.FetchTopic(topic_id=ids[name], partitions=items) for name, items in parts.items()]


def _fetched(place: Place, part: Any, complete: bool) -> Fetched:
    start = part.log_start_offset
    return Fetched(
        place=place,
        error=part.error_code,
        reason=error_name(part.error_code),
        end=part.high_watermark,
        log_start=start if start is not None and start >= 0 else None,
        aborted=[(item.producer_id, item.first_offset) for item in part.aborted_transactions or ()],
        preferred=part.preferred_read_replica if part.preferred_read_replica is not None else -1,
        data=bytes(part.records or b""),
        complete=complete and part.last_stable_offset == part.high_watermark,
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
