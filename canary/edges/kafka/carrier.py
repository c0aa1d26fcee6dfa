"""Carries a topic's records by librdkafka, which unpacks them in C; needs the extra `fast`.

It says what it read and how far that goes, and nothing of what that covers: see `carried`. Partitions are
assigned by hand. librdkafka wants the name of a consumer group; nobody joins it, and nothing is committed.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from canary.edges.kafka.batches import Header
from canary.edges.kafka.client import TroubleError
from canary.edges.kafka.requests import Place
from canary.edges.kafka.security import librdkafka_settings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

    from canary.edges.kafka.stage import Settings

AT_ONCE = 5_000
QUEUED_KILOBYTES = 16 * 1024
SLICE = 0.02
"""Seconds that one wait for records lasts: nothing can end it earlier."""

NOWHERE = -1
"""No offset is before it."""

GATHERED_BYTES, GATHER_FOR = 64 * 1024, 100
"""A broker answers with so many bytes, or after so many milliseconds: a fetch for every record is dear."""

CLOSE_PATIENCE = 0.3


@dataclass(slots=True)
class CarriedRecord:
    """One record as `record` wants it; not frozen, which would double what making one costs."""

    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]

    @property
    def size_in_bytes(self) -> int:
        return len(self.key or b"") + len(self.value or b"")


@dataclass(slots=True)
class Haul:
    """What came of one partition: its records, and where reading goes on behind them.

    `fault`: what lies there cannot be read, for this reason; what came after it does not count. `epoch`: the
    leadership under which what lies right before `next_offset` was written; -1 where that is not told.
    """

    records: list[CarriedRecord]
    next_offset: int
    fault: str = ""
    epoch: int = -1


class Carrier:
    """One consumer. One thread assigns and takes; `close` may be called from any.

    `trouble` is what librdkafka last complained of.
    """

    def __init__(self, settings: "Settings") -> None:
        """Raises `TroubleError` where librdkafka is missing or does not take the settings."""
        self.trouble = ""
        try:
            import confluent_kafka
        except ImportError as error:
            raise TroubleError(f'librdkafka needs the extra "fast" ({error})') from error
        self._api = confluent_kafka
        faults = confluent_kafka.KafkaError
        self._unreadable = frozenset((faults._BAD_MSG, faults._BAD_COMPRESSION, faults._NOT_IMPLEMENTED))
        self._end = faults._PARTITION_EOF
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._consumer: Consumer = confluent_kafka.Consumer(
                {**told(settings), "error_cb": self._complain}
            )
        except (confluent_kafka.KafkaException, OSError, ValueError) as error:
            raise TroubleError(f"librdkafka cannot begin: {error}") from error

    def _complain(self, error: Any) -> None:
        self.trouble = _words(error)

    def assign(self, offsets: Mapping[Place, int]) -> None:
        """Read these partitions from here on, and no others. What was on its way is dropped."""
        with self._lock:
            if not self._closed:
                places = [self._api.TopicPartition(*place, offset) for place, offset in offsets.items()]
                self._consumer.assign(places)

    def take(self, wait: float) -> Mapping[Place, Haul]:
        """What has come; waits so many seconds for the first of it."""
        until = time.monotonic() + wait
        while True:
            with self._lock:
                if self._closed:
                    raise TroubleError("the edge is closed")
                messages = self._consumer.consume(AT_ONCE, 0)
                messages = messages or self._consumer.consume(
                    1, max(0.0, min(SLICE, until - time.monotonic()))
                )
            hauls = self._hauls(messages)
            if hauls or time.monotonic() >= until:
                return hauls

    def _hauls(self, messages: Sequence["Message[bytes, bytes]"]) -> dict[Place, Haul]:
        found: dict[Place, Haul] = {}
        for message in messages:
            error = message.error()
            code = None if error is None else error.code()
            if code is not None and code != self._end and code not in self._unreadable:
                self._complain(error)  # it passes, or who asks the leaders sees it as well
                continue
            place = (str(message.topic()), int(message.partition() or 0))
            if (haul := found.get(place)) is None:
                haul = found[place] = Haul([], NOWHERE)
            offset = message.offset()
            if haul.fault or offset is None:
                continue
            if error is None:
                haul.records.append(_record(message, offset))
                haul.next_offset = offset + 1
                haul.epoch = _epoch(message)
            elif code == self._end and offset > haul.next_offset:  # behind markers, or what was compacted
                haul.next_offset, haul.epoch = offset, -1
            elif code != self._end:
                haul.fault = _words(error)
        return found

    def close(self) -> None:
        """Hang up; whoever waits for a broker does so in a thread of its own."""
        with self._lock:
            closed, self._closed = self._closed, True
        if not closed:
            ending = threading.Thread(target=self._consumer.close, name="librdkafka close", daemon=True)
            ending.start()
            ending.join(CLOSE_PATIENCE)


def _epoch(message: "Message[bytes, bytes]") -> int:
    epoch = message.leader_epoch()
    return -1 if epoch is None else int(epoch)


def _words(error: Any) -> str:
    return " ".join(str(error.str()).split())[:200]


def _record(message: "Message[bytes, bytes]", offset: int) -> CarriedRecord:
    kind, milliseconds = message.timestamp()
    headers: Any = message.headers()
    return CarriedRecord(
        offset, milliseconds if kind else None, message.key(), message.value(), headers or ()
    )


def told(settings: "Settings") -> dict[str, Any]:
    """A stage in librdkafka's words; times in milliseconds. Raises OSError where a secret cannot be read."""
    patience = max(int(settings.timeout.total_seconds() * 1000), 1000)
    words = {
        "bootstrap.servers": ",".join(settings.bootstrap),
        "client.id": settings.client_id,
        "group.id": settings.client_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "check.crcs": True,
        "allow.auto.create.topics": False,
        "client.rack": settings.rack,
        "socket.timeout.ms": patience,
        "socket.connection.setup.timeout.ms": patience,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "fetch.min.bytes": GATHERED_BYTES,
        "fetch.wait.max.ms": GATHER_FOR,
        "fetch.error.backoff.ms": 100,
        "fetch.max.bytes": max(settings.answer_bytes, settings.partition_bytes),
        "max.partition.fetch.bytes": settings.partition_bytes,
        "queued.max.messages.kbytes": QUEUED_KILOBYTES,
        "topic.metadata.refresh.interval.ms": 5000,
        "log_level": 0,
    }
    return {**words, **librdkafka_settings(settings.tls, settings.sasl)}
