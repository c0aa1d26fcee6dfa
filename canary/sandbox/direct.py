"""A lean producer for a broker of one node: no metadata, one connection, what waits goes out together.

kafka-python's own costs a millisecond of the interpreter per record, too much for a whole pipeline in one
process. This one never sends a record twice, so an outage can lose a record but not copy it.
"""

import select
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, for_code

from canary.sandbox.kafka_clients import Message, StoppedError
from canary.sandbox.produce_wire import answer, partition_of, request, rounds

_LOOK = 0.2
_NOT_YET = frozenset({3, 5, 6})
"""Unknown topic, no leader, not the leader: surely not stored, and over once a new topic has settled."""

_AGAIN = 0.1
_AT_ONCE = 200


@dataclass(eq=False)
class _Entry:
    """One message on its way; `failed` is set before `done` where it was not stored."""

    message: Message
    expires: float
    done: threading.Event = field(default_factory=threading.Event)
    failed: KafkaError | None = None

    def end(self, failed: KafkaError | None) -> None:
        self.failed = failed
        self.done.set()


class DirectProducer:
    """May be shared by threads; one thread of its own does all the talking."""

    def __init__(
        self, address: str, name: str, *, partitions: Mapping[str, int], one_by_one: bool, expiry: timedelta
    ) -> None:
        host, _, port = address.rpartition(":")
        self._address, self._name = (host, int(port)), f"sandbox-{name}"
        self._partitions, self._one_by_one = dict(partitions), one_by_one
        self._expiry = expiry.total_seconds()
        self._queue: list[_Entry] = []
        self._wake = threading.Condition()
        self._stopping = False
        self._socket: socket.socket | None = None
        self._number = 0
        self._thread = threading.Thread(target=self._run, name=f"produce {name}", daemon=True)
        self._thread.start()

    def partitions(self, topic: str) -> int:
        return self._partitions[topic]

    def send(self, messages: Sequence[Message], *, within: timedelta) -> None:
        """Return when all are stored; raises KafkaError when one is not, or (it still may be) not in time."""
        deadline = time.monotonic() + within.total_seconds()
        for entry in self._enqueue(messages):
            if not entry.done.wait(max(0.0, deadline - time.monotonic())):
                raise KafkaTimeoutError(f"{self._name}: not stored within {within.total_seconds():g} s")
            if entry.failed is not None:
                raise entry.failed

    def write(self, messages: Sequence[Message], *, stop: threading.Event) -> None:
        """Write however long it takes; raises StoppedError when told to stop."""
        todo = self._enqueue(messages)
        while todo:
            for entry in todo:
                while not entry.done.wait(_LOOK) and not stop.is_set():
                    continue
                if stop.is_set() and not entry.done.is_set():
                    raise StoppedError("a producer was stopped while it waited for the broker")
            failed = [entry.message for entry in todo if entry.failed is not None]
            if failed and stop.wait(_AGAIN):
                raise StoppedError("a producer was stopped while it waited for the broker")
            todo = self._enqueue(failed)

    def close(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(2)

    def _enqueue(self, messages: Sequence[Message]) -> list[_Entry]:
        expires = time.monotonic() + self._expiry
        entries = [_Entry(message, expires) for message in messages]
        with self._wake:
            self._queue += entries
            self._wake.notify()
        return entries

    def _run(self) -> None:
        while not self._stopping:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._stopping)
                entries, self._queue = self._queue[:_AT_ONCE], self._queue[_AT_ONCE:]
            entries = self._fresh(entries)
            try:
                connection = self._connected()
            except OSError:
                self._put_back(entries)
                continue
            try:
                self._exchange(connection, entries)
            except (OSError, StoppedError) as error:
                self._hang_up()
                for entry in entries:
                    if not entry.done.is_set():
                        entry.end(KafkaConnectionError(f"{self._name}: the connection broke ({error})"))
        self._hang_up()

    def _fresh(self, entries: Sequence[_Entry]) -> list[_Entry]:
        now = time.monotonic()
        for entry in entries:
            if entry.expires < now:
                entry.end(KafkaTimeoutError(f"{self._name}: expired before it could be sent"))
        return [entry for entry in entries if not entry.done.is_set()]

    def _put_back(self, entries: Sequence[_Entry]) -> None:
        with self._wake:
            self._queue = [*entries, *self._queue]
        time.sleep(_AGAIN)

    def _connected(self) -> socket.socket:
        if self._socket is not None and _hung_up(self._socket):
            self._hang_up()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, 2)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(_LOOK)
        return self._socket

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, connection: socket.socket, entries: Sequence[_Entry]) -> None:
        """Send all requests, then read all answers: a broker serves one connection in order."""
        places = [
            (each.message.topic, partition_of(each.message.key, self._partitions[each.message.topic]))
            for each in entries
        ]
        sent = rounds(places, one_by_one=self._one_by_one)
        frames = []
        for each in sent:
            self._number += 1
            batches = {
                place: [entries[i].message for i in indices] for place, indices in each.batches.items()
            }
            frames.append(request(self._number, self._name, batches))
        self._send_all(connection, b"".join(frames))
        again: list[_Entry] = []
        for each in sent:
            _, codes = answer(self._receive(connection))
            for place, indices in each.batches.items():
                code = codes.get(place, -1)
                for index in indices:
                    if code in _NOT_YET:
                        again.append(entries[index])
                    else:
                        entries[index].end(None if code == 0 else for_code(code)(f"{place[0]}: not stored"))
        if again:
            self._put_back(again)

    def _send_all(self, connection: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[connection.send(view) :]
            except TimeoutError:
                self._check()

    def _receive(self, connection: socket.socket) -> bytes:
        (size,) = struct.unpack(">i", self._read(connection, 4))
        return self._read(connection, size)

    def _read(self, connection: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = connection.recv(size - len(data))
            except TimeoutError:
                self._check()
                continue
            if not piece:
                raise ConnectionResetError("the broker hung up")
            data += piece
        return data

    def _check(self) -> None:
        if self._stopping:
            raise StoppedError("the producer is closing")


def _hung_up(connection: socket.socket) -> bool:
    """Whether the other end has gone, as a restarted broker has: it says nothing unasked but farewell."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)
