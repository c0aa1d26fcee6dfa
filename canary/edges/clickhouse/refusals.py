"""Why a row could not be made of an event, by the types of the table's columns. Pure.

Only what every ClickHouse refuses counts: a doubt speaks for the event.
"""

import re
from collections.abc import Mapping
from uuid import UUID

from canary.edges.clickhouse.schema import Column
from canary.traffic import Refuses

_NUMBER = re.compile(r"\s*[-+]?(\d|\.\d|inf|nan)", re.IGNORECASE)
_WHOLE = re.compile(r"U?Int(8|16|32|64|128|256)")


def refuses(columns: Mapping[str, str]) -> Refuses:
    """What to ask about each event; `columns` are the table's names and types."""
    plain = {name: Column(name, kind).base for name, kind in columns.items()}
    nullable = {name for name, kind in columns.items() if "Nullable(" in kind}

    def check(event: Mapping[str, object]) -> str:
        for name, value in event.items():
            kind = plain.get(name)
            if kind is None or (value is None and name in nullable):
                continue
            if (wrong := _wrong(kind, value)) is not None:
                return f"field {name}: {wrong} is no {kind}"
        return ""

    return check


def _wrong(kind: str, value: object) -> str | None:
    """What the value is, where it cannot be of this type. Never the value itself."""
    if isinstance(value, dict | list):
        plain = kind in ("UUID", "Bool") or kind.startswith(("Date", "Float")) or _WHOLE.fullmatch(kind)
        return "an object or a list" if plain else None
    if not isinstance(value, str):
        return None
    if kind == "UUID":
        return None if _is_uuid(value) else "this text"
    if kind.startswith("Date"):
        return None if value[:1].isdigit() or value[:1] == "-" else "this text"
    if kind.startswith("Float") or _WHOLE.fullmatch(kind):
        return None if _NUMBER.match(value) else "this text"
    return None


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
