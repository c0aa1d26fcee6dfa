"""A notice as JSON for programs: the stable body of the generic webhook and of a command's standard input."""

import json
from datetime import UTC, datetime
from typing import Any

from alerts.condition import Notice
from alerts.links import Links
from alerts.tables import to_micros

SCHEMA = 1
"""Grows when a key changes its meaning or goes away; keys may be added at any time."""


def message_id(notice: Notice) -> str:
    """The same for every try of this notice and for no other, even after its database was lost."""
    return f"{to_micros(notice.made_at)}-{notice.id}"


def payload(notice: Notice, links: Links) -> dict[str, Any]:
    """The object; see README, "What programs get"."""
    content = notice.content
    return {
        "type": f"incident.{notice.kind.value}",
        "timestamp": moment(notice.made_at),
        "data": {
            "schema": SCHEMA,
            "id": message_id(notice),
            "incident": notice.incident,
            "sequence": notice.sequence,
            "key": content.key,
            "severity": content.severity.value,
            "title": content.title,
            "facts": [{"name": name, "value": value} for name, value in content.facts],
            "diagram": content.diagram,
            "commands": list(content.commands),
            "ids": list(content.ids),
            "count": content.count,
            "worst": notice.worst,
            "amended": [{"what": words, "count": count} for words, count in notice.amended],
            "opened_at": moment(notice.opened_at),
            "ended_at": moment(notice.ended_at) if notice.ended_at is not None else None,
            "covers": [{"incident": number, "kind": kind.value} for number, kind in notice.covers],
            "links": dict(links.of(content)),
            "repeat": notice.repeat,
        },
    }


def encoded(notice: Notice, links: Links) -> bytes:
    """One line of ASCII, so that no reader stumbles over encodings or lone surrogates."""
    return json.dumps(payload(notice, links), separators=(",", ":")).encode("ascii")


def moment(at: datetime) -> str:
    """RFC 3339, UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
