"""What the ledger answers a watch that starts again, or looks for one canary."""

from collections.abc import Callable
from datetime import datetime, timedelta

from canary.ledger import Ledger
from canary.values import Coverage, Judged, Owed, WindowReport
from reconcile.outcome import Outcome

MINUTE = timedelta(minutes=1)


def report(start: datetime, probe: str = "default") -> WindowReport:
    return WindowReport(
        probe=probe,
        start=start,
        end=start + MINUTE,
        settled_at=start + 2 * MINUTE,
        due=1,
        sent=1,
        outcomes={Outcome.ON_TIME: 1},
        flags={},
        hops={},
        latency={},
    )


def final(owed: Owed) -> Judged:
    return Judged(owed.id, Outcome.ON_TIME, True, owed.sent_at)


def test_a_start_brings_back_what_is_open_unsettled_or_young(
    ledger: Ledger, owed: Callable[..., Owed]
) -> None:
    """Final canaries of settled windows stay on disk unless young; all others come back, in order."""
    noon = owed().sent_at
    done, waiting, unsettled, young = (owed(noon + number * MINUTE) for number in range(4))
    ledger.record_sent([young, unsettled, waiting, done])
    ledger.record_judged([final(done), final(unsettled), final(young)])
    ledger.record_judged([Judged(waiting.id, Outcome.OVERDUE, False, noon)])
    ledger.record_windows([report(one.window) for one in (done, waiting, young)])

    assert [waiting, unsettled, young] == [track.owed for track in ledger.open_tracks(young.sent_at)]
    assert [waiting, unsettled] == [track.owed for track in ledger.open_tracks(noon + 10 * MINUTE)]
    assert [("default", unsettled.window)] == ledger.unsettled_windows()


def test_an_amended_outcome_can_open_nothing_that_is_final(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """The last verdict told stands: overdue comes back at a start, on_time after it does not."""
    one = owed()
    ledger.record_sent([one])
    ledger.record_windows([report(one.window)])
    ledger.record_judged([Judged(one.id, Outcome.OVERDUE, False, one.sent_at)])
    assert [one] == [track.owed for track in ledger.open_tracks(one.sent_at + MINUTE)]

    ledger.record_judged([Judged(one.id, Outcome.ON_TIME, True, one.sent_at, amended_from=Outcome.OVERDUE)])
    assert ledger.open_tracks(one.sent_at + MINUTE) == []


def test_known_leaves_out_what_is_not(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """Of many ids, more than one query takes, exactly those owed come back."""
    some = [owed() for _ in range(1100)]
    strangers = [owed() for _ in range(10)]
    ledger.record_sent(some)

    assert {one.id for one in some} == ledger.known([one.id for one in some + strangers]).keys()
    assert ledger.known([]) == {}


def test_the_line_is_taken_up_from_the_latest_time_known(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """The youngest id tells when it was minted, to the millisecond; coverage may reach further."""
    assert (ledger.last_minted(), ledger.last_instant()) == (None, None)
    one = owed()
    later = one.sent_at + timedelta(milliseconds=7)
    ledger.record_sent([owed(later), one])
    assert (later, later) == (ledger.last_minted(), ledger.last_instant())

    ledger.record_look("raw", coverage=[Coverage("topic", 0, later, later + MINUTE, 1)])
    assert (later, later + MINUTE) == (ledger.last_minted(), ledger.last_instant())


def test_what_was_sent_is_counted_from_the_asked_instant_on(
    ledger: Ledger, owed: Callable[..., Owed]
) -> None:
    """Of all probes, or of one."""
    noon = owed().sent_at
    ledger.record_sent([owed(noon - MINUTE), owed(noon), owed(noon + MINUTE), owed(noon, "other")])

    assert tuple(
        ledger.sent_since(since, probe=probe)
        for probe, since in [("default", noon), ("other", noon), ("default", noon + 2 * MINUTE), (None, noon)]
    ) == (2, 1, 0, 3)


def test_windows_are_asked_by_time_and_probe(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """A range takes its start and leaves its end; a window that owes its report is not in it."""
    noon = owed().sent_at
    told = [report(noon), report(noon, "other"), report(noon + MINUTE)]
    ledger.record_windows(told)
    ledger.record_sent([owed(noon + 2 * MINUTE)])

    assert told[:2] == ledger.windows(noon, noon + MINUTE)
    assert [told[0], told[2]] == ledger.windows(noon, noon + 9 * MINUTE, probe="default")
    assert noon + MINUTE == ledger.last_settled("default")
    assert ledger.last_settled("nobody") is None
