"""What counters, samples and delays become: rows of the ledger, conditions for a person, never a guess."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.condition import Severity
from canary.audit.beside import Beside, Keeper
from canary.ledger import Ledger
from canary.rules_traffic import beside, unseen
from canary.traffic import TrafficWindow
from tests.canary.audit.test_kept import counted, delayed, sampled
from tests.canary.audit.world import START

MINUTE = timedelta(minutes=1)
PLACES = {"ingress": "ingress->raw", "between": "raw->processed", "delay": "events"}


def standing(*windows: TrafficWindow) -> Beside:
    return Beside(windows[0].kind, windows[0].place, windows)


def only(*windows: TrafficWindow) -> Any:
    [found] = beside([standing(*windows)])
    return found


def test_counters_that_miss_events_are_a_ticket_and_no_loss() -> None:
    """Missing, not lost: they tell how many, not which."""
    found = only(counted(0, 100, 70, quota=10), counted(1, 100, 90, quota=10))

    assert (found.key, found.severity, found.count) == ("audit_missing:ingress->raw", Severity.TICKET, 20)
    assert found.considered == 200
    facts = dict(found.facts)
    assert (facts["left"], facts["dropped by the ingress itself"]) == ("20 ± 4", "20 quota")
    assert "lost" not in found.title


@pytest.mark.parametrize(
    "windows",
    [
        (counted(0, 100, 90, quota=10),),
        (counted(0, 100, 99),),
        (counted(0, 100, 70), counted(1, 100, 130)),
        (counted(0, 0, 5000),),
    ],
)
def test_what_adds_up_or_comes_a_window_later_is_nothing_to_tell(windows: tuple[TrafficWindow, ...]) -> None:
    """Drops with a cause, the error of the readings, a late append, and other producers."""
    assert list(beside([standing(*windows)])) == []


def test_somebody_else_s_events_do_not_pay_for_what_is_missing_after_them() -> None:
    """A backfill into the topic, and then a loss."""
    assert only(counted(0, 100, 5000), counted(1, 100, 60)).count == 40


def test_a_sampled_event_that_is_gone_pages() -> None:
    """It is proven; how much it stands for is told with its bound."""
    found = only(sampled(0, arrived=98, lost=2), sampled(1, arrived=100))

    assert (found.key, found.severity, found.count) == ("audit_lost:raw->processed", Severity.PAGE, 2)
    assert (found.considered, found.ids, found.diagram) == (200, ("a",), "raw --X--> processed")
    assert dict(found.facts)["share lost"].startswith("1.00%, and at most 3.1")


def test_a_sample_that_waits_or_was_not_read_is_no_loss() -> None:
    """And neither is a dead letter."""
    assert list(beside([standing(sampled(0, arrived=5, waiting=50, unread=7, dead_lettered=3))])) == []


def test_late_real_traffic_is_told_beside_the_canaries() -> None:
    """By its newest window: that another one was slow is over."""
    found = only(delayed(0, 10, 9, 99.0), delayed(1, 100, 7, 33.0))

    assert (found.key, found.severity) == ("audit_late:events", Severity.TICKET)
    assert (found.count, found.considered, found.measure) == (7, 100, 0.07)
    assert dict(found.facts)["delay"] == "p50 1.0 s, max 33.0 s"
    assert list(beside([standing(delayed(0, 10, 9, 99.0), delayed(1, 100, 0, 3.0))])) == []


@pytest.mark.parametrize("kind", PLACES)
def test_what_cannot_be_compared_is_a_ticket_and_ends_nothing(kind: str) -> None:
    """A loss that was told stays open while nobody can look, and before anybody has."""
    place = PLACES[kind]
    blind = Beside(kind, place, trouble="connection refused", since=START)
    [ticket] = beside([blind])

    assert (ticket.key, ticket.severity) == (f"audit_blind:{kind}:{place}", Severity.TICKET)
    family = {"ingress": "missing", "between": "lost", "delay": "late"}[kind]
    assert list(unseen([blind])) == list(unseen([Beside(kind, place)])) == [f"audit_{family}:{place}"]


def test_fresh_windows_judge() -> None:
    """With them, silence means that all is well."""
    assert list(unseen([standing(sampled(0, arrived=5))])) == []


def test_windows_are_kept_in_the_ledger_as_they_were(ledger: Ledger) -> None:
    """Each kind with its report; told again, it replaces what stood."""
    keeper = Keeper(ledger, fresh_for=5 * MINUTE, now=lambda: START)
    windows = [counted(0, 100, 90, quota=10), sampled(1, arrived=3), delayed(2, 4, 0, 1.0)]
    for window in [*windows, windows[0]]:
        keeper.of(window.kind, window.place).found(window, "a line")

    assert ledger.traffic(START, START + timedelta(hours=1)) == windows
    assert ledger.traffic(START + MINUTE, START + 2 * MINUTE) == windows[1:2]
    assert [ledger.prune(START + timedelta(days=days)) for days in (400, 401)] == [0, 3]


def test_a_window_is_news_for_a_while_only(ledger: Ledger) -> None:
    """What was seen long ago says nothing of now; the trouble that came since then is kept with its time."""
    now = [START + 2 * MINUTE]
    keeper = Keeper(ledger, fresh_for=5 * MINUTE, now=lambda: now[0])
    hears = keeper.of("between", "raw->processed")
    hears.found(sampled(0, arrived=3), "3 arrived")
    [fresh] = keeper.standing()
    assert (len(fresh.windows), fresh.line) == (1, "3 arrived")
    for minute in (3, 9):
        now[0] = START + minute * MINUTE
        hears.blind("away")
    [stale] = keeper.standing()

    assert (stale.windows, stale.trouble, stale.since) == ((), "away", START + 3 * MINUTE)
    hears.blind("")
    assert keeper.standing()[0].since is None


def test_what_the_ledger_does_not_take_is_written_later(tmp_path: Path) -> None:
    """A full disk or another's lock costs no window, and stops no comparison."""
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    keeper = Keeper(ledger, fresh_for=5 * MINUTE, now=lambda: START)
    hears = keeper.of("ingress", "ingress->raw")
    with ledger.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE traffic_window RENAME TO away")
    hears.found(counted(0, 1, 1), "first")
    assert len(keeper.standing()[0].windows) == 1
    with ledger.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO traffic_window")
    hears.found(counted(1, 1, 1), "second")

    assert [one.start for one in ledger.traffic(START, START + timedelta(hours=1))] == [START, START + MINUTE]
    ledger.close()
