"""Compares what was sent with what was found, by value, knowing a pipeline's lawful habits."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, repeat
from types import MappingProxyType
from typing import Any

from canary.values import Content, Difference, Event

MAX_DIFFERENCES = 8
"""An event mangled all over is told by its first few fields."""

MAX_TEXT = 80
ABSENT = "(absent)"

SANE_TIME = timedelta(days=1)
"""Timestamps are computed again on the way; only one further off than this was mangled."""


_PLAIN = frozenset({str, int, float, bool, type(None)})
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Habits:
    """What a pipeline may lawfully do to an event. It may always add properties and change their order.

    Parameters
    ----------
    doubles: numbers pass through IEEE doubles (JavaScript), so 2**53 + 1 comes back rounded.
    nul: NUL characters are stripped, or replaced by U+FFFD.
    own_prefix: top-level properties that begin so belong to the pipeline; "" for none.
    """

    doubles: bool = False
    nul: bool = True
    own_prefix: str = ""


HABITS: Mapping[str, Habits] = MappingProxyType(
    {"posthog": Habits(doubles=True, own_prefix="$"), "generic": Habits()}
)
"""By preset."""


def differences(
    expected: Event, found: Content, *, habits: Habits, carries_properties: bool = True
) -> tuple[Difference, ...]:
    """The fields that were not intact; empty for an intact canary.

    What the place does not carry (None) is not compared. Properties are different: a place that carries
    them and shows none had something there that could not be parsed.
    """
    return tuple(islice(_differences(expected, found, habits, carries_properties), MAX_DIFFERENCES))


def _differences(
    expected: Event, found: Content, habits: Habits, carries_properties: bool
) -> Iterator[Difference]:
    if found.event is not None and not _same_text(expected.name, found.event, habits):
        yield _told("event", expected.name, found.event)
    if found.distinct_id is not None and not _same_text(expected.distinct_id, found.distinct_id, habits):
        yield _told("distinct_id", expected.distinct_id, found.distinct_id)
    if found.timestamp is not None and not _sane(expected.timestamp, found.timestamp):
        yield Difference("timestamp", expected.timestamp.isoformat(), found.timestamp.isoformat())
    if found.properties is not None:
        skipped, theirs = habits.own_prefix or None, found.properties
        for name, value in expected.properties.items():
            if _alike(value, theirs.get(name, _NOTHING)):
                continue
            if skipped is not None and name.startswith(skipped):
                continue
            yield from _entry(name, name, value, theirs, habits)
    elif carries_properties:
        yield Difference("properties", "a JSON object", "(could not be parsed)")


def _alike(expected: Any, found: Any) -> bool:
    """The short way for what most values are: as they were sent, by type and value.

    No deeper than what we sent, whatever was found.
    """
    kind = type(expected)
    if type(found) is not kind:
        return False
    if kind in _PLAIN:
        return bool(found == expected)
    if kind is dict:
        theirs = map(found.get, expected, repeat(_NOTHING))
        return len(found) == len(expected) and all(map(_alike, expected.values(), theirs))
    return kind is list and len(found) == len(expected) and all(map(_alike, expected, found))


def _sane(expected: datetime, found: datetime) -> bool:
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return abs(aware - expected) <= SANE_TIME


def _entry(
    path: str, name: str, expected: Any, found: Mapping[str, Any], habits: Habits
) -> Iterable[Difference]:
    if name not in found:
        return (Difference(path, _short(expected), ABSENT),)
    theirs = found[name]
    return () if _same(expected, theirs, habits) else _parts(path, expected, theirs, habits)


def _same(expected: Any, found: Any, habits: Habits) -> bool:
    """By value, and by type: `true` is not 1. Nothing in here is deeper than what we sent."""
    if _alike(expected, found):
        return True
    if isinstance(expected, str):
        return isinstance(found, str) and (expected == found or _same_text(expected, found, habits))
    if expected is None or isinstance(expected, bool):
        return found is expected
    if isinstance(expected, (int, float)):
        return _same_number(expected, found, habits)
    if type(found) is not type(expected) or len(found) != len(expected):
        return False
    if isinstance(expected, list):
        return all(map(_same, expected, found, repeat(habits)))
    return all(name in found and _same(value, found[name], habits) for name, value in expected.items())


def _parts(path: str, expected: Any, found: Any, habits: Habits) -> Iterator[Difference]:
    """Where two values differ: inside them if they have the same form, else as a whole."""
    if isinstance(expected, dict) and isinstance(found, dict) and len(found) == len(expected):
        for name, value in expected.items():
            yield from _entry(f"{path}.{name}", name, value, found, habits)
    elif isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        for index, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
            if not _same(ours, theirs, habits):
                yield from _parts(f"{path}.{index}", ours, theirs, habits)
    else:
        yield _told(path, expected, found)


def _same_text(expected: str, found: str, habits: Habits) -> bool:
    if expected == found:
        return True
    if not habits.nul or "\0" not in expected:
        return False
    return found in (expected.replace("\0", ""), expected.replace("\0", "\ufffd"))


def _same_number(expected: int | float, found: Any, habits: Habits) -> bool:
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return False
    if expected == found or not habits.doubles:
        return expected == found
    try:
        return float(expected) == float(found)
    except OverflowError:  # an integer that no double can hold
        return False


def _told(field: str, expected: Any, found: Any) -> Difference:
    """Both as short texts, and of long ones the part where they part."""
    ours, theirs = _text(expected), _text(found)
    start = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), 0)
    start = max(0, start - MAX_TEXT // 4)
    return Difference(field, _cut(ours, start), _cut(theirs, start))


def _short(value: Any) -> str:
    return _cut(_text(value), 0)


def _text(value: Any) -> str:
    """ASCII, so that what looks alike does not read alike, and half characters do no harm."""
    return json.dumps(value, default=repr)


def _cut(text: str, start: int) -> str:
    start = 0 if len(text) <= MAX_TEXT else start
    end = start + MAX_TEXT
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
