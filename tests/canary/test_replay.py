"""Rules tried out on what was recorded: what would have been paged when, and what cannot be told."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.condition import Kind, Severity
from alerts.rules import Rule, Rules
from canary.cli.main import invoke
from canary.config.alerts import ObjectiveConfig
from canary.ledger import Ledger
from canary.readings import StageSpec
from canary.replay import Past, replay
from canary.values import Minute, WindowReport
from reconcile.outcome import Flag, Outcome
from tests.canary.config.samples import GOOD

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOP = ("raw", "events")
RULES = Rules(default=Rule(resolve_delay=2 * MINUTE))


def report(minute: int, flags: Mapping[Flag, int] | None = None, **outcomes: int) -> WindowReport:
    """The window that begins so many minutes after the start; what is not named was on time, of 60."""
    counts = {one: outcomes.get(one.value, 0) for one in Outcome}
    counts[Outcome.ON_TIME] = 60 - sum(counts.values())
    start, lost = T0 + minute * MINUTE, counts[Outcome.LOST]
    return WindowReport(
        probe="main",
        start=start,
        end=start + MINUTE,
        settled_at=start + 2 * MINUTE,
        due=60,
        sent=60,
        outcomes=counts,
        flags=flags or {},
        hops={HOP: lost} if lost else {},
        latency={"p99": 1.0, "max": 2.0},
    )


def past(*reports: WindowReport, minutes: tuple[Minute, ...] = (), promised: float | None = None) -> Past:
    """What was recorded of a topic and a table."""
    objective = ObjectiveConfig(name="o", kind="on_time", target=promised) if promised else None
    return Past(
        stages=[StageSpec("raw", topic=True), StageSpec("events", topic=False)],
        reports=reports,
        minutes=minutes,
        objectives=[objective] if objective else [],
        window=MINUTE,
        down_after=5 * MINUTE,
    )


def told(recorded: Past, rules: Rules = RULES, since: datetime = T0) -> list[tuple[str, Kind, float]]:
    """Key, kind and minutes after the start of each message."""
    return [(one.key, one.kind, (one.made_at - T0) / MINUTE) for one in replay(recorded, rules, since=since)]


def test_a_day_without_faults_pages_nobody() -> None:
    """However the windows are ordered."""
    assert told(past(*(report(n) for n in reversed(range(1440))))) == []


def test_a_loss_is_told_when_its_window_settled_and_over_after_the_delay() -> None:
    """At the hop that the window names."""
    recorded = past(*(report(n, lost=3 if n == 10 else 0) for n in range(30)))
    assert told(recorded) == [("lost:raw->events", Kind.OPENED, 12), ("lost:raw->events", Kind.RESOLVED, 15)]


def test_other_rules_tell_otherwise() -> None:
    """A threshold can be tuned on history."""
    recorded = past(*(report(n, late=n % 5) for n in range(30)))
    families = {"late:": Rule(resolve_delay=2 * MINUTE, open_at=0.1)}
    assert [key for key, _, _ in told(recorded)] == ["late:main"]
    assert told(recorded, replace(RULES, by_prefix=families)) == []


def test_what_follows_is_muted_as_it_would_have_been() -> None:
    """Ingestion is down because everything is refused: one page, which names the other."""
    reports = [report(n, rejected=60 if 10 <= n < 40 else 0) for n in range(80)]
    minutes = tuple(
        Minute("main", T0 + n * MINUTE, due=60, sent=60, refused=60 if 10 <= n < 40 else 0) for n in range(80)
    )
    messages = list(replay(past(*reports, minutes=minutes), RULES, since=T0))
    opened = [one for one in messages if one.kind is Kind.OPENED]
    assert opened[0].key == "rejected:main"
    assert any(one.content.muted == ("down:main",) for one in messages)


def test_flags_are_told_without_their_stage() -> None:
    """A window does not keep it, and nobody makes one up."""
    (opened, _) = replay(past(report(0, {Flag.CORRUPT: 2}), *map(report, range(1, 9))), RULES, since=T0)
    assert (opened.key, opened.content.severity, opened.content.title) == (
        "corrupt:?",
        Severity.PAGE,
        "2 corrupt",
    )


def test_what_was_before_fills_the_objectives_and_pages_nobody() -> None:
    """A budget that is used up already is seen at once, though nothing else was wrong since."""
    leak = [report(n, late=1) for n in range(6 * 24 * 60)]
    since = leak[-1].start - timedelta(hours=1)
    recorded = past(*leak, promised=99.9)
    found = [
        (key, kind) for key, kind, _ in told(recorded, Rules(by_prefix={"late:": Rule(open_at=0.5)}), since)
    ]
    assert found == [("burn:o", Kind.OPENED)]


def test_the_command_prints_when_what_and_what_it_leaves_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a ledger that a monitor may be holding."""
    config = tmp_path / "canary.toml"
    config.write_text(GOOD)
    with Ledger.open(f"sqlite:///{tmp_path}/canary.db") as ledger:
        ledger.record_windows([report(n, lost=3 if n == 10 else 0) for n in range(30)])
        words = ["alerts", "replay", "--from", "2026-01-01", "--to", "2026-01-02T00:00Z"]
        assert invoke([*words, "--config", str(config)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "2026-01-01T00:12:00Z  opened    page    3 lost between raw and events"
        assert lines[1].startswith("2026-01-01T00:15:00Z  resolved  page")
        assert lines[2].startswith(
            "30 windows from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z: 1 page would"
        )
        assert any("blind: nothing keeps when" in line for line in lines)
        assert invoke([*words, "--json", "--config", str(config)]) == 0
        known = json.loads(capsys.readouterr().out)
        assert [one["kind"] for one in known["messages"]] == ["opened", "resolved"]


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [("yesterday", "0s", "--from: must be a time such as"), ("1h", "2h", "--from: must be before --to")],
)
def test_a_time_that_makes_no_sense_is_refused(
    since: str, until: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read."""
    assert invoke(["alerts", "replay", "--from", since, "--to", until]) == 64
    assert says in capsys.readouterr().err
