"""Incidents and silences as an object, and as lines for a person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from alerts.condition import Kind, Notice
from alerts.silence import Orders
from alerts.state import Incident
from canary.cli.words import counted
from canary.config.render import printable


def as_object(incidents: Sequence[Incident], orders: Orders, *, owed: int) -> dict[str, Any]:
    """What `canary alerts list --json` prints; keys may be added."""
    return {
        "schema": 1,
        "incidents": [_incident(one, orders) for one in incidents],
        "silences": [
            {
                "number": one.number,
                "prefix": one.prefix,
                "starts_at": _time(one.starts_at),
                "ends_at": _time(one.ends_at),
                "author": one.author,
                "reason": one.reason,
            }
            for one in orders.silences
        ],
        "messages_owed": owed,
    }


def _incident(one: Incident, orders: Orders) -> dict[str, Any]:
    asked = orders.ack(one.number)
    pending = asked.author if asked is not None and asked.number > one.ack else ""
    return {
        "number": one.number,
        "key": one.key,
        "severity": one.content.severity.value,
        "title": one.content.title,
        "opened_at": _time(one.opened_at),
        "told_at": _time(one.told_at),
        "messages": one.told,
        "worst": one.worst,
        "muted": list(one.content.muted),
        "blind": one.blind,
        "acknowledged_by": pending or one.acked_by or None,
    }


def as_text(known: dict[str, Any]) -> Iterator[str]:
    """The same for a person; foreign texts on one line each."""
    for one in known["incidents"]:
        hand = f", in hand: {printable(one['acknowledged_by'])}" if one["acknowledged_by"] else ""
        told = f", told at {one['told_at']}" if one["told_at"] else ", not told yet"
        head = f"{one['number']:>5}  {one['severity']:<6}  {printable(one['key'])}  since {one['opened_at']}"
        yield f"{head}{told}{hand}"
        yield f"       {printable(one['title'])}"
        if one["muted"]:
            yield f"       muted: {', '.join(map(printable, one['muted']))}"
    if not known["incidents"]:
        yield "nothing is open"
    for one in known["silences"]:
        why = f": {printable(one['reason'])}" if one["reason"] else ""
        what = printable(one["prefix"]) or "everything"
        yield f"silence {one['number']}  {what}  until {one['ends_at']}  by {printable(one['author'])}{why}"
    if owed := known["messages_owed"]:
        yield f"{counted(owed, 'message')} {'is' if owed == 1 else 'are'} owed"


def replayed(notices: Sequence[Notice], since: datetime, until: datetime, *, windows: int) -> dict[str, Any]:
    """What `canary alerts replay --json` prints; keys may be added."""
    from canary.replay import NOT_REPLAYED

    return {
        "schema": 1,
        "from": _time(since),
        "to": _time(until),
        "windows": windows,
        "messages": [
            {
                "at": _time(one.made_at),
                "kind": one.kind.value,
                "severity": one.content.severity.value,
                "key": one.key,
                "title": one.content.title,
                "muted": list(one.content.muted),
            }
            for one in notices
        ],
        "opened": dict(Counter(one.content.severity.value for one in notices if one.kind is Kind.OPENED)),
        "not_replayed": list(NOT_REPLAYED),
    }


def replay_text(told: dict[str, Any]) -> Iterator[str]:
    """The same for a person."""
    for one in told["messages"]:
        muted = f" (muted: {', '.join(map(printable, one['muted']))})" if one["muted"] else ""
        yield f"{one['at']}  {one['kind']:<8}  {one['severity']:<6}  {printable(one['title'])}{muted}"
    opened = ", ".join(counted(count, name) for name, count in told["opened"].items()) or "nothing"
    windows = counted(told["windows"], "window")
    yield f"{windows} from {told['from']} to {told['to']}: {opened} would have been opened"
    yield "amended windows count as they stand now; not played again:"
    yield from (f"  {what}" for what in told["not_replayed"])


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z") if at is not None else None
