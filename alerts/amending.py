"""What was told turned out otherwise: who was told of it, and when they hear of that. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.condition import Amendment
from alerts.evidence import crowd_of
from alerts.rules import Rule, Rules
from alerts.state import Incident, State

MOST_IDS = 1_000
"""So many are known again by their id: those after a crash come again."""

MOST_PAST = 1_000
"""How many incidents that are over are kept in mind, the youngest."""

LONGEST = timedelta(hours=1)
"""Whoever trickles in is told of at least so often."""


def amend(state: State, amendments: Iterable[Amendment], *, now: datetime) -> State:
    """The state with these noted at the incidents that had counted them; the rest is dropped."""
    known: dict[str, list[Incident]] = defaultdict(list)
    for incident in (*state.past.values(), *state.incidents.values()):
        if incident.opened_at is not None:
            known[incident.key].append(incident)
    news: dict[int, list[Amendment]] = defaultdict(list)
    found: dict[int, Incident] = {}
    for one in amendments:
        counted = _counted_in(known[one.key], one) or _counted_in(known[crowd_of(one.key)], one)
        if counted is not None:
            found[counted.number] = counted
            news[counted.number].append(one)
    incidents, past = dict(state.incidents), dict(state.past)
    for number, incident in found.items():
        changed = _amended(incident, news[number], now)
        if number in past:
            past[number] = changed
        else:
            incidents[incident.key] = changed
    return replace(state, incidents=incidents, past=past) if found else state


def _counted_in(known: Sequence[Incident], one: Amendment) -> Incident | None:
    """The first that was not over when it was counted; one that began too late never spoke of it."""
    return min(
        (
            incident
            for incident in known
            if (incident.resolved_at is None or incident.resolved_at >= one.counted_at)
            and incident.true_since <= one.told_by
        ),
        key=lambda incident: incident.number,
        default=None,
    )


def _amended(incident: Incident, news: Sequence[Amendment], now: datetime) -> Incident:
    new = {one.id: one for one in news if one.id not in incident.amended_ids}
    if not new:
        return incident
    counts = Counter(dict(incident.amended))
    for one in new.values():
        counts[one.words] += one.count
    took = (incident.amended_took, *(one.took for one in new.values()))
    return replace(
        incident,
        amended=tuple(counts.items()),
        amended_ids=(*incident.amended_ids, *new)[-MOST_IDS:],
        amended_took=max((one for one in took if one is not None), default=None),
        amended_at=now,
        amended_since=incident.amended_since or now,
    )


def due(incident: Incident, rule: Rule, now: datetime) -> bool:
    """Whether the reader is to hear now of what came: once all are in that come together, then seldom."""
    since, last = incident.amended_since, incident.amended_at
    if since is None or last is None or not incident.told:
        return False
    if now - since >= LONGEST:
        return True
    doubled = incident.amended_count >= 2 * incident.told_amended
    return doubled and now - last >= rule.amend_delay


def remembered(past: Mapping[int, Incident], rules: Rules, now: datetime) -> Mapping[int, Incident]:
    """Those that are over and may still be amended; what is not told yet stays."""
    kept = {
        number: incident
        for number, incident in past.items()
        if incident.amended_since is not None or now - _over(incident) < rules.of(incident.key).amendable
    }
    if len(kept) > MOST_PAST:
        kept = {number: kept[number] for number in sorted(kept)[-MOST_PAST:]}
    return past if len(kept) == len(past) else kept


def _over(incident: Incident) -> datetime:
    return incident.resolved_at or incident.true_since
