"""Whether a record is a certain event, or only speaks of it. Pure; cheapest test first."""

import json
import zlib
from collections.abc import Mapping, Sequence
from enum import Enum
from uuid import UUID

from canary.edges.kafka.batches import Record
from canary.edges.kafka.record import MAX_REASON, MAX_UNPACKED, REASONS

ID_FIELDS = ("uuid", "id", "event_id", "event_uuid")
"""Where events carry their id, at the top or inside `data`."""

FACTS = (*REASONS, "dlq_timestamp", "dlq_topic", "dlq_partition", "dlq_offset")
_PACKED: Mapping[bytes, int] = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}


class Likeness(Enum):
    """What a record has to do with the event that is looked for."""

    OTHER = "other"
    MENTIONS = "mentions"
    IS = "is"


class Face:
    """Knows one event's record by its id."""

    def __init__(self, id_: UUID, fields: Sequence[str] = ()) -> None:
        self._id = id_
        self._fields = tuple(dict.fromkeys((*fields, *ID_FIELDS)))
        spelled = (str(id_), id_.hex)
        self._needles = tuple(text.encode() for one in spelled for text in (one, one.upper()))

    def of(self, record: Record) -> Likeness:
        """By key, by header, then by what stands in the value."""
        texts = [text for name, text in record.headers if name == "uuid"]
        if any(self._same_bytes(text) for text in (record.key, *texts)):
            return Likeness.IS
        value = value_of(record)
        if value is None or not any(needle in value for needle in self._needles):
            return Likeness.OTHER
        return Likeness.IS if self._carries(value) else Likeness.MENTIONS

    def _same_bytes(self, text: bytes | None) -> bool:
        if text is None or len(text) not in (16, 32, 36):
            return False
        return text == self._id.bytes or self._same(text.decode("latin-1"))

    def _same(self, value: object) -> bool:
        return _uuid(value) == self._id

    def _carries(self, value: bytes) -> bool:
        outer = _object(value)
        inner = outer.get("data")
        parsed = inner if isinstance(inner, dict) else _object(inner) if isinstance(inner, str) else {}
        return any(self._same(part.get(name)) for part in (outer, parsed) for name in self._fields)


def value_of(record: Record) -> bytes | None:
    """The record's value, unpacked where a header says that it is packed; None where it has none."""
    value = record.value
    encoding = next((text for name, text in record.headers if name == "content-encoding"), None)
    bits = _PACKED.get((encoding or b"").strip().lower())
    if value is None or bits is None:
        return value
    try:
        return zlib.decompressobj(wbits=bits).decompress(value, MAX_UNPACKED)
    except zlib.error:
        return value


def told(record: Record) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Why a record is a dead letter, in one line, and all that its headers say of it."""
    texts = {name.lower(): text.decode("utf-8", "replace") for name, text in record.headers if text}
    facts = tuple((name, texts[name][:MAX_REASON]) for name in FACTS if name in texts)
    reason = " / ".join(text for name, text in facts if name in REASONS)
    return reason[:MAX_REASON], facts


def _object(text: bytes | str) -> Mapping[str, object]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def identity(record: Record, fields: Sequence[str] = ()) -> UUID | None:
    """The id of an event's record: by header, by what stands in its value, by its key."""
    texts = [text for name, text in record.headers if name == "uuid" and text is not None]
    for text in texts:
        if (found := _uuid(text.decode("latin-1"))) is not None:
            return found
    outer = _object(value_of(record) or b"")
    inner = outer.get("data")
    parsed = inner if isinstance(inner, dict) else _object(inner) if isinstance(inner, str) else {}
    for name in (*fields, *ID_FIELDS):
        for part in (outer, parsed):
            if (found := _uuid(part.get(name))) is not None:
                return found
    return None if record.key is None else _uuid(record.key.decode("latin-1"))


def _uuid(value: object) -> UUID | None:
    if not isinstance(value, str) or len(value) not in (32, 36):
        return None
    try:
        return UUID(value)
    except ValueError:
        return None
