"""What the audit is held against: read the whole topic back and look for every id in the table."""

from collections.abc import Iterator
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place
from kafka import KafkaConsumer, TopicPartition

from bench.audit_topic import PASSWORD, Plan
from canary.sandbox.clickhouse import ClickHouseFront

UUID_AT = slice(10, 46)
"""Where the id stands in a value: the readers are spared parsing JSON."""

Read = tuple[str, int, int, int]


def by_kafka_python(front: ClickHouseFront, bootstrap: str, plan: Plan) -> Read:
    """Partition by partition, so that the ids fit into memory."""
    consumer: Any = KafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=8 << 20,
        max_poll_records=20_000,
    )
    messages = rows = missing = 0
    for partition in range(plan.partitions):
        place = TopicPartition(plan.topic, partition)
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end = plan.bulk[partition] + plan.each
        have = _ids(front, partition)
        rows += len(have)
        while consumer.position(place) < end:
            for record in consumer.poll(timeout_ms=500).get(place, ()):
                messages += 1
                missing += record.value is not None and record.value[UUID_AT] not in have
    consumer.close()
    return "reading back with kafka-python", messages, rows, missing


def by_librdkafka(front: ClickHouseFront, bootstrap: str, plan: Plan) -> Read:
    """The same with confluent-kafka."""
    messages = rows = missing = 0
    options = {
        "bootstrap.servers": bootstrap,
        "group.id": "bench-read",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.message.max.bytes": 8 << 20,
    }
    consumer = Consumer(options)
    for partition in range(plan.partitions):
        have = _ids(front, partition)
        rows += len(have)
        consumer.assign([Place(plan.topic, partition, 0)])
        for value in _values(consumer):
            messages += 1
            missing += value is not None and value[UUID_AT] not in have
    consumer.close()
    return "reading back with librdkafka", messages, rows, missing


def _values(consumer: Consumer) -> Iterator[bytes | None]:
    while True:
        for record in consumer.consume(10_000, 5):
            if record.error() is not None:
                return
            value: Any = record.value()
            yield value


def _ids(front: ClickHouseFront, partition: int) -> set[bytes]:
    query = f"SELECT uuid FROM posthog.events_recent WHERE _partition = {partition} FORMAT TabSeparated"
    headers = {"X-ClickHouse-User": "canary", "X-ClickHouse-Key": PASSWORD}
    with build_opener(ProxyHandler({})).open(Request(front.url, query.encode(), headers)) as answer:
        return set(answer.read().split(b"\n")) - {b""}
