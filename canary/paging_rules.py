"""When a person is told of what: the defaults for each family of conditions, and what was configured."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from alerts.condition import Severity
from alerts.rules import Rule, Rules
from alerts.silence import Maintenance
from canary.config.alerts import DAYS, MaintenanceConfig, RuleConfig
from canary.config.models import Config

LEDGER_KEY = "ledger"
STILL_DOWN = timedelta(minutes=3)
"""How long after the last minute that can be judged ingestion still counts as down."""


def rules_of(config: Config) -> Rules:
    """The rules that are in force."""
    repeat = config.slack.repeat if config.slack else timedelta(hours=4)
    window = config.canary.window
    default = Rule(repeat=repeat, resolve_delay=2 * window, after_cause=3 * window, amend_delay=window)
    rules = Rules(
        default=default,
        by_prefix=dict(_families(default, config)),
        per_hour=config.alerts.per_hour,
        burst=config.alerts.burst,
        crowd=config.alerts.crowd,
        maintenance=tuple(map(_maintenance, config.alerts.maintenance)),
    )
    told = sorted(config.alerts.rules, key=lambda one: len(one.match))
    for one in told:  # the shortest first, so that a longer match starts from what a shorter one set
        rules = _with(rules, one)
    return rules


def _families(default: Rule, config: Config) -> Iterator[tuple[str, Rule]]:
    lags = config.canary.down_after + STILL_DOWN
    yield "blind:", replace(default, for_=min(config.canary.window, timedelta(seconds=60)))
    yield LEDGER_KEY, replace(default, repeat=timedelta(hours=1))
    # A single one that was promised and is gone has a reason that can wait for the morning; two are a trend.
    # What is called gone is looked for until the horizon; who was told of it hears what becomes of it.
    gone = replace(default, amendable=config.canary.horizon + default.resolve_delay)
    yield from (("lost:", replace(gone, min_bad=2)), ("rejected:", replace(gone, min_bad=2)))
    yield "undelivered:", gone
    yield "behind:", replace(default, min_bad=2)
    # A slow insert now and then is no ticket; and once it is one, it is not over at every better window.
    yield "late:", replace(default, open_at=0.05, close_at=0.02)
    yield "audit_late:", replace(default, open_at=0.05, close_at=0.02)
    # What one window lacks the next may have; and who cannot count for a moment owes nobody a ticket.
    for family in ("audit_missing:", "audit_blind:"):
        yield family, replace(default, for_=2 * config.canary.window)
    # The last minutes stay down for as long as their canaries had to wait, whatever came after.
    yield "down:", replace(default, after_cause=lags + timedelta(minutes=2))
    # At low rates one bad event is a burn rate of any height.
    yield "burn:", replace(default, min_bad=3, after_cause=lags)


def _with(rules: Rules, told: RuleConfig) -> Rules:
    """A match rules the keys that begin with it, those of families that have defaults of their own too."""
    wider = {prefix: rule for prefix, rule in rules.by_prefix.items() if prefix.startswith(told.match)}
    changed = {prefix: _overlaid(rule, told) for prefix, rule in wider.items()}
    own = {told.match: _overlaid(rules.of(told.match), told)}
    return replace(rules, by_prefix={**rules.by_prefix, **own, **changed})


def _overlaid(rule: Rule, told: RuleConfig) -> Rule:
    given = told.model_dump(exclude_none=True, exclude={"match", "for", "repeat", "severity", "thin"})
    rule = replace(rule, **given)
    if told.hold is not None:
        rule = replace(rule, for_=told.hold)
    if told.repeat is not None:
        rule = replace(rule, repeat=told.repeat or None)
    if told.severity is not None:
        rule = replace(rule, severity=Severity(told.severity))
    if told.thin is not None:
        rule = replace(rule, thin=None if told.thin == "nothing" else Severity(told.thin))
    return rule


def _maintenance(told: MaintenanceConfig) -> Maintenance:
    return Maintenance(
        prefix=told.match,
        length=told.length,
        author=told.author,
        reason=told.reason,
        at=time.fromisoformat(told.at),
        days=frozenset(DAYS.index(day) for day in told.days),
        zone=ZoneInfo(told.zone),
        once=datetime.fromisoformat(told.start) if told.start is not None else None,
    )
