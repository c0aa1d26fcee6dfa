"""Whether a condition counts under its rule, and how much: levels, thin evidence, severity, company."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from alerts.condition import Condition
from alerts.rules import Rule
from alerts.silence import Quiet

MOST_MEMBERS = 30
MOST_KEYS = 100
CROWD = ":*"
"""Ends the key under which a crowd of one kind is told."""


def shaped(condition: Condition, rule: Rule, *, open_: bool) -> Condition | None:
    """The condition as it counts, or None where it does not; `open_` is whether it was told already."""
    least = rule.open_at
    if open_ and least is not None and rule.close_at is not None:
        least = min(least, rule.close_at)
    if least is not None and (measure := condition.measure) is not None and measure < least:
        return None
    severity = rule.severity or condition.severity
    if condition.considered and _thin(condition, rule):
        if rule.thin is not None:
            severity = min(severity, rule.thin, key=lambda one: one.weight)
        elif not open_:
            return None
    return condition if severity is condition.severity else replace(condition, severity=severity)


def _thin(condition: Condition, rule: Rule) -> bool:
    """Too few of those that are counted; where nothing is counted, nothing can be too few."""
    return condition.considered < rule.min_events or condition.count < rule.min_bad


def by_key(conditions: Iterable[Condition]) -> Mapping[str, Condition]:
    """One condition a key, the worst of it, whatever order they come in; groups taken together."""
    found: dict[str, Condition] = {}
    groups: dict[str, dict[str, Condition]] = {}
    for condition in conditions:
        home = groups.setdefault(condition.group, {}) if condition.group else found
        other = home.get(condition.key)
        if other is None or _rank(condition) > _rank(other):
            home[condition.key] = condition
    for key, members in groups.items():
        told = _together(key, list(members.values()))
        if key not in found or _rank(told) > _rank(found[key]):
            found[key] = told
    return found


def crowd_of(key: str) -> str:
    """The key under which it is told when there are too many of its kind."""
    return key.partition(":")[0] + CROWD


def crowded(
    present: dict[str, Condition], *, known: Collection[str], most: int, apart: Quiet
) -> dict[str, Condition]:
    """Where there are more than `most` new ones of a kind, or were and it goes on, one that tells of all.

    What is `known` by itself goes on by itself, and so does what is kept `apart`.
    """
    if len(present) <= most and not any(key.endswith(CROWD) for key in known):
        return present
    kinds: dict[str, list[Condition]] = {}
    for key, condition in present.items():
        if key not in known and not (apart.silences and apart.silence(key)):
            kinds.setdefault(key.partition(":")[0], []).append(condition)
    for kind, members in kinds.items():
        key = kind + CROWD
        if len(members) > most or key in known:
            keys = [one.key for one in members]
            for one in keys:
                del present[one]
            present[key] = replace(_together(key, members), members=tuple(keys[:MOST_KEYS]))
    return present


def _rank(condition: Condition) -> tuple[int, int, str]:
    return condition.severity.weight, condition.count, repr(condition)


def _together(key: str, members: list[Condition]) -> Condition:
    """One condition that speaks for all of a group, in the words of its worst."""
    worst = max(_severest(members), key=lambda one: (one.count, one.key))
    names = sorted({one.member or one.key for one in members}, key=lambda name: (len(name), name))
    shown = ", ".join(names[:MOST_MEMBERS])
    more = f" and {len(names) - MOST_MEMBERS} more" if len(names) > MOST_MEMBERS else ""
    title = worst.title if len(members) == 1 else f"{worst.title} (and {len(members) - 1} more like it)"
    return replace(
        worst,
        key=key,
        title=title,
        facts=(*worst.facts, ("all of them", f"{len(names)}: {shown}{more}")),
        count=sum(one.count for one in members),
        considered=sum(one.considered for one in members),
        muted_by=_common(worst.muted_by, members),
        group="",
        member="",
    )


def _severest(members: list[Condition]) -> list[Condition]:
    severity = max({one.severity for one in members}, key=lambda one: one.weight)
    return [one for one in members if one.severity is severity]


def _common(causes: tuple[str, ...], members: list[Condition]) -> tuple[str, ...]:
    """Those of the causes that all of them have."""
    return tuple(sorted(set(causes).intersection(*(one.muted_by for one in members)))) if causes else ()
