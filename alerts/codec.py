"""The pager's values to plain JSON and back; a field that an older version did not write has its default."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.state import Incident
from alerts.tables import MICROSECOND, from_micros, to_micros

Plain = Mapping[str, Any]


def plain(value: Any) -> Any:
    """Dataclasses as objects, times and durations as microseconds, tuples as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return to_micros(value)
    if isinstance(value, timedelta):
        return value // MICROSECOND
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def condition(data: Plain) -> Condition:
    """A condition as `plain` wrote it."""
    return Condition(
        key=data["key"],
        severity=Severity(data["severity"]),
        title=data["title"],
        facts=tuple((name, value) for name, value in data.get("facts", ())),
        diagram=data.get("diagram", ""),
        commands=tuple(data.get("commands", ())),
        count=data.get("count", 0),
        ids=tuple(data.get("ids", ())),
        considered=data.get("considered", 0),
        level=data.get("level"),
        muted_by=tuple(data.get("muted_by", ())),
        group=data.get("group", ""),
        member=data.get("member", ""),
        muted=tuple(data.get("muted", ())),
        members=tuple(data.get("members", ())),
    )


def notice(data: Plain) -> Notice:
    """A notice as `plain` wrote it."""
    return Notice(
        id=data["id"],
        incident=data["incident"],
        sequence=data["sequence"],
        kind=Kind(data["kind"]),
        content=condition(data["content"]),
        made_at=from_micros(data["made_at"]),
        opened_at=from_micros(data["opened_at"]),
        ended_at=_time(data.get("ended_at")),
        worst=data.get("worst", 0),
        amended=_counts(data),
        took=_length(data.get("took")),
        covers=tuple((number, Kind(kind)) for number, kind in data.get("covers", ())),
        repeat=data.get("repeat", False),
    )


def incident(data: Plain) -> Incident:
    """An incident as `plain` wrote it."""
    return Incident(
        content=condition(data["content"]),
        true_since=from_micros(data["true_since"]),
        number=data.get("number", 0),
        opened_at=_time(data.get("opened_at")),
        absent_since=_time(data.get("absent_since")),
        resolved_at=_time(data.get("resolved_at")),
        told=data.get("told", 0),
        told_at=_time(data.get("told_at")),
        told_count=data.get("told_count", 0),
        told_severity=Severity(data.get("told_severity", Severity.NOTE)),
        worst=data.get("worst", 0),
        blind=data.get("blind", False),
        muted=data.get("muted", False),
        unmuted_at=_time(data.get("unmuted_at")),
        told_muted=tuple(data.get("told_muted", ())),
        hushed=data.get("hushed", ""),
        ack=data.get("ack", 0),
        acked_by=data.get("acked_by", ""),
        amended=_counts(data),
        amended_ids=tuple(data.get("amended_ids", ())),
        amended_took=_length(data.get("amended_took")),
        amended_at=_time(data.get("amended_at")),
        amended_since=_time(data.get("amended_since")),
        told_amended=data.get("told_amended", 0),
    )


def _counts(data: Plain) -> tuple[tuple[str, int], ...]:
    return tuple((words, count) for words, count in data.get("amended", ()))


def _length(micros: int | None) -> timedelta | None:
    return None if micros is None else micros * MICROSECOND


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
