"""The two kinds of stages that movers write into: the processed topic, and the tables."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from canary.sandbox.clickhouse_engine import EngineError
from canary.sandbox.faults import CANARY
from canary.sandbox.gate import Down, Throttled
from canary.sandbox.kafka_clients import Producer, StoppedError
from canary.sandbox.meddle import Item, Plan
from canary.sandbox.produce_wire import partition_of
from canary.sandbox.shapes import Record, UnusableError, dead_letter, processed, processed_message, row

_AGAIN = 0.2


class Table(Protocol):
    """The sandbox's ClickHouse, as far as a mover writes into it."""

    def insert(self, table: str, rows: Sequence[dict[str, Any]]) -> None: ...


class ProcessedTopic:
    """Parses raw records as PostHog's workers do and appends what they would."""

    at = "processed"

    def __init__(self, producer: Producer, plan: Plan, *, partitions: int) -> None:
        self._producer, self._plan, self._partitions = producer, plan, partitions
        self._dead: list[Any] = []

    def take(self, record: Record) -> Item | None:
        try:
            body = processed(record, self._now())
        except UnusableError as error:
            self._dead.append(dead_letter(record, str(error), self._now()))
            return None
        key = body["uuid"].encode("utf-8", "replace")
        return Item(
            uuid=body["uuid"],
            canary=body["event"] == CANARY,
            lane=partition_of(key, self._partitions),
            body=body,
            source=(record.partition, record.offset),
        )

    def write(self, items: Sequence[Item], *, stop: threading.Event) -> None:
        messages = [processed_message(item.body, self._now()) for item in items]
        self._producer.write([*messages, *self._dead], stop=stop)
        self._dead.clear()

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._plan.skew("processed")


class TableRows:
    """Makes rows of processed records, as a table's Kafka engine does; unreadable ones are skipped."""

    def __init__(self, tables: Table, plan: Plan, *, table: str, with_partition: bool) -> None:
        self.at = table
        self._tables, self._plan = tables, plan
        self._with_partition = with_partition

    def take(self, record: Record) -> Item | None:
        try:
            body = row(record, with_partition=self._with_partition, skew=self._plan.skew(self.at))
        except UnusableError:
            return None
        return Item(
            uuid=body["uuid"],
            canary=body.get("event") == CANARY,
            lane=record.partition,
            body=body,
            source=(record.partition, record.offset),
        )

    def write(self, items: Sequence[Item], *, stop: threading.Event) -> None:
        """One insert for all; copies come in inserts of their own, or they would be one row of the block."""
        self._insert([item.body for item in items if not item.copy], stop)
        for item in items:
            if item.copy:
                self._insert([item.body], stop)

    def _insert(self, rows: Sequence[dict[str, Any]], stop: threading.Event) -> None:
        if not rows:
            return
        while not stop.is_set():
            try:
                self._tables.insert(self.at, rows)
                return
            except (Down, Throttled):
                stop.wait(_AGAIN)
            except EngineError:
                if len(rows) == 1:
                    return
                for each in rows:
                    self._insert([each], stop)
                return
        raise StoppedError("an insert was stopped while the table could not be written")
