"""From a Kafka record to a sighting: knows a canary among other events, cheapest test first. Pure."""

import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from canary.edges.kafka.batches import Header, Record
from canary.edges.times import utc
from canary.values import Content, Marks, Sighting

MAX_UNPACKED = 32 * 1024 * 1024
"""A value that unpacks to more than this is not read."""

MAX_REASON = 500
REASONS = (
    "dlq_reason",
    "dlq_step",
    "__connect.errors.exception.message",
    "kafka_dlt-exception-message",
    "x-exception-message",
    "exception-message",
    "error",
    "reason",
)
"""Headers in which pipelines say why a record is a dead letter."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UUID = re.compile(rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_UUID_CHECKED = 64
_ID_SIZES = (16, 36)
_SEVEN = ord("7")
_MILLISECONDS_FROM = 1e11


@dataclass(frozen=True, slots=True)
class Spot:
    """Where and when the records at hand were read."""

    stage: str
    place: str
    partition: int
    side: str
    seen_at: datetime
    not_before: datetime | None


class Recogniser:
    """Finds the canaries among records; counts by reason what it could not read."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._needles = tuple({n for text in (marks.event, marks.distinct_prefix) for n in _spellings(text)})
        self.counts: Counter[str] = Counter()
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def sighting(self, record: Record, spot: Spot) -> Sighting | None:
        """The canary in this record, or what claims to be one; None for every other event."""
        key, value, headers = record.key, record.value, record.headers
        if value is None:
            self.counts["null_value"] += 1
        proven = self._proven(key) if key is not None and len(key) in _ID_SIZES else None
        if headers:
            for name, text in headers:
                if name == "uuid" and text is not None:
                    proven = proven or self._proven(text)
                elif name == "content-encoding" and text and value is not None:
                    value = self._unpacked(value, text)
        if proven is None and not self._marked(value) and not self._marked(key):
            return None
        return self._read(record, value, spot, proven=proven)

    def _marked(self, text: bytes | None) -> bool:
        if text is not None:
            for needle in self._needles:  # a plain loop: this runs for every record
                if needle in text:
                    return True
        return False

    def _proven(self, text: bytes) -> UUID | None:
        """The id, if it is ours. Only version 7 is worth the proof."""
        if len(text) == 36 and text[14] != _SEVEN:
            return None
        one = _id(text)
        return one if one is not None and self._marks.recognise(one) else None

    def _read(
        self, record: Record, value: bytes | None, spot: Spot, *, proven: UUID | None
    ) -> Sighting | None:
        parsed = None if value is None else self._parsed(value)
        content = None if parsed is None else self._content(parsed)
        one = proven or self._named(record, value, spot, parsed=parsed, content=content)
        if one is None:
            return None
        return Sighting(
            id=one,
            stage=spot.stage,
            place=spot.place,
            seen_at=spot.seen_at,
            not_before=spot.not_before,
            partition=spot.partition,
            offset=record.offset,
            at=moment_of(record.timestamp),
            content=content,
            side=spot.side,
            reason=_reason(record.headers) if spot.side == "dead_letter" else "",
        )

    def _named(
        self,
        record: Record,
        value: bytes | None,
        spot: Spot,
        *,
        parsed: Mapping[str, Any] | None,
        content: Content | None,
    ) -> UUID | None:
        """Whom a record names that did not prove itself at first sight; None where it is no canary."""
        candidates = [_told(record), *_ids(parsed, content)]
        one = self._best(candidates)
        claims = self._claims(record.key, content)
        if one is None and value is not None and (parsed is None or spot.side == "dead_letter"):
            one = self._quoted(value)
            claims = claims or one is not None
        if not claims:
            return None
        one = one or next((item for item in candidates if item is not None), None)
        if one is None:
            self.counts["no_id"] += 1
        return one

    def _claims(self, key: bytes | None, content: Content | None) -> bool:
        """Says of itself that it is a canary; events that merely mention one do not."""
        if content is None:
            return self._marked(key)
        prefix = self._marks.distinct_prefix
        named = content.distinct_id is not None and content.distinct_id.startswith(prefix)
        inside = content.properties is not None and "canary_id" in content.properties
        return content.event == self._marks.event or named or inside

    def _best(self, candidates: Sequence[UUID | None]) -> UUID | None:
        return next((item for item in candidates if item is not None and self._marks.recognise(item)), None)

    def _quoted(self, value: bytes) -> UUID | None:
        """An id of ours that stands anywhere in a value whose shape we do not know."""
        for found in _UUID.findall(value)[:_UUID_CHECKED]:
            one = UUID(found.decode("ascii"))
            if self._marks.recognise(one):
                return one
        return None

    def _unpacked(self, value: bytes, encoding: bytes) -> bytes | None:
        bits = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}.get(encoding.strip().lower())
        if bits is None:
            self.counts["content_encoding"] += encoding not in (b"identity", b"")
            return value
        try:
            worker = zlib.decompressobj(wbits=bits)
            unpacked = worker.decompress(value, MAX_UNPACKED)
        except zlib.error:
            self.counts["content_encoding"] += 1
            return value
        if worker.unconsumed_tail:
            self.counts["too_large"] += 1
            return None
        return unpacked

    def _parsed(self, value: bytes | str) -> Mapping[str, Any] | None:
        try:
            text = (
                value
                if isinstance(value, str)
                else value.decode(json.detect_encoding(value), "surrogatepass")
            )
            parsed = self._decoder.decode(text)
        except UnicodeDecodeError:
            self.counts["invalid_utf8"] += 1
            return None
        except RecursionError:
            self.counts["nested_too_deep"] += 1
            return None
        except ValueError:
            self.counts["unparsable"] += 1
            return None
        if not isinstance(parsed, dict):
            self.counts["not_an_object"] += 1
            return None
        return parsed

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            self.counts["duplicate_keys"] += 1
        return made

    def _content(self, outer: Mapping[str, Any]) -> Content:
        inner: Mapping[str, Any] = {}
        if isinstance(data := outer.get("data"), str):
            inner = self._parsed(data) or {}
        elif isinstance(data, dict):
            inner = data
        properties = inner.get("properties", outer.get("properties"))
        if isinstance(properties, str):
            properties = self._parsed(properties)
        elif properties is not None and not isinstance(properties, dict):
            self.counts["wrong_type"] += 1
            properties = None
        return Content(
            event=_text(inner.get("event"), outer.get("event")),
            distinct_id=_text(outer.get("distinct_id"), inner.get("distinct_id")),
            timestamp=_time(inner.get("timestamp")) or _time(outer.get("timestamp")),
            properties=properties,
        )


def _spellings(text: str) -> set[bytes]:
    """The ways a text may stand in JSON, and in JSON inside JSON."""
    once = json.dumps(text)[1:-1]
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    twice = json.dumps(once)[1:-1]
    return {item.encode("utf-8") for item in (text, plain, once, twice)}


def _uuid(value: object) -> UUID | None:
    if not isinstance(value, str) or len(value) not in (32, 36):
        return None
    try:
        return UUID(value)
    except ValueError:
        return None


def _id(text: bytes) -> UUID | None:
    """An id as 16 bytes or as text."""
    return UUID(bytes=text) if len(text) == 16 else _uuid(text.decode("latin-1"))


def _told(record: Record) -> UUID | None:
    """The id that key or header give the record, ours or not."""
    texts = [text for name, text in record.headers if name == "uuid"]
    ids = (_id(text) for text in (*texts, record.key) if text is not None and len(text) in _ID_SIZES)
    return next((one for one in ids if one is not None), None)


def _ids(outer: Mapping[str, Any] | None, content: Content | None) -> list[UUID | None]:
    if outer is None:
        return []
    properties = (content.properties if content else None) or {}
    return [_uuid(outer.get("uuid")), _uuid(properties.get("canary_id"))]


def _text(*values: object) -> str | None:
    return next((value for value in values if isinstance(value, str)), None)


def _time(value: object) -> datetime | None:
    """A time as pipelines write it: ISO or ClickHouse's format (UTC unless it says so), or a number."""
    if isinstance(value, str):
        return utc(value)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return EPOCH + timedelta(seconds=value / 1000 if abs(value) >= _MILLISECONDS_FROM else value)
    except (ValueError, OverflowError):
        return None
    return None


def moment_of(milliseconds: int | None) -> datetime | None:
    """A record's time; None where it has none, or one outside of the calendar."""
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _reason(headers: Sequence[Header]) -> str:
    said = {name.lower(): value.decode("utf-8", "replace") for name, value in headers if value}
    parts = [said[name] for name in REASONS if name in said]
    return " / ".join(parts)[:MAX_REASON]
