"""The bodies of events as the sandbox's stages carry them, and the damage that faults can do to them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Body = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2299, 12, 31, 23, 59, 59, tzinfo=UTC)
_TABLE_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


def read_time(text: str) -> datetime:
    """A time as clients (ISO 8601) or ClickHouse (`2026-01-31 10:00:00.000000`, UTC) write it."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def table_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime(_TABLE_FORMAT)


def iso_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moved(body: Body, by: timedelta) -> Body:
    """The same event at another time, written in the same manner."""
    return {**body, "timestamp": _like(body.get("timestamp"), _time_of(body) + by)}


def corrupted(body: Body, uuid: str, field: str | None) -> tuple[Body, str] | None:
    """The body with one field damaged, and what was done; None where there is no such field to damage."""
    if field == "timestamp":
        return _mistimed(body)
    if field is not None and field != "properties" and isinstance(body.get(field), str):
        return {**body, field: _mangled(body[field])}, f"{field} mangled"
    properties, as_text = _properties(body)
    name = _victim(properties, uuid) if field is None else field
    if name is None or name not in properties:
        return None
    damaged = {**properties, name: _mangled(properties[name])}
    kept = json.dumps(damaged, ensure_ascii=False, separators=(",", ":")) if as_text else damaged
    return {**body, "properties": kept}, f"{name} mangled"


def _mistimed(body: Body) -> tuple[Body, str]:
    """What reading milliseconds as microseconds does: a thousand times the age, up to the last time."""
    age = _time_of(body) - _EPOCH
    wrong = _EPOCH + age * 1000 if age * 1000 < _LATEST - _EPOCH else _LATEST
    return {**body, "timestamp": _like(body.get("timestamp"), wrong)}, "timestamp times 1000"


def _time_of(body: Body) -> datetime:
    text = body.get("timestamp")
    return read_time(text) if isinstance(text, str) and text else datetime.now(UTC)


def _like(text: object, time: datetime) -> str:
    return table_time(time) if isinstance(text, str) and " " in text else iso_time(time)


def _properties(body: Body) -> tuple[Mapping[str, Any], bool]:
    found = body.get("properties")
    if isinstance(found, str):
        parsed = json.loads(found)
        return (parsed if isinstance(parsed, dict) else {}), True
    return (found if isinstance(found, dict) else {}), False


def _victim(properties: Mapping[str, Any], uuid: str) -> str | None:
    """A text property of the payload: not the pipeline's own, and not the one that carries the id."""
    for name, value in properties.items():
        if isinstance(value, str) and len(value) > 1 and not name.startswith("$") and value != uuid:
            return name
    return None


def _mangled(value: Any) -> Any:
    if isinstance(value, str):
        return value[: len(value) // 2] + "?"
    if isinstance(value, bool) or value is None:
        return "?"
    return value + 1 if isinstance(value, int | float) else None
