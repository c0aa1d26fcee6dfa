"""Objectives by kind: what counts, what is bad, when it burns, and when nobody can tell."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from alerts.condition import Severity
from canary.config.alerts import ObjectiveConfig
from canary.ledger import Ledger
from canary.metrics import Metrics
from canary.objectives import Objective, Objectives
from canary.values import Minute, WindowReport
from reconcile.burn import Count
from reconcile.outcome import Outcome

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOWN_AFTER = timedelta(minutes=5)


def told(kind: str, **more: Any) -> ObjectiveConfig:
    """An objective of 99.9 % unless told otherwise."""
    return ObjectiveConfig(**{"name": "o", "kind": kind, "target": 99.9, **more})


def objective(kind: str, **more: Any) -> Objective:
    """The same, with windows of a minute."""
    return Objective(told(kind, **more), window=MINUTE, down_after=DOWN_AFTER)


def report(minute: int, probe: str = "p", p99: float | None = 1.0, **outcomes: int) -> WindowReport:
    """A window that begins so many minutes after the start; what is not named was on time, of 60."""
    counts = {one: outcomes.get(one.value, 0) for one in Outcome}
    counts[Outcome.ON_TIME] = 60 - sum(counts.values())
    start = T0 + minute * MINUTE
    return WindowReport(
        probe=probe,
        start=start,
        end=start + MINUTE,
        settled_at=start + 2 * MINUTE,
        due=60,
        sent=60,
        outcomes=counts,
        flags={},
        hops={},
        latency={} if p99 is None else {"p99": p99},
    )


def whole(one: Objective) -> Count:
    """All that it counted."""
    standing = one.standing()
    return standing.whole if standing else Count()


@pytest.mark.parametrize(
    ("kind", "count"),
    [("on_time", Count(60 - 5 - 6, 1 + 2 + 3 + 4 + 7)), ("delivered", Count(60 - 5 - 6 - 4, 1 + 2 + 7))],
)
def test_events_are_counted_by_their_outcome(kind: str, count: Count) -> None:
    """What is not known counts neither way; late is delivered; what waits in a queue is not, yet."""
    one = objective(kind)
    mixed = report(0, lost=1, rejected=2, late=3, overdue=4, pending=5, unread=6, undelivered=7)
    one.learn([mixed])
    assert whole(one) == count


def test_an_amended_window_counts_as_it_stands() -> None:
    """What was found after all gives the budget back."""
    one = objective("delivered")
    one.learn([report(0, lost=3)])
    one.learn([report(0)])
    assert whole(one) == Count(60, 0)


def test_latency_counts_windows_by_their_p99() -> None:
    """A window in which nothing arrived says nothing of latency."""
    one = objective("latency", within=timedelta(seconds=2))
    one.learn([report(0, p99=1.9), report(1, p99=2.1), report(2, p99=None)])
    assert whole(one) == Count(2, 1)


@pytest.mark.parametrize(
    ("minute", "down", "stale"),
    [
        (Minute("p", T0, due=60, sent=60), 0, 0),
        (Minute("p", T0, due=60, sent=60, refused=30), 1, 0),
        (Minute("p", T0, due=60, sent=60, not_visible=29), 0, 0),
        (Minute("p", T0, due=60, sent=60, refused=20, not_visible=40), 1, 1),
        (Minute("p", T0, due=60, sent=60, blind=50, not_visible=10), 1, 1),
    ],
)
def test_minutes_are_down_by_their_one_definition(minute: Minute, down: int, stale: int) -> None:
    """Half for downtime, all for freshness; what nobody saw is left out."""
    for kind, bad in (("downtime", down), ("freshness", stale)):
        one = objective(kind)
        one.learn_minutes([minute], T0 + timedelta(hours=1))
        assert whole(one) == Count(1, bad)


def test_a_minute_counts_when_nothing_of_it_can_still_come_in_time() -> None:
    """Before that it would be bad for want of patience; one that was blind throughout never counts."""
    one = objective("downtime")
    fresh = Minute("p", T0, due=60, sent=60, not_visible=60)
    one.learn_minutes([fresh], T0 + MINUTE + DOWN_AFTER)
    assert one.standing() is None
    one.learn_minutes([replace(fresh, not_visible=0, blind=60)], T0 + timedelta(hours=1))
    assert whole(one) == Count()


def test_another_probe_s_windows_do_not_count() -> None:
    """Where the objective names one; else all count together."""
    mine, all_ = objective("on_time", probe="p"), objective("on_time")
    for one in (mine, all_):
        one.learn([report(0), report(0, probe="q", lost=60)])
    assert (whole(mine), whole(all_)) == (Count(60, 0), Count(120, 60))


def burning(*, minutes: int, lost: int, then: int = 0) -> Objective:
    """A day of peace, then so many minutes with losses, then so many without."""
    one = objective("on_time")
    day = 24 * 60
    one.learn([report(n) for n in range(day)])
    one.learn([report(day + n, lost=lost) for n in range(minutes)])
    one.learn([report(day + minutes + n) for n in range(then)])
    return one


def test_a_loss_that_goes_on_is_a_page_with_its_figures() -> None:
    """How fast, how much is left, what would use it up."""
    condition = burning(minutes=60, lost=6).condition()
    assert condition is not None
    assert (condition.key, condition.severity) == ("burn:o", Severity.PAGE)
    assert condition.title == "Objective o: its error budget is used up 100.0 times too fast"
    facts = dict(condition.facts)
    assert facts["last 1h"] == "360 of 3600 events bad, 100.0 times"
    assert facts["last 5m"] == "30 of 300 events bad, 100.0 times"
    assert facts["budget left"] == "2232 of 2592 events (86%): a total outage of 37 min"
    assert facts["used up"] == "in about 6.2 h at this pace"


def test_what_is_over_already_wakes_nobody() -> None:
    """Ten minutes without anything bad after it: it is a ticket, then nothing."""
    during, after = burning(minutes=20, lost=60).condition(), burning(minutes=20, lost=60, then=3).condition()
    assert during is not None
    assert after is not None
    assert (during.severity, after.severity) == (Severity.PAGE, Severity.TICKET)
    assert burning(minutes=20, lost=1, then=40).condition() is None


def test_few_events_are_said_to_be_few() -> None:
    """At one a minute a single loss is a large part of the budget, and the message says how large."""
    one = objective("on_time")
    few = [
        replace(report(n), sent=1, outcomes={**report(n).outcomes, Outcome.ON_TIME: 1}) for n in range(600)
    ]
    bad = {**few[-1].outcomes, Outcome.ON_TIME: 0, Outcome.LOST: 1}
    one.learn([*few[:-1], replace(few[-1], outcomes=bad)])
    condition = one.condition()
    assert condition is not None
    assert condition.count == 1  # thin evidence: the rule of burn: makes a ticket of it
    assert dict(condition.facts)["mind"] == "few are counted: each bad one is 2% of the budget"


def test_nobody_can_judge_what_is_not_counted() -> None:
    """Nothing at all, nothing lately, or only what could not be read."""
    one = objective("on_time")
    assert not one.judged(T0)
    one.learn([report(0)])
    assert one.judged(T0 + 5 * MINUTE)
    assert not one.judged(T0 + timedelta(hours=1))
    one.learn([report(n, unread=60) for n in range(1, 8)])
    assert not one.judged(T0 + 9 * MINUTE)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


def made(ledger: Ledger, registry: CollectorRegistry) -> Objectives:
    """One objective by windows and one by minutes."""
    asked = [told("on_time"), told("downtime", name="d", target=99.0)]
    metrics = Metrics(registry, objectives=["o", "d"])
    return Objectives(asked, window=MINUTE, down_after=DOWN_AFTER, ledger=ledger, metrics=metrics)


def test_a_restart_takes_up_what_the_ledger_holds(ledger: Ledger) -> None:
    """Standing, metrics and conditions are those of before."""
    reports = [report(n, lost=6 if n > 60 else 0) for n in range(120)]
    minutes = [
        Minute("p", T0 + n * MINUTE, due=60, sent=60, not_visible=60 if n > 60 else 0) for n in range(110)
    ]
    ledger.record_windows(reports)
    ledger.add_minutes(minutes)
    now = T0 + 120 * MINUTE
    first, second = CollectorRegistry(), CollectorRegistry()
    before = made(ledger, first)
    before.learn(reports, before.refresh(now), now)
    after = made(ledger, second)
    after.restore(now)
    after.learn([], (), now)
    assert before.conditions() == after.conditions()
    assert [one.key for one in after.conditions()] == ["burn:o", "burn:d"]
    labels = {"objective": "o", "window": "1h"}
    for registry in (first, second):
        assert registry.get_sample_value("ingestion_canary_objective_burn_rate", labels) == pytest.approx(
            59 * 6 / 3600 / 0.001
        )
        assert registry.get_sample_value("ingestion_canary_objective_bad", {"objective": "d"}) == 49
    assert after.unjudged(now) == []
