"""From wants to notices, within the hourly limit: one by one while it lasts, then in summaries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.rules import Rules
from alerts.state import Incident, State

HOUR = timedelta(hours=1)
SUMMARY_LINES = 30


@dataclass(frozen=True, slots=True)
class Want:
    """One message that an incident calls for now."""

    incident: Incident
    kind: Kind
    passed: bool = False
    """It came and went in a silence: a line in the summary at its end."""


def may_tell(state: State, now: datetime, rules: Rules) -> bool:
    """Whether anything could be told at all now: most looks of a storm need not ask what."""
    return _room(state, now, rules) > 0 or _summary_due(state, rules, now)


def tell(
    state: State, wants: Sequence[Want], *, now: datetime, rules: Rules
) -> tuple[State, tuple[Notice, ...]]:
    """Make the notices that the limit allows; what is not told stays wanted and comes with a later look."""
    ordered = _by_urgency(want for want in wants if not want.passed)
    room = max(0, _room(state, now, rules))
    single, rest = (ordered, []) if len(ordered) <= room else (ordered[:room], ordered[room:])
    if single and rest and single[-1].incident.number == rest[0].incident.number:
        # Opening and end of one incident stay together, so that each is told before the other can be.
        rest.insert(0, single.pop())
    rest += [want for want in wants if want.passed]
    incidents, past = dict(state.incidents), dict(state.past)
    notices = [_notice(want, _mark(want, incidents, past, now), now) for want in single]
    state = replace(state, recent=(*state.recent, *(now for _ in single)))
    if rest and _summary_due(state, rules, now):
        notices.append(_summary(rest, state.next_number, now))
        for want in rest:
            _mark(want, incidents, past, now)
        state = replace(state, summaries=(*state.summaries, now), next_number=state.next_number + 1)
    else:
        rest = []
    for want in (*single, *rest):
        if want.kind is Kind.RESOLVED:
            over = incidents.pop(want.incident.key)
            if rules.of(over.key).amendable:
                past[over.number] = over
    return replace(state, incidents=incidents, past=past), tuple(notices)


def _room(state: State, now: datetime, rules: Rules) -> int:
    """How many messages may go out singly now: what the hour leaves, and the stretch to a summary."""
    hour = rules.per_hour - rules.summaries_per_hour - len(state.recent)
    if rules.burst is None:
        return hour
    lately = sum(now - moment < rules.between_summaries for moment in state.recent)
    return min(hour, rules.burst - lately)


def _by_urgency(wants: Iterable[Want]) -> list[Want]:
    """Worst first, then in the order of opening; an incident's own messages stay in their order."""
    return sorted(wants, key=lambda want: (-_weight(want), want.incident.number))


def _weight(want: Want) -> int:
    """An amendment is news for whoever reads, not a reason to get up."""
    return (Severity.NOTE if want.kind is Kind.AMENDED else want.incident.content.severity).weight


def _summary_due(state: State, rules: Rules, now: datetime) -> bool:
    return not state.summaries or now - max(state.summaries) >= rules.between_summaries


def _mark(want: Want, incidents: dict[str, Incident], past: dict[int, Incident], now: datetime) -> Incident:
    """Note in `incidents` or `past` that this was told."""
    number = want.incident.number
    incident = past[number] if number in past else incidents[want.incident.key]
    # Whatever is told of it says what has been amended so far.
    incident = replace(
        incident, told=incident.told + 1, told_amended=incident.amended_count, amended_since=None
    )
    if want.kind is not Kind.AMENDED:
        incident = _retold(want, incident, now)
    if number in past:
        past[number] = incident
    else:
        incidents[incident.key] = incident
    return incident


def _retold(want: Want, incident: Incident, now: datetime) -> Incident:
    """Its condition, as it is now, has been told."""
    content = incident.content
    worse = max(incident.told_severity, content.severity, key=lambda severity: severity.weight)
    return replace(
        incident,
        told_at=now,
        told_count=max(incident.told_count, content.count),
        told_severity=worse,
        told_muted=tuple(sorted({*incident.told_muted, *content.muted})),
        hushed="",
        # Told again means that it got worse: whoever has it in hand should look again.
        acked_by="" if want.kind is Kind.STILL else incident.acked_by,
    )


def _notice(want: Want, incident: Incident, now: datetime) -> Notice:
    return Notice(
        id=f"{incident.number}.{incident.told}",
        incident=incident.number,
        sequence=incident.told,
        kind=want.kind,
        content=incident.content,
        made_at=now,
        opened_at=incident.opened_at or now,
        ended_at=incident.resolved_at if want.kind in (Kind.RESOLVED, Kind.AMENDED) else None,
        worst=incident.worst,
        amended=incident.amended,
        took=incident.amended_took,
    )


def _summary(wants: Sequence[Want], number: int, now: datetime) -> Notice:
    lines = [_line(want) for want in wants if not (want.passed and want.kind is Kind.OPENED)]
    if len(lines) > SUMMARY_LINES:
        lines[SUMMARY_LINES:] = [f"… and {len(lines) - SUMMARY_LINES} more"]
    counts = [(kind, sum(want.kind is kind for want in wants)) for kind in Kind]
    content = Condition(
        key="alerts/summary",
        severity=max((want.incident.content.severity for want in wants), key=lambda s: s.weight),
        title=_title(wants),
        facts=tuple((kind.value, str(count)) for kind, count in counts if count),
        diagram="\n".join(lines),
        count=len(wants),
    )
    return Notice(
        id=f"{number}.1",
        incident=number,
        sequence=1,
        kind=Kind.SUMMARY,
        content=content,
        made_at=now,
        opened_at=min((want.incident.opened_at or now for want in wants), default=now),
        covers=tuple((want.incident.number, want.kind) for want in wants),
    )


def _title(wants: Sequence[Want]) -> str:
    passed = [want for want in wants if want.passed and want.kind is Kind.RESOLVED]
    if 2 * len(passed) < len(wants):
        return f"{len(wants)} messages in one: too many for this hour"
    who = "; ".join(sorted({want.incident.hushed for want in passed}))
    things = "1 incident" if len(passed) == 1 else f"{len(passed)} incidents"
    return f"{things} came and went while silenced ({who})"


def _line(want: Want) -> str:
    incident = want.incident
    if not want.passed or incident.opened_at is None or incident.resolved_at is None:
        return f"{want.kind.value:<8}  {incident.content.title}"
    return f"{incident.opened_at:%H:%M} to {incident.resolved_at:%H:%M} UTC  {incident.content.title}"
