"""Reads what PostHog's capture endpoints accept and writes what they append to Kafka; no I/O."""

import gzip
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from canary.sandbox.body import Body, iso_time, read_time
from canary.sandbox.kafka_clients import RAW, Message

PATHS = ("/i/v0/e", "/e", "/batch", "/capture", "/track")
MOST_BYTES = 2 * 1024 * 1024
MOST_EVENT_BYTES = 1_000_000
_GZIP = b"\x1f\x8b"
_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")


class RefusedError(Exception):
    """The post is turned away, with this status and these words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


@dataclass(frozen=True, slots=True)
class Post:
    """The events of one post, each with `event`, `uuid`, `distinct_id`, `properties`; nothing stored yet."""

    token: str
    sent_at: str | None
    events: tuple[Body, ...]


def read_post(body: bytes, content_type: str) -> Post:
    """Raises RefusedError exactly where the real one refuses the whole post."""
    if len(body) > MOST_BYTES:
        raise RefusedError(413, "payload too large")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(400, "failed to decode request: unsupported content type")
    parsed = _parsed(body)
    batch = parsed.get("batch") if isinstance(parsed, dict) else None
    found = batch if isinstance(batch, list) else parsed if isinstance(parsed, list) else [parsed]
    if not found:
        raise RefusedError(400, "failed to decode request: empty batch")
    top = parsed if isinstance(parsed, dict) else {}
    events = tuple(_event(each) for each in found)
    return Post(_token(top, found), _text(top.get("sent_at")), events)


def _parsed(body: bytes) -> Any:
    try:
        text = gzip.decompress(body) if body.startswith(_GZIP) else body
        return json.loads(text)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise RefusedError(400, f"failed to decode request: {type(error).__name__}") from error


def _token(top: Body, events: Sequence[Any]) -> str:
    names = ("api_key", "token", "$token")
    places = [top, *(each for each in events if isinstance(each, dict))]
    places += [each["properties"] for each in places if isinstance(each.get("properties"), dict)]
    found = {str(place[name]) for place in places for name in names if place.get(name)}
    if not found:
        raise RefusedError(401, "event submitted without an api_key")
    if len(found) > 1:
        raise RefusedError(401, "event submitted with several api_keys")
    token = found.pop()
    if not _TOKEN.fullmatch(token) or token.startswith("phx_"):
        raise RefusedError(401, "event submitted with an invalid api_key")
    return token


def _event(found: Any) -> Body:
    if not isinstance(found, dict):
        raise RefusedError(400, "failed to decode request: an event must be an object")
    properties = found.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    if not found.get("event"):
        raise RefusedError(400, "event submitted with an empty event name")
    owner = found.get("distinct_id") or found.get("$distinct_id") or properties.get("distinct_id")
    if not owner:
        raise RefusedError(400, "event submitted without a distinct_id")
    kept = {name: found[name] for name in ("timestamp", "offset", "$set", "$set_once") if name in found}
    return {
        "uuid": _uuid(found.get("uuid")),
        "event": str(found["event"]),
        "distinct_id": str(owner)[:200],
        "properties": properties,
        **kept,
    }


def _uuid(given: object) -> str:
    if not given:
        return str(uuid4())
    try:
        return str(UUID(str(given)))
    except ValueError as error:
        raise RefusedError(400, "failed to decode request: invalid uuid") from error


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def record(event: Body, post: Post, *, ip: str, now: datetime) -> Message:
    """The record of one event; raises RefusedError where it is too big or its times cannot be read."""
    time = _event_time(event, post, now)
    value = {
        "uuid": event["uuid"],
        "distinct_id": event["distinct_id"],
        "ip": ip,
        "data": json.dumps(event, ensure_ascii=False, separators=(",", ":")),
        "now": iso_time(now),
        "sent_at": post.sent_at,
        "token": post.token,
        "event": event["event"],
        "timestamp": iso_time(time),
    }
    body = _bytes(value)
    if len(body) > MOST_EVENT_BYTES:
        raise RefusedError(400, "maximum event size exceeded")
    headers = {
        "token": post.token,
        "distinct_id": event["distinct_id"],
        "event": event["event"],
        "uuid": event["uuid"],
        "now": iso_time(now),
        "timestamp": str(round(time.timestamp() * 1000)),
    }
    return Message(
        topic=RAW,
        key=f"{post.token}:{event['distinct_id']}".encode("utf-8", "replace"),
        value=body,
        headers=tuple((name, text.encode("utf-8", "replace")) for name, text in headers.items()),
        time=now,
    )


def _bytes(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _event_time(event: Body, post: Post, now: datetime) -> datetime:
    """The client's time, set right by how far its clock is off: what PostHog makes of it."""
    given = _text(event.get("timestamp"))
    if given is None:
        return now
    try:
        time = read_time(given)
        return time if post.sent_at is None else now + (time - read_time(post.sent_at))
    except (ValueError, OverflowError):
        return now
