"""The pure place where conditions become notices: what opens, what is told again, what is over."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from alerts.amending import due, remembered
from alerts.condition import Condition, Kind, Notice
from alerts.evidence import by_key
from alerts.look import Look, look_at
from alerts.rules import Rule, Rules
from alerts.silence import Orders
from alerts.state import Incident, State
from alerts.telling import HOUR, Want, may_tell, tell

NOTHING = Orders()
"""Nobody asked for anything."""


def decide(
    state: State,
    conditions: Iterable[Condition],
    *,
    now: datetime,
    rules: Rules,
    unknown: Container[str] = (),
    orders: Orders = NOTHING,
) -> tuple[State, tuple[Notice, ...]]:
    """The state after this look, and the messages it calls for.

    A key in `unknown` whose condition is not given is neither there nor gone: it keeps what it had.
    """
    state = _not_from_the_future(state, now)
    state = replace(state, past=remembered(state.past, rules, now))
    look = look_at(state, by_key(conditions), now=now, rules=rules, orders=orders)
    incidents: dict[str, Incident] = {}
    wants: list[Want] = []
    number = state.next_number
    speaks = may_tell(state, now, rules)
    for key in sorted({*state.incidents, *look.present}):
        rule = rules.of(key)
        old = state.incidents.get(key)
        seen = look.present.get(key)
        if seen:
            opens = look.opens(key, old, rule, now)
            new: Incident | None = _seen(old, seen, now, opens=opens, muted=key in look.muted)
        else:
            new = _unseen(old, rule, now, blind=_untold(key, old, unknown) and key not in look.given)
        if new is None:
            continue
        if new.opened_at is not None and not new.number:
            new, number = replace(new, number=number), number + 1
        new = _hushed(_acknowledged(new, orders), look)
        incidents[key] = new
        if speaks:
            wants += _wanted(new, rule, look, now)
    if speaks:
        wants += _late_news(state, rules, look, now)
    return tell(replace(state, incidents=incidents, next_number=number), wants, now=now, rules=rules)


def _untold(key: str, old: Incident | None, unknown: Container[str]) -> bool:
    """Whether nobody can tell if it is still true, or one of those that it speaks for."""
    return key in unknown or (old is not None and any(member in unknown for member in old.content.members))


def _acknowledged(incident: Incident, orders: Orders) -> Incident:
    ack = orders.ack(incident.number) if orders.acks and incident.number else None
    if ack is None or ack.number <= incident.ack:
        return incident
    return replace(incident, ack=ack.number, acked_by=ack.author)


def _hushed(incident: Incident, look: Look) -> Incident:
    """The incident, with the silence that it opened in."""
    words = look.hushed.get(incident.key)
    if words is None:
        return incident
    opened_in_it = incident.opened_at is not None and not incident.told
    hushed = words if opened_in_it else ""
    return incident if incident.hushed == hushed else replace(incident, hushed=hushed)


def _wanted(incident: Incident, rule: Rule, look: Look, now: datetime) -> list[Want]:
    """What is to be told of it now."""
    if incident.key in look.hushed:
        return []
    kinds = _owed(incident, rule, now, muted=incident.key in look.muted)
    passed = bool(incident.hushed) and not incident.told and incident.resolved_at is not None
    return [Want(incident, kind, passed) for kind in kinds]


def _late_news(state: State, rules: Rules, look: Look, now: datetime) -> Iterator[Want]:
    """What turned out otherwise after the end had been told."""
    for incident in state.past.values():
        if incident.key not in look.hushed and due(incident, rules.of(incident.key), now):
            yield Want(incident, Kind.AMENDED)


def _seen(old: Incident | None, condition: Condition, now: datetime, *, opens: bool, muted: bool) -> Incident:
    if old is not None and _as_it_was(old, condition, opens=opens, muted=muted):
        return old  # in a storm nearly all of them are
    incident = old or Incident(condition, true_since=now)
    opened_at = incident.opened_at
    if opened_at is None and opens:
        opened_at = now
    return replace(
        incident,
        content=condition,
        opened_at=opened_at,
        absent_since=None,
        # It came back before its end was told, so for the reader it never ended.
        resolved_at=None,
        worst=max(incident.worst, condition.count),
        blind=False,
        muted=muted,
        unmuted_at=now if incident.muted and not muted else incident.unmuted_at,
    )


def _as_it_was(old: Incident, condition: Condition, *, opens: bool, muted: bool) -> bool:
    if old.absent_since or old.resolved_at or old.blind or old.muted is not muted:
        return False
    same = old.content is condition or old.content == condition
    return same and (old.opened_at is not None or not opens)


def _unseen(old: Incident | None, rule: Rule, now: datetime, *, blind: bool) -> Incident | None:
    if old is None or old.resolved_at is not None:
        return old
    if blind:
        # Absence has to be known without a break: what happened while we were blind might be the fault again.
        return replace(old, absent_since=None, blind=True)
    if old.opened_at is None:
        return None
    if old.absent_since and not old.blind and now - old.absent_since < rule.resolve_delay:
        return old
    absent_since = old.absent_since or now
    resolved_at = now if now - absent_since >= rule.resolve_delay else None
    return replace(old, absent_since=absent_since, resolved_at=resolved_at, blind=False)


def _owed(incident: Incident, rule: Rule, now: datetime, *, muted: bool) -> tuple[Kind, ...]:
    if incident.opened_at is None:
        return ()
    if incident.told == 0:
        return (Kind.OPENED,) if incident.resolved_at is None else (Kind.OPENED, Kind.RESOLVED)
    if incident.resolved_at is not None:
        return (Kind.RESOLVED,)
    if not muted and _tell_again(incident, rule, now):
        return (Kind.STILL,)
    return (Kind.AMENDED,) if due(incident, rule, now) else ()


def _tell_again(incident: Incident, rule: Rule, now: datetime) -> bool:
    if incident.blind or incident.absent_since is not None or incident.told_at is None:
        return False
    content, age = incident.content, now - incident.told_at
    if content.severity.weight > incident.told_severity.weight:
        return True
    grown = content.count >= rule.growth * max(1, incident.told_count)
    if age >= rule.growth_gap and (grown or set(content.muted) - set(incident.told_muted)):
        return True
    return rule.repeat is not None and age >= rule.repeat and not incident.acked_by


def _not_from_the_future(state: State, now: datetime) -> State:
    """The wall clock may step back; nothing may then wait for it to catch up."""
    if any(moment > now for moment in _moments(state)):
        state = _clamped(state, now)
    return replace(
        state,
        recent=tuple(t for t in state.recent if now - t < HOUR),
        summaries=tuple(t for t in state.summaries if now - t < HOUR),
    )


def _moments(state: State) -> Iterable[datetime]:
    for incident in (*state.incidents.values(), *state.past.values()):
        yield incident.true_since
        times = (incident.told_at, incident.absent_since, incident.unmuted_at, incident.amended_at)
        yield from (t for t in times if t)
    yield from (*state.recent, *state.summaries)


def _clamped(state: State, now: datetime) -> State:
    def clamp(moment: datetime | None) -> datetime | None:
        return None if moment is None else min(moment, now)

    def clamped(incident: Incident) -> Incident:
        return replace(
            incident,
            true_since=min(incident.true_since, now),
            opened_at=clamp(incident.opened_at),
            absent_since=clamp(incident.absent_since),
            resolved_at=clamp(incident.resolved_at),
            told_at=clamp(incident.told_at),
            unmuted_at=clamp(incident.unmuted_at),
            amended_at=clamp(incident.amended_at),
            amended_since=clamp(incident.amended_since),
        )

    return replace(
        state,
        incidents={key: clamped(incident) for key, incident in state.incidents.items()},
        past={number: clamped(incident) for number, incident in state.past.items()},
        recent=tuple(min(t, now) for t in state.recent),
        summaries=tuple(min(t, now) for t in state.summaries),
    )
