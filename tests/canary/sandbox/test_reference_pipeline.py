"""The sandbox's broker for the reference tier: what a real Apache Kafka does that the other one cannot."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer, TopicPartition

from canary.sandbox.broker import Apache
from canary.sandbox.direct import DirectProducer
from canary.sandbox.kafka_clients import DEAD_LETTERS, PROCESSED, RAW, Message, client, make_topics
from tests.kafka_reference import reference as reference

pytestmark = pytest.mark.reference


def test_a_lean_producer_is_understood_by_a_real_kafka(reference: Apache) -> None:
    """Every record is stored once, in the partition of its key, also after a restart of the broker."""
    make_topics(reference.inside, 8)
    producer = DirectProducer(
        reference.direct,
        "test",
        partitions={RAW: 8, PROCESSED: 8, DEAD_LETTERS: 1},
        one_by_one=False,
        expiry=timedelta(seconds=20),
    )
    messages = [
        Message(RAW, f"key {n}".encode(), f"value {n}".encode(), (("uuid", b"x"),), datetime.now(UTC))
        for n in range(200)
    ]
    producer.send(messages[:100], within=timedelta(seconds=10))
    reference.restart()
    producer.write(messages[100:], stop=_never())
    producer.close()

    assert sorted(_values(reference)) == sorted(each.value for each in messages)


def _values(broker: Apache) -> list[bytes]:
    consumer = KafkaConsumer(**client(broker.outside, "reader"))
    parts = [TopicPartition(RAW, number) for number in range(8)]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    found: list[bytes] = []
    ends = sum(consumer.end_offsets(parts).values())
    while len(found) < ends:
        found += [record.value for records in consumer.poll(timeout_ms=500).values() for record in records]
    consumer.close()
    return found


def _never() -> threading.Event:
    return threading.Event()
