"""How a topic and its cluster are made, as the cluster tells: three small requests, and nothing read."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kafka.protocol.admin import DescribeConfigsRequest
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest

from canary.described import OPAQUE, CannotTellError, Description, Keeps
from canary.edges.kafka.audit import TopicAudit
from canary.edges.kafka.client import Bell, Client, TroubleError
from canary.edges.kafka.requests import NO_ID, NONE
from canary.edges.kafka.stage import Settings
from canary.traffic import CannotAskError
from canary.values import Now

CONFIGS = (
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
)
"""Settings of a topic that decide what it takes in and how long it has it."""
LONGEST = timedelta(days=36_500)
"""What is kept longer is kept for ever."""
_TOPIC = 2


class TopicDescriber:
    """Asks rarely, and hangs up after each time."""

    def __init__(self, settings: Settings, *, now: Now) -> None:
        self.name = settings.name
        self._settings = replace(settings, next_group=None, client_id=f"{settings.client_id}-changes")
        self._now = now

    def describe(self, since: datetime, *, trouble: bool) -> Description:
        """The topic and those beside it now; a cluster keeps no log that `since` could ask for.

        In trouble also how long the topic keeps records where its settings do not tell. Raises
        `CannotTellError`.
        """
        del since
        access = self._settings.access
        try:
            client = Client(access, Bell())
        except (OSError, ValueError) as error:  # a certificate or secret that cannot be read
            raise CannotTellError(f"{self.name}: cannot connect: {error}") from None
        try:
            return self._described(client, access.timeout, trouble=trouble)
        except TroubleError as trouble_:
            raise CannotTellError(f"{self.name}: {trouble_}") from None
        finally:
            client.close()

    def _described(self, client: Client, timeout: float, *, trouble: bool) -> Description:
        at, told = self._now(), self._settings
        topics = (told.topic, *told.alternates, *told.dead_letters)
        said: dict[str, dict[str, str]] = dict(
            client.ask(_cluster, client, topics, until=time.monotonic() + timeout)
        )
        try:
            configs = client.ask(_configs, client, topics, until=time.monotonic() + timeout)
        except TroubleError:  # no right to read them
            configs = {}
        said |= {f"settings of topic {topic}": values for topic, values in configs.items()}
        kept = keeps(configs.get(told.topic, {}))
        if kept is None and trouble:
            kept = self._estimated()
        return Description(at=at, said=said, keeps=kept)

    def _estimated(self) -> Keeps | None:
        """From the age of its oldest records, where some were removed already."""
        audit = TopicAudit(self._settings, ids=(), now=self._now)
        try:
            state = audit.state()
        except CannotAskError:
            return None
        finally:
            audit.close()
        return None if state.retention is None else Keeps(state.retention, state.retention_from)


def keeps(configs: Mapping[str, str]) -> Keeps | None:
    """How long a topic keeps records, by its settings."""
    told = configs.get("retention.ms", "")
    if not told.isascii() or not told.removeprefix("-").isdigit() or len(told) > 20:  # a long
        return None
    bound = configs.get("retention.bytes", "-1") != "-1"
    source = "retention.ms; retention.bytes may remove it earlier" if bound else "retention.ms"
    long = int(told) < 0 or int(told) > LONGEST.total_seconds() * 1000
    return Keeps(None if long else timedelta(milliseconds=int(told)), source)


async def _cluster(client: Client, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """The cluster's brokers, features and these topics; a topic that it does not tell of is left out."""
    node = await client.connect()
    asked = [MetadataRequest.MetadataRequestTopic(name=name) for name in topics]
    metadata = await client.send(
        MetadataRequest(
            topics=asked,
            allow_auto_topic_creation=False,
            include_cluster_authorized_operations=False,
            include_topic_authorized_operations=False,
        ),
        node,
    )
    said: dict[str, dict[str, str]] = {
        f"topic {item.name}": {
            "partitions": str(len(item.partitions or ())),
            "replicas": str(
                max((len(part.replica_nodes or ()) for part in item.partitions or ()), default=0)
            ),
            **({"was made again": f"{OPAQUE}{item.topic_id}"} if item.topic_id not in (None, NO_ID) else {}),
        }
        for item in metadata.topics
        if item.error_code == NONE
    }
    brokers = {f"broker {item.node_id}": f"{item.host}:{item.port}" for item in metadata.brokers}
    said["Kafka"] = {"cluster": metadata.cluster_id or "", **brokers}
    return said | await _versions(client, node)


async def _versions(client: Client, node: object) -> dict[str, dict[str, str]]:
    """What the cluster has agreed on, and the newest protocol that the broker speaks: its version shows."""
    request = ApiVersionsRequest(client_software_name="ingestion-canary", client_software_version="1")
    answer: Any = await client.send(request, node)
    if answer.error_code != NONE:
        return {}
    newest = ",".join(f"{api.api_key}:{api.max_version}" for api in answer.api_keys or ())
    features = {f"feature {one.name}": str(one.max_version_level) for one in answer.finalized_features or ()}
    return {"Kafka's versions": {"a broker speaks another protocol": f"{OPAQUE}{newest}", **features}}


async def _configs(client: Client, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """Settings of those topics of which we may read them."""
    resource = DescribeConfigsRequest.DescribeConfigsResource
    request = DescribeConfigsRequest(
        resources=[
            resource(resource_type=_TOPIC, resource_name=topic, configuration_keys=list(CONFIGS))
            for topic in topics
        ],
        include_synonyms=False,
        include_documentation=False,
        max_version=3,
    )
    response = await client.send(request, await client.connect())
    return {
        result.resource_name: {one.name: one.value for one in result.configs or () if one.value is not None}
        for result in response.results
        if result.error_code == NONE
    }
