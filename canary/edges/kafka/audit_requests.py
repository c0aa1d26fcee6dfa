"""What an audit asks of Kafka beyond reading: offsets by time, ends, and how long records are kept."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from kafka.protocol.admin import DescribeConfigsRequest
from kafka.protocol.consumer import ListOffsetsRequest

from canary.edges.kafka.client import Client, TroubleError
from canary.edges.kafka.requests import DENIED, NONE, Place, error_name

_TOPIC = 2
_EARLIEST_LOCAL = -4
_KNOWS_TIERS = 8
"""The version of ListOffsets that asks for it (KIP-405)."""

_STRANGE = frozenset({35, 42})
"""A version, or a request, that is not supported."""

UNCOMMITTED, COMMITTED = 0, 1


async def offsets_at(
    client: Client,
    node: object,
    places: Sequence[Place],
    which: int,
    isolation: int,
    *,
    strange: AbstractSet[int] = frozenset(),
) -> Mapping[Place, int | None]:
    """By partition the first offset whose record is of the time `which` (Unix milliseconds) or later.

    None where there is no such record. `which` may also be one of Kafka's own: the oldest, the end; None too
    where a broker answers with an error that shows that this is `strange` to it.
    Raises `TroubleError` where any of the partitions does not answer.
    """
    parts: dict[str, list[Any]] = defaultdict(list)
    single = ListOffsetsRequest.ListOffsetsTopic.ListOffsetsPartition
    for topic, partition in places:
        parts[topic].append(single(partition_index=partition, current_leader_epoch=-1, timestamp=which))
    request = ListOffsetsRequest(isolation_level=isolation, topics=list(parts.items()), min_version=2)
    response = await client.send(request, node)
    found: dict[Place, int | None] = {}
    for topic in response.topics:
        for part in topic.partitions:
            where = f"topic {topic.name}, partition {part.partition_index}"
            if part.error_code == DENIED:
                raise TroubleError(f"not authorized to read topic {topic.name}")
            if part.error_code != NONE and part.error_code not in strange:
                raise TroubleError(f"{where}: {error_name(part.error_code)}")
            none = part.offset < 0 or (which >= 0 and part.timestamp < 0)
            found[topic.name, part.partition_index] = None if none else int(part.offset)
    missing = [place for place in places if place not in found]
    if missing:
        raise TroubleError(f"topic {missing[0][0]}, partition {missing[0][1]}: its offsets were not told")
    return found


async def local_starts(client: Client, node: object, places: Sequence[Place]) -> Mapping[Place, int | None]:
    """By partition where tiered storage ends; None of a broker that does not know the question."""
    if client.highest(ListOffsetsRequest) < _KNOWS_TIERS:
        return dict.fromkeys(places)
    return await offsets_at(client, node, places, _EARLIEST_LOCAL, UNCOMMITTED, strange=_STRANGE)


async def settings(client: Client, topic: str, names: Sequence[str]) -> Mapping[str, str] | None:
    """These settings of a topic, as far as its broker has them; None where we may not know them."""
    resource = DescribeConfigsRequest.DescribeConfigsResource
    asked = resource(resource_type=_TOPIC, resource_name=topic, configuration_keys=list(names))
    request = DescribeConfigsRequest(
        resources=[asked], include_synonyms=False, include_documentation=False, max_version=3
    )
    response = await client.send(request, await client.connect())
    for result in response.results:
        if result.error_code == NONE:
            return {one.name: one.value for one in result.configs or () if one.value is not None}
    return None
