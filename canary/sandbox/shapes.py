"""What PostHog's workers make of a raw record, and what the tables' Kafka engines make of that; no I/O."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import NAMESPACE_OID, uuid5

from canary.sandbox.body import Body, read_time, table_time
from canary.sandbox.javascript import parse, stringify
from canary.sandbox.kafka_clients import DEAD_LETTERS, PROCESSED, Message

_ADDED = {"$geoip_country_code": "SE", "$geoip_city_name": "Stockholm"}


class Record(Protocol):
    """The part of kafka-python's consumer record that is used here."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Any


class UnusableError(Exception):
    """The record cannot be processed; it belongs into the dead letters, with this reason."""


def processed(record: Record, now: datetime) -> Body:
    """The event as the workers hand it on; `properties` is still parsed here. Raises UnusableError."""
    try:
        raw = parse(record.value or b"")
        event = parse(raw["data"])
        properties = {**(event.get("properties") or {}), "$ip": raw.get("ip") or "127.0.0.1", **_ADDED}
        uuid, name, owner = str(raw["uuid"]), str(event["event"]), str(raw["distinct_id"])
        time = read_time(raw.get("timestamp") or event.get("timestamp") or raw["now"])
        captured = read_time(raw["now"])
        token = str(raw.get("token") or "")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UnusableError(f"{type(error).__name__}: {error}"[:200]) from error
    return {
        "uuid": uuid,
        "event": name,
        "properties": properties,
        "timestamp": table_time(time),
        "team_id": 1,
        "project_id": 1,
        "distinct_id": owner,
        "elements_chain": "",
        "created_at": table_time(now),
        "captured_at": table_time(captured),
        "person_id": str(uuid5(NAMESPACE_OID, f"{token}:{owner}")),
        "person_properties": "{}",
        "person_created_at": "1970-01-01 00:00:00.000",
        "person_mode": "propertyless",
    }


def processed_message(body: Body, now: datetime) -> Message:
    value = {**body, "properties": stringify(body["properties"])}
    return Message(
        topic=PROCESSED,
        key=str(body["uuid"]).encode("utf-8", "replace"),
        value=stringify(value).encode("utf-8", "replace"),
        headers=(("productTrack", b"general"),),
        time=now,
    )


def dead_letter(record: Record, reason: str, now: datetime) -> Message:
    """The record as it was, with the headers that say why it was set aside."""
    said = {"dlq_reason": reason, "dlq_step": "parse", "dlq_timestamp": now.isoformat()}
    return Message(
        topic=DEAD_LETTERS,
        key=record.key or b"",
        value=record.value or b"",
        headers=(
            *_headers(record),
            *((name, text.encode("utf-8", "replace")) for name, text in said.items()),
        ),
        time=now,
    )


def _headers(record: Record) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value) for name, value in record.headers or () if value is not None)


def row(record: Record, *, with_partition: bool, skew: timedelta) -> Body:
    """The row a Kafka engine makes of a record. Raises UnusableError."""
    try:
        found = parse(record.value or b"")
        body = {name: found[name] for name in _COLUMNS if name in found}
        if not isinstance(body["uuid"], str):
            raise TypeError("uuid must be a text")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnusableError(f"{type(error).__name__}: {error}"[:200]) from error
    time = datetime.fromtimestamp(record.timestamp / 1000, UTC) + skew
    body |= {"_timestamp": time.strftime("%Y-%m-%d %H:%M:%S"), "_offset": record.offset}
    if with_partition:
        body |= {"_timestamp_ms": table_time(time)[:-3], "_partition": record.partition}
    return body


_COLUMNS = (
    "uuid",
    "event",
    "properties",
    "timestamp",
    "team_id",
    "distinct_id",
    "elements_chain",
    "created_at",
    "captured_at",
    "person_id",
    "person_created_at",
    "person_properties",
    "person_mode",
)
