"""What is done to a canary's content: each kind of corruption, and what a pipeline may lawfully do."""

import struct
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from canary.values import Content

LAWFUL = frozenset({"", "added properties", "key order", "JavaScript's numbers"})
HIDDEN = frozenset({"DateTime64 times 1000", "event name"})
"""Such a row lies where a query pruned by day and event name does not look: the last look finds it."""


def _properties(change: Callable[[dict[str, Any]], object]) -> Callable[[Content], Content]:
    def changed(content: Content) -> Content:
        properties = dict(content.properties or {})
        change(properties)
        return replace(content, properties=properties)

    return changed


def _through_float(value: int) -> int:
    found: float = struct.unpack("f", struct.pack("f", value))[0]
    return int(found)


def _mojibake(value: str) -> str:
    return value.encode().decode("latin-1") + unicodedata.normalize("NFD", "é")


MANGLES: Mapping[str, Callable[[Content], Content]] = {
    "text": _properties(lambda p: p.update(canary_text="mangled")),
    "truncated": _properties(lambda p: p.update(canary_text=p["canary_text"][:5])),
    "field dropped": _properties(lambda p: p.pop("canary_null")),
    "Unicode": _properties(lambda p: p.update(canary_text=_mojibake(p["canary_text"]))),
    "integer through a float": _properties(lambda p: p.update(canary_int=_through_float(p["canary_int"]))),
    "DateTime64 times 1000": lambda c: replace(
        c, timestamp=(c.timestamp or _never()) + timedelta(days=99_999)
    ),
    "event name": lambda c: replace(c, event="mangled"),
    "another row's content": _properties(lambda p: p.update(canary_id="0", canary_digits="007x")),
    "added properties": _properties(lambda p: p.update({"$geoip_city_name": "Köln", "$ip": "::1"})),
    "key order": lambda c: replace(c, properties=dict(reversed(list((c.properties or {}).items())))),
    "JavaScript's numbers": _properties(lambda p: p.update(canary_int=int(float(p["canary_int"])))),
}


def _never() -> Any:
    raise ValueError("every canary has a timestamp. This is a bug.")


def mangled(content: Content, kind: str) -> Content:
    """The content after this was done to it; "" is nothing."""
    return MANGLES[kind](content) if kind else content
