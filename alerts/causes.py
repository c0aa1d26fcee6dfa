"""What is muted because something else explains it, so that one fault is one message."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from alerts.condition import Condition
from alerts.evidence import crowd_of

MOST_TOLD = 10

Able = Callable[[str, str], bool]
"""Whether the first key may mute the second."""


def muting(live: Mapping[str, Condition], *, able: Able) -> Mapping[str, str]:
    """Of each muted key, the key that is told in its place: never one that is muted itself."""
    named = {key: one for key, one in live.items() if one.muted_by}
    if not named:
        return {}
    known: dict[str, tuple[str, ...]] = {}
    causes = {
        key: {
            cause
            for entry in one.muted_by
            for cause in _matching(entry, live, known)
            if cause != key and able(cause, key)
        }
        for key, one in named.items()
    }
    reach = {key: _reach(key, causes) for key in causes}
    for key, found in causes.items():
        # Two that explain each other: the first by name stands, or neither would be told.
        found -= {cause for cause in found if key in reach.get(cause, ()) and cause > key}
    roots = {key: min(found, key=_first(live)) for key, found in causes.items() if found}
    found_roots = {key: _root(key, roots) for key in roots}
    return {key: root for key, root in found_roots.items() if able(root, key)}


def _first(live: Mapping[str, Condition]) -> Callable[[str], tuple[int, str]]:
    return lambda key: (-live[key].severity.weight, key)


def _matching(
    entry: str, live: Mapping[str, Condition], known: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    if entry not in known:
        if entry.endswith(":"):
            known[entry] = tuple(key for key in live if key.startswith(entry))
        else:
            known[entry] = tuple(key for key in (entry, crowd_of(entry)) if key in live)
    return known[entry]


def _reach(key: str, causes: Mapping[str, Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(causes.get(key, ()))
    while waiting:
        cause = waiting.pop()
        if cause not in seen:
            seen.add(cause)
            waiting.extend(causes.get(cause, ()))
    return seen


def _root(key: str, roots: Mapping[str, str]) -> str:
    while key in roots:
        key = roots[key]
    return key


def explained(cause: Condition, effects: Iterable[Condition]) -> Condition:
    """The cause with what it explains: named in it, and as severe as the worst of it."""
    ordered = sorted(effects, key=lambda one: (-one.severity.weight, one.key))
    if not ordered:
        return cause
    titles = "; ".join(one.title for one in ordered[:MOST_TOLD])
    more = f"; and {len(ordered) - MOST_TOLD} more" if len(ordered) > MOST_TOLD else ""
    return replace(
        cause,
        severity=max((cause, *ordered), key=lambda one: one.severity.weight).severity,
        facts=(*cause.facts, ("muted, as it follows from this", f"{titles}{more}")),
        muted=tuple(one.key for one in ordered),
    )
