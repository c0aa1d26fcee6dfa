"""Fetches as bytes, for the versions that brokers since 2.7 speak; what is older goes through the library.

A fetch names every partition and is repeated all day. The library's own way, an object for each partition
with a field for each of its dozen values, costs four times the CPU. To the library's connection this looks
like one of its own requests: it asks for a header, for bytes, and for who reads the answer.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self
from uuid import UUID

API_KEY = 1
BY_NAME, BY_ID = 12, 13
"""The first version with compact fields throughout, and the first that names topics by their ids."""

_HEAD = struct.Struct(">hhih")
_BODY = struct.Struct(">iiiibii")
_PARTITION = struct.Struct(">iiqiqiB")
_ANSWER = struct.Struct(">ihi")
_PART = struct.Struct(">ihqqq")
_PAIR = struct.Struct(">qq")
_INT = struct.Struct(">i")
_EPOCH_END = struct.Struct(">iq")
_DIVERGED = 0
"""The tag of that field."""
_CONSUMER = -1
_NO_SESSION = (0, -1)


Topic = str | UUID
"""A topic's name (version 12) or its id (13)."""

Want = tuple[int, int, int, int]
"""A partition, the epoch of its leadership, the offset to read from and the epoch of what was read last."""

Diverged = tuple[int, int]
"""The last epoch that the broker shares with us, and where it ended there: what we read beyond is not its."""


class Part(NamedTuple):
    """One partition's answer, as the broker gives it. `records` is None where there are none."""

    topic: Topic
    partition: int
    error: int
    end: int
    stable_end: int
    log_start: int
    aborted: Sequence[tuple[int, int]]
    preferred: int
    records: bytes | None
    diverged: Diverged | None = None


@dataclass(slots=True)
class Fetch:
    """One fetch of what is wanted by topic."""

    version: int
    wait: int
    total_bytes: int
    partition_bytes: int
    isolation: int
    rack: str
    topics: Mapping[Topic, Sequence[Want]]
    correlation_id: int = field(default=0, init=False)
    client_id: str = field(default="", init=False)

    API_KEY = API_KEY

    @property
    def API_VERSION(self) -> int:  # noqa: N802 - as the library's connection calls it
        return self.version

    def expect_response(self) -> bool:
        return True

    def with_header(self, correlation_id: int, client_id: str) -> None:
        self.correlation_id, self.client_id = correlation_id, client_id

    @property
    def header(self) -> Self:
        """The library keeps it until the answer comes, and asks it then who reads that."""
        return self

    def get_response_class(self) -> type["Answer"]:
        return Answer if self.version >= BY_ID else AnswerByName

    def encode(self, *, framed: bool, header: bool) -> bytes:
        """The whole request; it is never asked for in parts."""
        del framed, header
        name = self.client_id.encode()
        out = bytearray(4)
        out += _HEAD.pack(API_KEY, self.version, self.correlation_id, len(name))
        out += name + b"\0"
        out += _BODY.pack(_CONSUMER, self.wait, 1, self.total_bytes, self.isolation, *_NO_SESSION)
        out += _size(len(self.topics))
        for topic, parts in self.topics.items():
            out += topic.bytes if isinstance(topic, UUID) else _text(topic)
            out += _size(len(parts))
            for partition, epoch, offset, read in parts:
                out += _PARTITION.pack(partition, epoch, offset, read, -1, self.partition_bytes, 0)
            out += b"\0"
        out += _size(0) + _text(self.rack) + b"\0"
        _INT.pack_into(out, 0, len(out) - 4)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class _Header:
    correlation_id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a broker said to a fetch, topics by their ids."""

    throttle_time_ms: int
    error_code: int
    parts: Sequence[Part]

    @classmethod
    def parse_header(cls, data: Any) -> _Header:
        """Whose answer it is. Raises struct.error where it is cut short."""
        return _Header(*_INT.unpack(data.read(_INT.size)))

    @classmethod
    def decode(cls, data: Any) -> Self:
        """The rest of it. Raises ValueError where that is no answer to a fetch."""
        try:
            return cls._decoded(bytes(data.read()))
        except (struct.error, IndexError, ValueError) as error:
            raise ValueError(f"kafka: this is no answer to a fetch ({error})") from error

    @classmethod
    def _decoded(cls, data: bytes) -> Self:
        at = _past_tags(data, 0)  # of the header
        throttled, error, _session = _ANSWER.unpack_from(data, at)
        at += _ANSWER.size
        parts: list[Part] = []
        topics, at = _uvarint(data, at)
        for _ in range(topics - 1):
            topic, at = cls._topic(data, at)
            count, at = _uvarint(data, at)
            for _ in range(count - 1):
                part, at = _part(topic, data, at)
                parts.append(part)
            at = _past_tags(data, at)
        if _past_tags(data, at) > len(data):
            raise ValueError("cut short")
        return cls(throttled, error, parts)

    @classmethod
    def _topic(cls, data: bytes, at: int) -> tuple[Topic, int]:
        return UUID(bytes=data[at : at + 16]), at + 16


class AnswerByName(Answer):
    """The same, topics by their names."""

    __slots__ = ()

    @classmethod
    def _topic(cls, data: bytes, at: int) -> tuple[Topic, int]:
        name, at = _bytes(data, at)
        return (name or b"").decode(), at


def _part(topic: Topic, data: bytes, at: int) -> tuple[Part, int]:
    partition, error, end, stable, start = _PART.unpack_from(data, at)
    count, at = _uvarint(data, at + _PART.size)
    aborted = []
    for _ in range(count - 1):
        aborted.append(_PAIR.unpack_from(data, at))
        at = _past_tags(data, at + _PAIR.size)
    (preferred,) = _INT.unpack_from(data, at)
    records, at = _bytes(data, at + _INT.size)
    diverged, at = _diverged(data, at)
    return Part(topic, partition, error, end, stable, start, aborted, preferred, records, diverged), at


def _diverged(data: bytes, at: int) -> tuple[Diverged | None, int]:
    """The one tagged field that tells what we need to know, and where what follows them all begins."""
    count, following = _uvarint(data, at)
    found: Diverged | None = None
    for _ in range(count):
        tag, start = _uvarint(data, following)
        size, start = _uvarint(data, start)
        following = start + size
        if tag == _DIVERGED:
            found = _EPOCH_END.unpack_from(data, start)
    return found, following


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = _uvarint(data, at)
    end = at + size - 1
    if end > len(data):
        raise ValueError(f"cut short: got {len(data)} of {end} bytes")
    return (data[at:end], end) if size else (None, at)


def _past_tags(data: bytes, at: int) -> int:
    """Where what follows begins: these tell nothing that we need to know."""
    count, at = _uvarint(data, at)
    for _ in range(count):
        _, at = _uvarint(data, at)
        size, at = _uvarint(data, at)
        at += size
    return at


def _uvarint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = data[at], 7
    at += 1
    if value < 0x80:
        return value, at
    value &= 0x7F
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _size(count: int) -> bytes:
    """A compact length: one more than it is."""
    left, out = count + 1, bytearray()
    while left >= 0x80:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def _text(text: str) -> bytes:
    plain = text.encode()
    return _size(len(plain)) + plain


def by_topic(wants: Iterable[tuple[Topic, Want]]) -> dict[Topic, list[Want]]:
    """What is wanted of each topic, in the order in which it comes."""
    found: dict[Topic, list[Want]] = {}
    for topic, want in wants:
        found.setdefault(topic, []).append(want)
    return found
