"""The topic and the table of the audit's benchmark: the same events, made twice, less what was planted."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from canary.sandbox.clickhouse import ClickHouseFront
from reconcile.offsets import Range

GROUP = "bench-table"
PASSWORD = "bench:bench"
BLOCK_LOST = 10_000
DUPLICATES = 37
LETTERS = 5
ABORTED = 20
COMPACTED = 500
MOST_KEPT = 20
OLD = 10**9
"""The numbers of events outside of the bulk begin here."""
SPREAD = timedelta(minutes=50)
AGE = timedelta(minutes=65)
"""How long ago the first event was: longer than it takes to fill the topic, and than `lost_after`."""


@dataclass(slots=True)
class Plan:
    """How many events, and where in each partition the faults lie once the topic is filled.

    `bulk` is the first offset of each partition's plain events; their number n in partition p makes their
    id, and their offset is `bulk[p] + n`.
    """

    topic: str
    events: int
    partitions: int
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

    def milliseconds(self, number: int) -> int:
        """The time of an event, spread evenly."""
        first = int(self.started.timestamp() * 1000)
        return first + number * int(SPREAD / timedelta(milliseconds=1)) // self.each

    def skipped(self) -> dict[int, list[Range]]:
        """By partition the numbers of events that the table does not get: lost, dead, deduplicated."""
        middle = self.each // 2
        return {
            1: [Range(1, middle, middle + 1)],
            2: [Range(2, middle, middle + BLOCK_LOST)],
            3: [Range(3, middle, middle + LETTERS)],
            4: [Range(4, middle, middle + DUPLICATES)],
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
    """Computed in the same way by `ID` in the table. Those of partition 4's `DUPLICATES` are the ids of the
    events right behind them: the same event twice in the topic."""
    return f"{partition:08x}-0000-7000-8000-{number:012x}"


ID = (
    "toUUID(concat(leftPad(lower(hex(toUInt32({p}))), 8, '0'), '-0000-7000-8000-',"
    " leftPad(lower(hex(toUInt64(number))), 12, '0')))"
)


def fill_topic(bootstrap: str, plan: Plan) -> None:
    """Compacted stretch, aborted transaction, then the plain events, then dead letters and positions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    compact = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    topics = [NewTopic(plan.topic, plan.partitions, 1, config=compact), NewTopic(plan.letters, 1, 1)]
    for made in admin.create_topics(topics).values():
        made.result(30)
    _compact(bootstrap, plan)
    plain = {"cleanup.policy": "delete", "retention.ms": "604800000", "segment.ms": "604800000"}
    to = AlterConfigOpType.SET
    entries = [ConfigEntry(name, value, incremental_operation=to) for name, value in plain.items()]
    resource = ConfigResource("TOPIC", plan.topic, incremental_configs=entries)
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(30)
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
    owner = f"user-{number % 1000}"
    rest = '"timestamp": "2026-01-01 00:00:00.000", "properties": "{}", "elements_chain": "", "team_id": 2'
    one = event_id(partition, number)
    return f'{{"uuid": "{one}", "event": "$pageview", "distinct_id": "{owner}", {rest}}}'.encode()


def _numbers(plan: Plan, partition: int) -> Iterator[int]:
    """Which event is written at each place: those of partition 4's planted duplicates come twice."""
    twice = plan.skipped()[4][0]
    for number in range(plan.each):
        again = partition == 4 and twice.start <= number < twice.end
        yield number + DUPLICATES if again else number


def _bulk(bootstrap: str, plan: Plan) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-look"})
    for partition in range(plan.partitions):
        plan.bulk[partition] = consumer.get_watermark_offsets(Place(plan.topic, partition), 30)[1]
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
        for place, number in enumerate(_numbers(plan, partition)):
            while True:
                try:
                    producer.produce(
                        plan.topic,
                        _value(partition, number),
                        partition=partition,
                        timestamp=plan.milliseconds(place),
                    )
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


def fill_table(front: ClickHouseFront, plan: Plan, *, extra: int = 0) -> None:
    """The rows that a Kafka engine would have made, less what was planted, and what stands there twice."""
    if extra:
        _extra(front, plan, extra)
    for partition in range(plan.partitions):
        skipped = plan.skipped().get(partition, [])
        less = "".join(f" AND NOT (number >= {one.start} AND number < {one.end})" for one in skipped)
        _insert(front, plan, partition, f"number < {plan.each}{less}", plan.each)
    for offset, number in plan.kept:
        _insert(front, plan, 0, f"number = {number}", number + 1, first=offset - number, at=0)
    twice = f"number < {DUPLICATES}"
    _insert(front, plan, 6, twice, DUPLICATES)
    _insert(front, plan, 7, twice, DUPLICATES, owner="'somebody else'")


def _insert(
    front: ClickHouseFront,
    plan: Plan,
    partition: int,
    where: str,
    most: int,
    *,
    owner: str = "concat('user-', toString(number % 1000))",
    first: int | None = None,
    at: int | None = None,
) -> None:
    first = plan.bulk[partition] if first is None else first
    start, step = int(plan.started.timestamp() * 1000), int(SPREAD / timedelta(milliseconds=1))
    moved = f"intDiv(number * {step}, {plan.each})" if at is None else str(at)
    time_of = f"fromUnixTimestamp64Milli(toInt64({start} + {moved}), 'UTC')"
    numbers = f"numbers({most - 1}, 1)" if at is not None else f"numbers({most})"  # one event, or all
    front.execute(
        f"""INSERT INTO posthog.events_recent
            (uuid, event, properties, timestamp, team_id, distinct_id, created_at, person_mode,
             _timestamp, _timestamp_ms, _offset, _partition)
        SELECT {ID.format(p=partition)}, '$pageview', '{{}}', {time_of}, 2, {owner}, {time_of},
               'propertyless', toDateTime({time_of}), {time_of}, toInt64(number) + {first}, {partition}
        FROM {numbers} WHERE {where}
        SETTINGS max_threads = 2, max_partitions_per_insert_block = 1000, optimize_on_insert = 0"""
    )


def _extra(front: ClickHouseFront, plan: Plan, rows: int) -> None:
    """Rows of days long gone, of the same topic as it was then: offsets that no window of today has."""
    for day in range(2, 7):
        front.execute(
            f"""INSERT INTO posthog.events_recent
                (uuid, event, properties, timestamp, team_id, distinct_id, created_at, person_mode,
                 _timestamp, _timestamp_ms, _offset, _partition)
            SELECT generateUUIDv4(), '$pageview', '{{}}', at, 2, concat('user-', toString(number % 1000)), at,
                   'propertyless', toDateTime(at), at, 1000000000 + number, number % {plan.partitions}
            FROM (SELECT number, toDateTime64('{plan.started:%Y-%m-%d} 00:00:00', 3, 'UTC')
                  - toIntervalDay({day}) + intDiv(number * 86000, {rows // 5}) AS at
                  FROM numbers({rows // 5}))
            SETTINGS max_threads = 2, max_partitions_per_insert_block = 1000"""
        )
