"""From a Kafka record to a message of the real traffic: its id, and why no table could hold it. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from canary.edges.kafka.batches import Header, Record
from canary.edges.kafka.record import MAX_REASON, REASONS
from canary.traffic import Holds
from reconcile.traffic import Message, Policy

MAX_TEXT = 200
MAX_SHOWN = 2_000
ANYTHING = Holds()
"""A table that takes every event and keeps it."""

EVERYTHING = Policy()
"""What a pipeline lets pass that drops nothing on purpose."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reading:
    """How messages are read: the fields that may hold the id, what the table holds, payloads or not."""

    ids: Sequence[str] = ("uuid",)
    holds: Holds = ANYTHING
    payloads: bool = False


def message(record: Record, partition: int, reading: Reading) -> Message:
    """What an audit needs of a record; its payload only where that was asked for."""
    body, error = _parsed(record.value)
    named = next((name for name in reading.ids if body.get(name) not in (None, "")), None)
    id_ = _plain(body[named]) if named is not None else _from_headers(record.headers)
    if not error:
        error = reading.holds.refuses(body)
    at, holds = _moment(record.timestamp), reading.holds
    return Message(
        partition=partition,
        offset=record.offset,
        at=at,
        id=id_,
        event=_text(body.get("event")) or _text(_inner(body).get("event")),
        token=_text(body.get("token")) or _text(body.get("api_key")),
        key=None if record.key is None else record.key.decode("utf-8", "backslashreplace")[:MAX_TEXT],
        error=error,
        removed=holds.removes({**_inner(body), **body}, at) if holds.ttl else "",
        payload=_shown(record.value) if reading.payloads else None,
    )


def dropped(record: Record, policy: Policy) -> str:
    """Why the pipeline drops a record on purpose; "" for no reason."""
    return "" if policy == EVERYTHING else policy.drops(message(record, 0, Reading()))


def letter(record: Record, ids: Sequence[str]) -> tuple[str, str]:
    """The id of a dead letter, "" where none can be found in it, and why it is one."""
    found = message(record, 0, Reading(ids=ids))
    said = {name.lower(): value.decode("utf-8", "replace") for name, value in record.headers if value}
    reason = " / ".join(said[name] for name in REASONS if name in said)[:MAX_REASON]
    return found.id or "", reason


def _parsed(value: bytes | None) -> tuple[Mapping[str, Any], str]:
    if value is None:
        return {}, "it has no value"
    try:
        body = json.loads(value.decode("utf-8", "replace"), strict=False)
    except json.JSONDecodeError as error:
        return {}, f"no JSON: {error.msg} at byte {error.pos}"
    except (ValueError, RecursionError) as error:
        return {}, f"no JSON: {type(error).__name__}"
    if not isinstance(body, dict):
        return {}, "no JSON object"
    return body, ""


def _inner(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """PostHog's first topic wraps the event as text in `data`."""
    data = body.get("data")
    return _parsed(data.encode("utf-8", "replace"))[0] if isinstance(data, str) else {}


def _plain(value: object) -> str | None:
    """An id as the table would spell it."""
    if not isinstance(value, str):
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
    try:
        return str(UUID(value)) if len(value) in (32, 36) else value
    except ValueError:
        return value


def _from_headers(headers: Sequence[Header]) -> str | None:
    text = next((value for name, value in headers if name == "uuid" and value), None)
    return None if text is None else _plain(text.decode("latin-1"))


def _text(value: object) -> str | None:
    return value[:MAX_TEXT] if isinstance(value, str) else None


def _shown(value: bytes | None) -> str:
    return "" if value is None else value[:MAX_SHOWN].decode("utf-8", "backslashreplace")


def _moment(milliseconds: int | None) -> datetime | None:
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
