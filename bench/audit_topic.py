"""The topic of the audit's benchmark, with what is planted in it; `audit_table` makes the table to it."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from reconcile.offsets import Range

GROUP = "bench-table"
BLOCK_LOST = 10_000
DUPLICATES = 37
LETTERS = 5
ABORTED = 20
COMPACTED = 500
MOST_KEPT = 20
OWNERS = 1000
OLD = 10**9
"""The numbers of events outside of the bulk begin here."""
SPREAD = timedelta(minutes=50)
AGE = timedelta(minutes=65)
"""How long ago the first event was: longer than it takes to fill the topic, and than `lost_after`."""


@dataclass(slots=True)
class Plan:
    """How many events, and where in each partition the faults lie once the topic is filled.

    `bulk` is the first offset of each partition's plain events; their number n in partition p makes their
    id, and their offset is `bulk[p] + n`. `plain`: nothing stands before those, so that record times only
    grow, as a window cut by time needs it.
    """

    topic: str
    events: int
    partitions: int
    plain: bool = False
    bulk: dict[int, int] = field(default_factory=dict)
    lost: list[Range] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)
    control: int = 0
    aborted: int = 0
    started: datetime = field(default_factory=lambda: (datetime.now(UTC) - AGE).replace(microsecond=0))

    @property
    def letters(self) -> str:
        return f"{self.topic}_dlq"

    @property
    def each(self) -> int:
        return self.events // self.partitions

    @property
    def span(self) -> tuple[datetime, datetime]:
        return self.started - timedelta(minutes=1), self.started + SPREAD + timedelta(minutes=1)

    def minutes(self, since: int, until: int) -> tuple[datetime, datetime]:
        """A part of the span, in minutes from its first event."""
        return self.started + timedelta(minutes=since), self.started + timedelta(minutes=until)

    def milliseconds(self, number: int) -> int:
        """The time of an event, spread evenly."""
        first = int(self.started.timestamp() * 1000)
        return first + number * int(SPREAD / timedelta(milliseconds=1)) // self.each

    def skipped(self) -> dict[int, list[Range]]:
        """By partition the numbers of events that the table does not get: lost, dead, deduplicated."""
        middle, early = self.each // 2, self.each // 4
        return {
            1: [Range(1, middle, middle + 1)],
            2: [Range(2, middle, middle + BLOCK_LOST)],
            3: [Range(3, middle, middle + LETTERS)],
            4: [Range(4, early, early + DUPLICATES)],
        }

    def expected(self) -> dict[str, int]:
        gone = 1 + BLOCK_LOST + LETTERS + DUPLICATES
        return {
            "stored": self.each * self.partitions - gone + len(self.kept),
            "lost": 1 + BLOCK_LOST,
            "dead_lettered": LETTERS,
            "deduplicated": DUPLICATES,
            "aborted": self.aborted,
            "control": self.control,
        }


def event_id(partition: int, number: int) -> str:
    """As `ID` in `audit_table` computes it. Those of partition 4's `DUPLICATES` are the ids of the events
    right behind them: the same event twice in the topic."""
    return f"{partition:08x}-0000-7000-8000-{number:012x}"


def fill_topic(bootstrap: str, plan: Plan) -> None:
    """Compacted stretch, aborted transaction, then the plain events, then dead letters and positions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    compact = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    topics = [NewTopic(plan.topic, plan.partitions, 1, config=compact), NewTopic(plan.letters, 1, 1)]
    for made in admin.create_topics(topics).values():
        made.result(30)
    if not plan.plain:
        _compact(bootstrap, plan)
    plain = {"cleanup.policy": "delete", "retention.ms": "604800000", "segment.ms": "604800000"}
    to = AlterConfigOpType.SET
    entries = [ConfigEntry(name, value, incremental_operation=to) for name, value in plain.items()]
    resource = ConfigResource("TOPIC", plan.topic, incremental_configs=entries)
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(30)
    if not plan.plain:
        _abort(bootstrap, plan)
    _bulk(bootstrap, plan)
    _dead(bootstrap, plan)
    _commit(bootstrap, plan)


def _compact(bootstrap: str, plan: Plan) -> None:
    """The same key over and over in partition 0, until the log cleaner has taken all but the newest few."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    producer.produce(plan.topic, _value(0, OLD), b"first", 0, timestamp=plan.milliseconds(0))
    for number in range(1, COMPACTED):
        producer.produce(plan.topic, _value(0, OLD + number), b"same", 0, timestamp=plan.milliseconds(0))
    producer.flush(30)  # segments are closed by the times of their records
    deadline = time.monotonic() + 120
    number = COMPACTED
    while time.monotonic() < deadline:
        time.sleep(1)
        at = plan.milliseconds(0) + 1000 * (number - COMPACTED + 1)
        producer.produce(plan.topic, _value(0, OLD + number), b"same", 0, timestamp=at)
        producer.flush(30)
        number += 1
        plan.kept = _kept(bootstrap, plan)
        if len(plan.kept) < MOST_KEPT:
            return
    raise SystemExit("the log cleaner did not compact the topic within 120 s")


def _kept(bootstrap: str, plan: Plan) -> list[tuple[int, int]]:
    """Offset and number of what partition 0 still has."""
    options = {"bootstrap.servers": bootstrap, "group.id": "bench-look", "enable.partition.eof": True}
    consumer = Consumer(options)
    consumer.assign([Place(plan.topic, 0, 0)])
    found: list[tuple[int, int]] = []
    try:
        while (record := consumer.poll(10)) is not None and record.error() is None:
            body = json.loads(record.value() or b"{}")
            found.append((record.offset() or 0, int(body["uuid"][-12:], 16)))
        return found
    finally:
        consumer.close()


def _abort(bootstrap: str, plan: Plan) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "bench", "linger.ms": 5})
    producer.init_transactions(30)
    producer.begin_transaction()
    for number in range(ABORTED):
        body = _value(5, OLD + number)
        producer.produce(plan.topic, body, partition=5, timestamp=plan.milliseconds(0))
    producer.flush(30)
    producer.abort_transaction(30)
    plan.aborted = ABORTED


def _value(partition: int, number: int) -> bytes:
    owner = f"user-{number % OWNERS}"
    rest = '"timestamp": "2026-01-01 00:00:00.000", "properties": "{}", "elements_chain": "", "team_id": 2'
    one = event_id(partition, number)
    return f'{{"uuid": "{one}", "event": "$pageview", "distinct_id": "{owner}", {rest}}}'.encode()


def _values(plan: Plan, partition: int) -> Iterator[tuple[bytes, int]]:
    """The plain events of a partition and their times (Unix milliseconds); quicker than `_value` of each."""
    first, whole = plan.milliseconds(0), int(SPREAD / timedelta(milliseconds=1))
    marks = [_value(partition, number).split(b"%012x" % number) for number in range(OWNERS)]
    for place, number in enumerate(_numbers(plan, partition)):
        before, after = marks[number % OWNERS]
        yield b"%s%012x%s" % (before, number, after), first + place * whole // plan.each


def _numbers(plan: Plan, partition: int) -> Iterator[int]:
    """Which event is written at each place: those of partition 4's planted duplicates come twice."""
    twice = plan.skipped()[4][0]
    for number in range(plan.each):
        again = partition == 4 and twice.start <= number < twice.end
        yield number + DUPLICATES if again else number


def _bulk(bootstrap: str, plan: Plan) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-look"})
    for partition in range(plan.partitions):
        plan.bulk[partition] = _end(consumer, Place(plan.topic, partition))
    consumer.close()
    plan.kept = _kept(bootstrap, plan)
    plan.control = sum(plan.bulk.values()) - plan.aborted - len(plan.kept)
    options = {
        "bootstrap.servers": bootstrap,
        "linger.ms": 50,
        "batch.size": 65_536,
        "queue.buffering.max.messages": 500_000,
        "compression.type": "lz4",
    }
    producer = Producer(options)
    for partition in range(plan.partitions):
        for value, at in _values(plan, partition):
            while True:
                try:
                    producer.produce(plan.topic, value, partition=partition, timestamp=at)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
    if producer.flush(120):
        raise SystemExit("the topic could not be filled")
    plan.lost = [
        Range(one.partition, plan.bulk[one.partition] + one.start, plan.bulk[one.partition] + one.end)
        for partition in (1, 2)
        for one in plan.skipped()[partition]
    ]


def _end(consumer: Consumer, place: Place) -> int:
    """Where a partition ends; one that was just made may have no leader yet."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return consumer.get_watermark_offsets(place, 30)[1]
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _dead(bootstrap: str, plan: Plan) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for one in plan.skipped()[3]:
        for number in range(one.start, one.end):
            headers: Any = [("dlq_reason", b"too large")]
            producer.produce(plan.letters, _value(3, number), headers=headers)
    producer.flush(30)


def _commit(bootstrap: str, plan: Plan) -> None:
    """The table's consumer has passed everything."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP})
    ends = [Place(plan.topic, partition, first + plan.each) for partition, first in plan.bulk.items()]
    consumer.commit(offsets=ends, asynchronous=False)
    consumer.close()
