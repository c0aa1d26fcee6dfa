"""Kafka's Produce request (version 3) as bytes, and its answer read back; no I/O."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kafka.partitioner.default import murmur2
from kafka.record.default_records import DefaultRecordBatchBuilder

from canary.sandbox.kafka_clients import Message

_PRODUCE, _VERSION = 0, 3
_ALL_REPLICAS = -1
_TIMEOUT_MS = 30_000
_MOST_BATCH = 1 << 22

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Round:
    """What one request carries: for each topic and partition the messages of its one batch."""

    batches: Mapping[Place, Sequence[int]]


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own clients put a key."""
    found: int = (murmur2(key) & 0x7FFFFFFF) % partitions
    return found


def rounds(places: Sequence[Place], *, one_by_one: bool) -> list[Round]:
    """Spread messages, given by their places, over requests; with `one_by_one` a batch is one record."""
    out: list[dict[Place, list[int]]] = []
    depth: dict[Place, int] = {}
    for index, place in enumerate(places):
        level = depth.get(place, 0) if one_by_one else 0
        depth[place] = level + 1
        while len(out) <= level:
            out.append({})
        out[level].setdefault(place, []).append(index)
    return [Round(batches) for batches in out]


def request(number: int, client: str, batches: Mapping[Place, Sequence[Message]]) -> bytes:
    """One framed request for these batches."""
    topics: dict[str, list[bytes]] = {}
    for (topic, partition), messages in batches.items():
        records = _records(messages)
        topics.setdefault(topic, []).append(struct.pack(">ii", partition, len(records)) + records)
    parts = [
        struct.pack(">hhi", _PRODUCE, _VERSION, number),
        _text(client),
        struct.pack(">hhii", -1, _ALL_REPLICAS, _TIMEOUT_MS, len(topics)),
    ]
    for topic, partitions in topics.items():
        parts += [_text(topic), struct.pack(">i", len(partitions)), *partitions]
    body = b"".join(parts)
    return struct.pack(">i", len(body)) + body


def answer(body: bytes) -> tuple[int, dict[Place, int]]:
    """The request's number, and per place the error code (0: it is stored)."""
    number, topics = struct.unpack_from(">ii", body)
    at, codes = 8, {}
    for _ in range(topics):
        (length,) = struct.unpack_from(">h", body, at)
        topic = body[at + 2 : at + 2 + length].decode()
        (partitions,) = struct.unpack_from(">i", body, at + 2 + length)
        at += 6 + length
        for _ in range(partitions):
            partition, code = struct.unpack_from(">ih", body, at)
            codes[(topic, partition)] = code
            at += 22
    return number, codes


def _records(messages: Sequence[Message]) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=_MOST_BATCH,
    )
    for offset, each in enumerate(messages):
        time = None if each.time is None else round(each.time.timestamp() * 1000)
        builder.append(offset, time, each.key, each.value, list(each.headers))
    return bytes(builder.build())


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">h", len(data)) + data
