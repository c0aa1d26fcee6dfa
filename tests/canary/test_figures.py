"""Every message with numbers says how many of how many, since when, and how slow the slowest was."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from canary.book import Book
from canary.readings import StageSpec
from canary.rules import by_window, down
from canary.scene import Scene, figures
from canary.values import WindowReport
from reconcile.outcome import Outcome

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FOUR = {"sent in the last window", "since", "worst latency"}


def report(latency: Mapping[str, float], **outcomes: int) -> WindowReport:
    """A window of sixty, of which these came out so."""
    counts = {outcome: outcomes.get(outcome.value, 0) for outcome in Outcome}
    counts[Outcome.ON_TIME] = 60 - sum(counts.values())
    return WindowReport(
        "main", T0, T0 + MINUTE, T0 + 3 * MINUTE, 62, 60, counts, {}, {}, latency=latency, amendments=0
    )


def scene(latency: Mapping[str, float], **outcomes: int) -> Scene:
    """Of one probe and that window."""
    book = Book([StageSpec("events", topic=False, place="events")], epoch_started_at=T0, grace=MINUTE)
    minutes = {"main": [T0, T0 + MINUTE]}
    return Scene(T0 + 3 * MINUTE, book, latest={"main": report(latency, **outcomes)}, down=minutes)


@pytest.mark.parametrize("outcome", ["late", "rejected", "undelivered"])
def test_what_a_window_says_comes_with_its_figures(outcome: str) -> None:
    """Also after a restart, when only the report of the window is known."""
    found = {one.key: dict(one.facts) for one in by_window(scene({"max": 41.26}, **{outcome: 7}))}
    facts = found[f"{outcome}:main"]
    assert set(facts) >= FOUR
    assert (facts["sent in the last window"], facts[outcome], facts["worst latency"]) == ("60", "7", "41.3 s")
    assert facts["since"] == "2026-01-01 00:00:00Z"
    assert set(found["not_sending:main"]) >= FOUR
    assert found["not_sending:main"]["not sent"] == "2"


def test_downtime_comes_with_them_too() -> None:
    """Since its first minute, not since the last window."""
    (one,) = down(scene({"max": 3.0}))
    names = [name for name, _ in one.facts]
    assert set(names) >= FOUR
    assert len(names) == len(set(names))
    assert dict(one.facts)["minutes down"] == "2"


def test_what_is_not_known_is_left_out() -> None:
    """No window, no figures; nothing arrived, no latency."""
    assert dict(figures(scene({}), "lost", 3, probe="main")) == {
        "sent in the last window": "60",
        "lost": "3",
        "since": "2026-01-01 00:00:00Z",
    }
    assert dict(figures(scene({}), "lost", 3, probe="other")) == {"lost": "3"}
