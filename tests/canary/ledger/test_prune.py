"""What is past its time goes, in bites; what somebody may still ask for stays."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from canary.ledger import Ledger
from canary.ledger.tables import sighting
from canary.values import Coverage, Judged, Minute, Owed, Position, Seen, WindowReport
from reconcile.outcome import Flag, Outcome

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def settled(one: Owed) -> WindowReport:
    return WindowReport(
        probe=one.probe,
        start=one.window,
        end=one.window,
        settled_at=one.deadline,
        due=1,
        sent=1,
        outcomes={},
        flags={},
        hops={},
        latency={},
    )


def on_time(one: Owed) -> Judged:
    return Judged(one.id, Outcome.ON_TIME, True, one.sent_at)


def test_clean_goes_after_a_day_and_unclean_after_thirty(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """Only an on_time without any remark is clean; everything else stays for those who will ask."""
    noon = owed().sent_at
    clean, flagged, late, lost, amended, open_ = made = [owed() for _ in range(6)]
    ledger.record_sent(made)
    ledger.record_look("raw", seen=[Seen(one.id, "raw", "topic", noon) for one in made])
    ledger.record_windows([settled(clean)])
    ledger.record_judged(
        [
            on_time(clean),
            Judged(flagged.id, Outcome.ON_TIME, True, noon, flags=frozenset({Flag.DUPLICATED})),
            Judged(late.id, Outcome.LATE, True, noon),
            Judged(lost.id, Outcome.LOST, True, noon),
            Judged(amended.id, Outcome.ON_TIME, True, noon, amended_from=Outcome.LOST),
            Judged(open_.id, Outcome.OVERDUE, False, noon),
        ]
    )
    ids = [one.id for one in made]

    assert ledger.prune(noon + DAY) == 0
    assert ledger.prune(noon + DAY + HOUR) == 1
    assert set(ids[1:]) == ledger.known(ids).keys()
    assert ledger.prune(noon + 30 * DAY) == 0
    assert ledger.prune(noon + 30 * DAY + HOUR) == 5
    assert ledger.known(ids) == {}
    with ledger.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(sighting)).scalar() == 0


def test_an_unsettled_window_keeps_its_canaries(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """A daemon that was stopped for days still settles the window that it left, with all of its canaries."""
    one = owed()
    ledger.record_sent([one])
    ledger.record_judged([on_time(one)])
    assert ledger.prune(one.sent_at + 2 * DAY) == 0

    ledger.record_windows([settled(one)])
    assert ledger.prune(one.sent_at + 2 * DAY) == 1


@pytest.mark.parametrize("bite", [1, 3, 1000])
def test_a_bite_is_never_exceeded(bite: int, ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """Repeated until it returns 0, it removes everything, and never more at once than was allowed."""
    made = [owed() for _ in range(7)]
    ledger.record_sent(made)
    ledger.record_windows([settled(made[0])])
    ledger.record_judged([on_time(one) for one in made])

    bites = []
    while removed := ledger.prune(made[0].sent_at + 2 * DAY, bite=bite):
        bites.append(removed)

    assert sum(bites) == 7
    assert max(bites) <= bite


def test_reports_and_minutes_stay_for_400_days(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """A year's reports can be compared with the year's before."""
    one = owed()
    ledger.record_windows([settled(one)])
    ledger.add_minutes([Minute("default", one.window, sent=1)])

    assert ledger.prune(one.window + 400 * DAY) == 0
    assert ledger.prune(one.window + 401 * DAY) == 2
    assert ledger.windows(one.window, one.window + DAY) == []


def test_the_latest_reading_of_each_partition_stays(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """However long it was stopped, the daemon still knows where to go on."""
    noon = owed().sent_at
    for hour in (0, 2, 4):
        at = noon + hour * HOUR
        ledger.record_look(
            "raw",
            coverage=[Coverage("topic", 0, at, at + HOUR, hour)],
            positions=[Position("topic", 0, hour, 0, None, at)],
        )

    assert ledger.prune(noon + 100 * DAY) == 4
    assert {("topic", 0): (4, noon + 5 * HOUR)} == ledger.resume("raw").offsets
    assert [position.committed for position in ledger.positions("raw")] == [4]
