"""The paging rules of a configuration: defaults by family, overlaid by what was set, wherever it stands."""

import tomllib
from datetime import timedelta
from pathlib import Path

from alerts.condition import Severity
from alerts.rules import Rule, Rules
from canary.config import Loaded, load
from canary.config.render import to_toml
from canary.paging_rules import rules_of
from tests.canary.config.samples import GOOD

MINUTE = timedelta(minutes=1)


def loaded(folder: Path, text: str = "", **env: str) -> Loaded:
    """The sound configuration and something more."""
    file = folder / "canary.toml"
    file.write_text(GOOD + text)
    return load(file, env=env)


def rules(folder: Path, text: str = "", **env: str) -> Rules:
    """The rules that follow from it."""
    return rules_of(loaded(folder, text, **env).config)


def test_by_default_one_is_a_ticket_and_slow_ones_have_two_levels(tmp_path: Path) -> None:
    """And what nobody says anything about repeats every four hours."""
    found = rules(tmp_path)
    assert [found.of(key).min_bad for key in ("lost:a->b", "rejected:p", "behind:a->b", "corrupt:b")] == [
        2,
        2,
        2,
        0,
    ]
    late = found.of("late:p")
    assert (late.open_at, late.close_at) == (0.05, 0.02)
    late = found.of("audit_late:events")
    assert (late.open_at, late.close_at) == (0.05, 0.02)
    assert found.of("audit_missing:ingress->raw").for_ == found.of("audit_blind:events").for_ == 2 * MINUTE
    assert found.of("anything").repeat == timedelta(hours=4)
    assert (found.per_hour, found.burst) == (60, 6)


def test_what_is_set_overlays_what_is_not(tmp_path: Path) -> None:
    """For every key that the match begins, families with defaults of their own too; longer matches win."""
    text = """
[[alerts.rules]]
match = "lost:raw->events"
severity = "note"
[[alerts.rules]]
match = ""
for = "3m"
repeat = "0"
[[alerts.rules]]
match = "lost:"
for = "1m"
thin = "nothing"
"""
    found = rules(tmp_path, text)
    one, family, other = found.of("lost:raw->events"), found.of("lost:a->b"), found.of("blind:raw")
    assert (family.for_, family.repeat, family.thin, family.min_bad) == (MINUTE, None, None, 2)
    assert (one.for_, one.severity, one.thin) == (MINUTE, Severity.NOTE, None)
    assert (other.for_, other.repeat, other.thin) == (3 * MINUTE, None, Severity.TICKET)
    assert isinstance(found.of("whatever"), Rule)
    assert found.of("whatever").for_ == 3 * MINUTE


def test_hours_of_maintenance_are_carried(tmp_path: Path) -> None:
    """With their zone, days, author and reason."""
    text = """
[[alerts.maintenance]]
match = "late:"
at = "02:30"
days = ["sat", "sun"]
zone = "Europe/Berlin"
length = "90m"
author = "ops"
reason = "backups"
[[alerts.maintenance]]
start = 2026-12-24T20:00:00+01:00
length = "1h"
"""
    weekly, once = rules(tmp_path, text).maintenance
    assert (weekly.prefix, weekly.days, weekly.length) == ("late:", frozenset({5, 6}), 90 * MINUTE)
    assert (weekly.at.hour, str(weekly.zone), weekly.reason) == (2, "Europe/Berlin", "backups")
    assert once.once is not None
    assert once.once.isoformat() == "2026-12-24T19:00:00+00:00"


def test_lists_below_a_table_come_from_the_environment_too(tmp_path: Path) -> None:
    """A new item, and a key of one that is there."""
    text = '[[alerts.rules]]\nmatch = "lost:"\nfor = "1m"\n'
    changed = rules(tmp_path, text, CANARY_ALERTS__RULES__0__FOR="2m")
    assert changed.of("lost:x").for_ == 2 * MINUTE
    new = rules(tmp_path, "", CANARY_ALERTS__RULES__0__MATCH="lost:", CANARY_ALERTS__RULES__0__FOR="5m")
    assert new.of("lost:x").for_ == 5 * MINUTE


def test_they_are_shown_with_where_they_came_from(tmp_path: Path) -> None:
    """As TOML that reads back as the same, each value with its line."""
    objective = '[[objectives]]\nname = "o"\nkind = "downtime"\ntarget = 99.9\n'
    text = f'[[alerts.rules]]\nmatch = "lost:"\nfor = "1m"\n{objective}'
    known = loaded(tmp_path, text)
    shown = to_toml(known)
    back = tomllib.loads(shown)
    assert back["alerts"]["rules"][0]["match"] == "lost:"
    assert back["objectives"][0]["target"] == 99.9
    line = GOOD.count("\n") + 3
    assert f'for = "60s"  # {known.source}:{line}' in shown


def test_a_budget_of_a_few_events_is_a_warning(tmp_path: Path) -> None:
    """It works, but a single one decides."""
    text = '[[objectives]]\nname = "o"\nkind = "latency"\nwithin = "5s"\ntarget = 99.99\nover = "7d"\n'
    warnings = [warning for warning in loaded(tmp_path, text).warnings if warning.startswith("objectives")]
    assert warnings == [
        "objectives.o.target: allows 1.0 bad windows of 10,080 in 7d: a single one decides, so rather send "
        "more, promise less, or look further back"
    ]
