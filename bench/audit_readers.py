"""What the audit is held against: read the whole topic back and look for every id in the table.

Partition by partition, so that the ids fit into memory; what each costs is told as it is done.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Place
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from bench.audit_table import PASSWORD
from bench.audit_topic import Plan
from canary.sandbox.clickhouse import ClickHouseFront

UUID_AT = slice(10, 46)
"""Where the id stands in a value: the readers are spared parsing JSON."""


AT_MOST = 0.05
"""Seconds that librdkafka may wait to fill a batch: it would wait for more behind a partition's end, too."""

STILL = 120.0
"""Seconds without any record after which a reader is given up."""


class StuckError(Exception):
    """Nothing came any more."""


TROUBLE = (StuckError, KafkaError, KafkaException, OSError)
"""What may keep a reader from its end."""


class _Patience:
    """Ends a reader that gets nothing."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def saw(self, records: int) -> None:
        now = time.monotonic()
        if records:
            self._last = now
        elif now - self._last > STILL:
            raise StuckError(f"no record came within {STILL:g} s")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one partition: messages, rows of the table, and messages that have no row."""

    messages: int = 0
    rows: int = 0
    missing: int = 0

    def __add__(self, other: "Read") -> "Read":
        return Read(self.messages + other.messages, self.rows + other.rows, self.missing + other.missing)


Reader = Callable[[ClickHouseFront, str, Plan], Iterator[Read]]


def by_kafka_python(front: ClickHouseFront, bootstrap: str, plan: Plan) -> Iterator[Read]:
    """With kafka-python's consumer."""
    consumer: Any = KafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=8 << 20,
        max_poll_records=20_000,
    )
    for partition in range(plan.partitions):
        messages = missing = 0
        place = TopicPartition(plan.topic, partition)
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end = plan.bulk[partition] + plan.each
        have = _ids(front, partition)
        patience = _Patience()
        while consumer.position(place) < end:
            records = consumer.poll(timeout_ms=500).get(place, ())
            patience.saw(len(records))
            for record in records:
                messages += 1
                missing += record.value is not None and record.value[UUID_AT] not in have
        yield Read(messages, len(have), missing)
    consumer.close()


def by_librdkafka(front: ClickHouseFront, bootstrap: str, plan: Plan) -> Iterator[Read]:
    """The same with confluent-kafka."""
    options = {
        "bootstrap.servers": bootstrap,
        "group.id": "bench-read",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.message.max.bytes": 8 << 20,
    }
    consumer = Consumer(options)
    for partition in range(plan.partitions):
        messages = missing = 0
        have = _ids(front, partition)
        consumer.assign([Place(plan.topic, partition, 0)])
        for value in _values(consumer):
            messages += 1
            missing += value is not None and value[UUID_AT] not in have
        yield Read(messages, len(have), missing)
    consumer.close()


READERS: dict[str, Reader] = {
    "reading back with kafka-python": by_kafka_python,
    "reading back with librdkafka": by_librdkafka,
}


def _values(consumer: Consumer) -> Iterator[bytes | None]:
    patience = _Patience()
    while True:
        records = consumer.consume(10_000, AT_MOST)
        patience.saw(len(records))
        for record in records:
            if record.error() is not None:
                return
            value: Any = record.value()
            yield value


def _ids(front: ClickHouseFront, partition: int) -> set[bytes]:
    query = f"SELECT uuid FROM posthog.events_recent WHERE _partition = {partition} FORMAT TabSeparated"
    headers = {"X-ClickHouse-User": "canary", "X-ClickHouse-Key": PASSWORD}
    with build_opener(ProxyHandler({})).open(Request(front.url, query.encode(), headers)) as answer:
        return set(answer.read().split(b"\n")) - {b""}
