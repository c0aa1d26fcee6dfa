"""Reads and prints JSON as JavaScript does, since PostHog's workers do: every number is a double."""

import json
import re
from decimal import Decimal
from typing import Any

_EXACT = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")
_quote = json.encoder.encode_basestring


def parse(text: str | bytes) -> Any:
    """Like `JSON.parse`; raises ValueError, also for the NaN and Infinity that Python would take."""
    return json.loads(text, parse_int=_integer, parse_constant=_refuse)


def stringify(value: Any) -> str:
    """Like `JSON.stringify`, less the NUL characters, which PostHog removes."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_string(name)}:{stringify(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(stringify, value)) + "]"
    if isinstance(value, float):
        return number(value)
    return json.dumps(value)


def number(value: float) -> str:
    """A double as JavaScript prints it: the shortest digits, an exponent only below 1e-6 and from 1e21."""
    if value == 0:
        return "0"
    if value in (float("inf"), float("-inf")) or value != value:
        return "null"
    shortest = Decimal(repr(value))
    if not 1e-6 <= abs(value) < 1e21:
        sign, digits, _ = shortest.normalize().as_tuple()
        power = shortest.adjusted()
        tail = "".join(map(str, digits[1:]))
        return f"{'-' if sign else ''}{digits[0]}{'.' + tail if tail else ''}e{power:+d}"
    text = format(shortest, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _integer(text: str) -> int | float:
    exact = len(text) < 16 or abs(int(text)) <= _EXACT
    return int(text) if exact and text != "-0" else float(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"json: must be a number that JSON knows (got {text})")


def _string(value: str) -> str:
    text = _quote(value.replace("\0", "") if "\0" in value else value)
    return text if text.isascii() else _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
