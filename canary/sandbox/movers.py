"""What moves events on inside the sandbox: each reads a topic, writes on, then commits its offsets."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from canary.sandbox.kafka_clients import StoppedError, client
from canary.sandbox.meddle import Item, Meddler, Plan
from canary.sandbox.shapes import Record

_LOG = logging.getLogger(__name__)
_REST = 0.2
_FETCH_BYTES = 1 << 18
_COMMIT_WITHIN_MS = 2_000


class Sink(Protocol):
    """The stage a mover writes into."""

    at: str

    def take(self, record: Record) -> Item | None:
        """The event in this record; None when it was none and has been dealt with."""

    def write(self, items: Sequence[Item], *, stop: threading.Event) -> None:
        """Return when all are written; raises StoppedError when told to stop before that."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a mover reads: how long a fetch gathers records, how long a poll waits for it, how many at most."""

    fetch_ms: int = 40
    poll_ms: int = 100
    most: int = 1000


@dataclass
class Progress:
    """Per partition what is still unfinished and where reading goes on, so that commits never run ahead."""

    unfinished: dict[int, dict[int, int]] = field(default_factory=dict)
    following: dict[int, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)

    def read(self, partition: int, offset: int) -> None:
        self.following[partition] = offset + 1

    def began(self, source: tuple[int, int]) -> None:
        offsets = self.unfinished.setdefault(source[0], {})
        offsets[source[1]] = offsets.get(source[1], 0) + 1

    def finished(self, source: tuple[int, int]) -> None:
        offsets = self.unfinished[source[0]]
        offsets[source[1]] -= 1
        if not offsets[source[1]]:
            del offsets[source[1]]

    def due(self) -> dict[int, int]:
        done = {
            partition: min(self.unfinished.get(partition) or (following,))
            for partition, following in self.following.items()
        }
        return {
            partition: offset for partition, offset in done.items() if self.committed.get(partition) != offset
        }


@dataclass(frozen=True, slots=True)
class _Late:
    """An event that a fault delays, and how often all had been healed when it did."""

    due: float
    healings: int
    item: Item


class Mover:
    """One consumer group with one member, which assigns itself all partitions and survives any outage."""

    def __init__(
        self, sink: Sink, plan: Plan, *, bootstrap: str, topic: str, group: str, partitions: int, pace: Pace
    ) -> None:
        self._sink, self._plan, self._pace = sink, plan, pace
        self._bootstrap, self._group = bootstrap, group
        self._parts = [TopicPartition(topic, number) for number in range(partitions)]
        self._meddler = Meddler(plan, sink.at)
        self._progress = Progress()
        self._later: list[_Late] = []
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mover {group}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ready(self, within: float) -> bool:
        """Whether it has begun to read."""
        return self._ready.wait(within)

    def ask_to_stop(self) -> None:
        self._stop.set()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(3)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._connected()
            except KafkaError as error:
                _LOG.info("%s: starts again after %s", self._group, error)
                self._stop.wait(_REST)
            except StoppedError:
                return

    def _connected(self) -> None:
        consumer = KafkaConsumer(
            **client(self._bootstrap, self._group),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._pace.fetch_ms,
            fetch_min_bytes=_FETCH_BYTES,
            max_poll_records=self._pace.most,
            bootstrap_timeout_ms=3_000,
            metrics_enabled=False,
        )
        try:
            consumer.assign(self._parts)
            for part in self._parts:
                if part.partition in self._progress.following:
                    consumer.seek(part, self._progress.following[part.partition])
            while not self._stop.is_set():
                self._step(consumer)
        finally:
            consumer.close(autocommit=False, timeout_ms=500)

    def _step(self, consumer: Any) -> None:
        records = self._poll(consumer)
        self._ready.set()
        self._rest_while_stopped()
        items = [item for record in records for item in self._passed(record)]
        items += self._due()
        if items or records:
            self._sink.write(items, stop=self._stop)
        for item in items:
            if item.source is not None:
                self._progress.finished(item.source)
        self._commit(consumer)

    def _rest_while_stopped(self) -> None:
        """After a poll, never before it: what comes while one is under way must not slip past the order."""
        while self._plan.stopped(self._sink.at):
            if self._stop.wait(_REST):
                raise StoppedError("a mover was stopped for good while a fault held it")

    def _poll(self, consumer: Any) -> list[Record]:
        """What a fetch brought; the broker holds it back a little, so that a batch gathers in it."""
        polled = consumer.poll(timeout_ms=self._pace.poll_ms, max_records=self._pace.most)
        return [record for records in polled.values() for record in records]

    def _passed(self, record: Record) -> list[Item]:
        self._progress.read(record.partition, record.offset)
        item = self._sink.take(record)
        if item is None:
            return []
        healings = self._plan.healings
        passage = self._meddler.meddle(item)
        if passage.held:
            self._progress.began((record.partition, record.offset))
        for own in (*passage.now, *(late for _, late in passage.later)):
            if own.source is not None and own.source == (record.partition, record.offset):
                self._progress.began(own.source)
        for delay, late in passage.later:
            due = time.monotonic() + delay.total_seconds()
            self._later.append(_Late(due, healings, late))
        return list(passage.now)

    def _due(self) -> list[Item]:
        now, healings = time.monotonic(), self._plan.healings
        waiting: list[_Late] = []
        ready: list[_Late] = []
        for each in self._later:
            (ready if each.due <= now or each.healings != healings else waiting).append(each)
        self._later = waiting
        return [*self._meddler.overdue(), *(each.item for each in sorted(ready, key=lambda each: each.due))]

    def _commit(self, consumer: Any) -> None:
        due = self._progress.due()
        if not due:
            return
        offsets = {
            part: OffsetAndMetadata(due[part.partition], "", -1)
            for part in self._parts
            if part.partition in due
        }
        try:
            consumer.commit(offsets, timeout_ms=_COMMIT_WITHIN_MS)
        except KafkaError as error:
            _LOG.info("%s: offsets are committed later (%s)", self._group, error)
            return
        self._progress.committed |= due
