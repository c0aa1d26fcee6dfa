"""The pipeline's own Kafka clients: how they are set up, and a producer that keeps trying."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from canary.sandbox.broker import ImpossibleError

RAW = "events_plugin_ingestion"
PROCESSED = "clickhouse_events_json"
DEAD_LETTERS = "events_plugin_ingestion_dlq"
_LOOK = 0.2
_RECONNECT = {"reconnect_backoff_ms": 20, "reconnect_backoff_max_ms": 300, "retry_backoff_ms": 50}


class StoppedError(Exception):
    """We are going away and did not wait for the broker."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record to be written."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    time: datetime | None = None


def client(bootstrap: str, name: str) -> dict[str, Any]:
    """Settings of every client of the pipeline: quick to come back after an outage."""
    return {"bootstrap_servers": bootstrap, "client_id": f"sandbox-{name}", **_RECONNECT}


def make_topics(bootstrap: str, partitions: int) -> None:
    """Make the topics that are not there yet."""
    try:
        admin = KafkaAdminClient(**client(bootstrap, "topics"), bootstrap_timeout_ms=30_000)
    except KafkaError as error:
        raise ImpossibleError(f"broker: cannot be asked for topics at {bootstrap} (got {error})") from error
    try:
        for name, count in ((RAW, partitions), (PROCESSED, partitions), (DEAD_LETTERS, 1)):
            try:
                admin.create_topics([NewTopic(name, count, 1)])
            except TopicAlreadyExistsError:
                continue
            except KafkaError as error:
                raise ImpossibleError(f"topic {name}: cannot be made (got {error})") from error
    finally:
        admin.close()


class Producer(Protocol):
    """What the pipeline writes to its broker with; may be shared by threads."""

    def partitions(self, topic: str) -> int: ...
    def send(self, messages: Sequence[Message], *, within: timedelta) -> None: ...
    def write(self, messages: Sequence[Message], *, stop: threading.Event) -> None: ...
    def close(self) -> None: ...


class IdempotentProducer:
    """kafka-python's, which sends again after an outage and still stores each record once."""

    def __init__(self, bootstrap: str, name: str, *, expiry: timedelta) -> None:
        expiry_ms = int(expiry / timedelta(milliseconds=1))
        self._kafka = KafkaProducer(
            **client(bootstrap, name),
            acks="all",
            linger_ms=0,
            max_block_ms=5_000,
            request_timeout_ms=min(15_000, expiry_ms),
            delivery_timeout_ms=expiry_ms,
            metrics_enabled=False,
        )

    def partitions(self, topic: str) -> int:
        return len(self._kafka.partitions_for(topic))

    def send(self, messages: Sequence[Message], *, within: timedelta) -> None:
        """Return when all are stored; raises KafkaError when one is not, or (it still may be) not in time."""
        for future in self._begin(messages):
            future.get(within.total_seconds())

    def write(self, messages: Sequence[Message], *, stop: threading.Event) -> None:
        """Write however long it takes; raises StoppedError when told to stop."""
        todo = list(messages)
        while todo:
            try:
                futures = self._begin(todo)
            except KafkaError:
                futures = []
            todo = (
                todo
                if not futures
                else [each for each, future in zip(todo, futures, strict=True) if not _arrived(future, stop)]
            )
            if stop.is_set() and todo:
                raise StoppedError("a producer was stopped while it waited for the broker")

    def _begin(self, messages: Sequence[Message]) -> list[Any]:
        return [
            self._kafka.send(
                each.topic,
                key=each.key,
                value=each.value,
                headers=list(each.headers),
                timestamp_ms=None if each.time is None else round(each.time.timestamp() * 1000),
            )
            for each in messages
        ]

    def close(self) -> None:
        self._kafka.close(timeout=0)


def _arrived(future: Any, stop: threading.Event) -> bool:
    while not future.is_done and not stop.is_set():
        try:
            future.get(_LOOK)
        except KafkaError:
            continue
    return bool(future.is_done and future.succeeded())
