"""One look at what is true: what counts under its rule, what explains what, what is to be kept quiet."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from alerts.causes import explained, muting
from alerts.condition import Condition
from alerts.evidence import CROWD, crowded, shaped
from alerts.rules import Rule, Rules
from alerts.silence import Orders, Quiet
from alerts.state import Incident, State


@dataclass(frozen=True, slots=True)
class Look:
    """What is true at this look: given at all, counting under its rule, and muted by what."""

    given: Container[str]
    present: Mapping[str, Condition]
    muted: Mapping[str, str]
    pressing: frozenset[str]
    """Causes of something that has held long enough by its own rule: they do not wait themselves."""
    hushed: Mapping[str, str]
    """Keys that somebody silenced, and the words for it."""

    def opens(self, key: str, old: Incident | None, rule: Rule, now: datetime) -> bool:
        """Whether it opens now, where it has not."""
        if key in self.muted:
            return False
        if old is not None and old.muted:  # its cause ended with this look
            return not rule.after_cause
        if old is not None and old.unmuted_at and now - old.unmuted_at < rule.after_cause:
            return False
        held = now - (old.true_since if old else now) >= rule.for_
        return held or key in self.pressing


def look_at(
    state: State, given: Mapping[str, Condition], *, now: datetime, rules: Rules, orders: Orders
) -> Look:
    """What the conditions mean under the rules, with what is open and what people asked for."""
    open_ = {key: incident for key, incident in state.incidents.items() if incident.open}
    quiet = orders.at(now, rules.maintenance)
    present = _present(state, given, rules=rules, quiet=quiet, open_=open_)
    live = {key: incident.content for key, incident in open_.items()} | present
    late = {incident.key for incident in state.past.values() if incident.amended_since}
    asked = {*live, *state.incidents, *late}
    silenced = {key: silence for key in asked if (silence := quiet.silence(key))}

    def able(cause: str, effect: str) -> bool:
        """What is not told itself, or is only not yet called over, never mutes what is worse."""
        told = cause in present and cause not in silenced
        return told or live[effect].severity.weight <= live[cause].severity.weight

    muted = muting(live, able=able)
    effects: dict[str, list[str]] = {}
    for effect, cause in muted.items():
        if effect in present:
            effects.setdefault(cause, []).append(effect)
    pressing = set()
    for cause, keys in effects.items():
        if cause in present:
            present[cause] = explained(present[cause], [live[key] for key in keys])
        if any(now - _since(state, key, now) >= rules.of(key).for_ for key in keys):
            pressing.add(cause)
    hushed = {key: silence.words for key, silence in silenced.items()}
    return Look(given, present, muted, frozenset(pressing), hushed)


def _present(
    state: State,
    given: Mapping[str, Condition],
    *,
    rules: Rules,
    quiet: Quiet,
    open_: Container[str],
) -> dict[str, Condition]:
    """What counts, each by itself or in a crowd. What is silenced is no part of one: it stays silenced."""
    present: dict[str, Condition] = {}
    for key, condition in given.items():
        counts = shaped(condition, rules.of(key), open_=key in open_)
        if counts is not None:
            present[key] = counts
    known = {key for key, incident in state.incidents.items() if incident.number or key.endswith(CROWD)}
    return crowded(present, known=known, most=rules.crowd, apart=quiet)


def _since(state: State, key: str, now: datetime) -> datetime:
    known = state.incidents.get(key)
    return known.true_since if known else now
