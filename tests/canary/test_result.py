"""The verdict of a check and its exit code, row by row of the design's table."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from canary.book import Entry
from canary.fault import HINTS
from canary.once import Finished
from canary.result import Result
from canary.values import Answer, Difference, Owed, Seen
from reconcile.compare import Verdict
from reconcile.outcome import Flag, Outcome, Receipt

T0 = datetime(2026, 3, 1, tzinfo=UTC)
STAGES = ("raw", "processed", "events")
OK = Verdict(Outcome.ON_TIME, True)
LOST = Verdict(Outcome.LOST, True, hop=("raw", "processed"))
QUEUED = Verdict(Outcome.OVERDUE, False, reason="queued: its consumer has not come to it yet")
STUCK = Verdict(Outcome.OVERDUE, False, reason="positions of the consumer behind raw are unreadable")
UNREAD = Verdict(Outcome.UNREAD, False, reason="events could not be read")
REJECTED = Verdict(Outcome.REJECTED, True)
UNDELIVERED = Verdict(Outcome.UNDELIVERED, True)


def flagged(flag: Flag) -> Verdict:
    return Verdict(Outcome.ON_TIME, True, flags=frozenset({flag}))


def _entry(number: int, verdict: Verdict, receipt: Receipt) -> Entry:
    owed = Owed(
        id=UUID(int=number + 1),
        probe="p/check",
        lane=0,
        distinct_id="d",
        sent_at=T0,
        window=T0,
        deadline=T0,
        content_version=1,
        payload_hash="",
    )
    entry = Entry(owed, waits_from=T0, deadline=T0)
    entry.answer = Answer(receipt, T0, T0 + timedelta(seconds=1), tries=1, status=None, detail="said so")
    shown: tuple[str, ...] = STAGES if verdict.outcome in (Outcome.ON_TIME, Outcome.LATE) else STAGES[:1]
    if verdict.outcome in (Outcome.REJECTED, Outcome.UNDELIVERED):
        shown = ()
    for n, name in enumerate(shown):
        wrong = (Difference("canary_text", "a", "b"),) if Flag.CORRUPT in verdict.flags and n else ()
        entry.seen[name] = Seen(
            owed.id, name, name, T0 + timedelta(seconds=n + 1), differences=wrong, copies=int(n == 2)
        )
    return entry


def result(
    verdicts: Sequence[Verdict],
    *,
    blind: Sequence[str] = (),
    interrupted: bool = False,
    receipt: Receipt = Receipt.ACCEPTED,
) -> Result:
    entries = [_entry(n, verdict, receipt) for n, verdict in enumerate(verdicts)]
    finished = Finished(
        started_at=T0,
        finished_at=T0 + timedelta(seconds=10),
        verdicts={e.owed.id: v for e, v in zip(entries, verdicts, strict=True)},
        entries={e.owed.id: e for e in entries},
        blind=dict.fromkeys(blind, "refused"),
        positions_unreadable={},
        interrupted=interrupted,
        timed_out=False,
    )
    return Result(finished, STAGES)


@pytest.mark.parametrize(
    ("verdicts", "blind", "code", "kinds"),
    [
        ([OK, OK], (), 0, []),
        ([flagged(Flag.TIME_UNKNOWN)], (), 0, []),
        ([OK, LOST], (), 2, ["lost"]),
        ([OK, flagged(Flag.CORRUPT)], (), 2, ["corrupt"]),
        ([OK, REJECTED], (), 2, ["rejected"]),
        ([UNDELIVERED, UNDELIVERED], (), 2, ["undelivered"]),
        ([OK, UNDELIVERED], (), 1, ["undelivered"]),
        ([OK, UNREAD], ("events",), 3, ["blind"]),
        ([OK, UNREAD], (), 3, ["blind"]),
        ([OK, STUCK], (), 3, ["overdue"]),
        ([OK, QUEUED], (), 1, ["overdue"]),
        ([OK, Verdict(Outcome.LATE, True)], (), 1, ["late"]),
        ([OK, flagged(Flag.DUPLICATED)], (), 1, ["duplicated"]),
        ([OK, flagged(Flag.OUT_OF_ORDER)], (), 1, ["out_of_order"]),
        ([OK, flagged(Flag.DETOURED)], (), 1, ["detoured"]),
        ([OK, OK], ("raw", "processed"), 1, ["blind", "blind"]),
        ([UNREAD, LOST], ("events",), 2, ["lost", "blind"]),
        ([UNREAD, QUEUED], ("events",), 3, ["blind", "overdue"]),
        ([], (), 3, []),
        ([], ("events",), 3, ["blind"]),
    ],
)
def test_the_exit_code_is_the_first_row_that_applies(
    verdicts: list[Verdict], blind: tuple[str, ...], code: int, kinds: list[str]
) -> None:
    """And the faults behind it come worst first."""
    told = result(verdicts, blind=blind)
    assert (told.exit_code, [fault.kind for fault in told.faults]) == (code, kinds)
    assert told.as_json()["exit_code"] == code


def test_interrupted_comes_before_everything() -> None:
    """But what is known so far is said."""
    told = result([LOST], interrupted=True)
    assert told.exit_code == 130
    assert "lost between raw and processed" in told.summary


def test_stored_after_refusal_is_one_fault_however_many_it_met() -> None:
    """Degraded: they arrived, and the clients were told that they had not."""
    told = result([OK, OK, OK], receipt=Receipt.REFUSED)
    (fault,) = told.faults
    assert (fault.kind, fault.count, len(fault.ids), told.exit_code) == ("stored_after_refusal", 3, 3, 1)


def test_a_corrupt_canary_is_told_with_field_expected_and_found() -> None:
    """At the first stage that showed it."""
    (fault,) = result([flagged(Flag.CORRUPT)]).faults
    assert (fault.field, fault.expected, fault.found, fault.stage) == ("canary_text", "a", "b", "processed")
    assert fault.hop == ("raw", "processed")


def test_counts_add_up_and_every_fault_has_a_hint() -> None:
    """The JSON object: outcomes sum to sent, and each hop has its state."""
    told = result([OK, LOST, QUEUED, UNREAD], blind=("events",))
    plain = told.as_json()
    assert sum(plain["outcomes"].values()) == plain["sent"] == 4
    assert all(fault["hint"] == HINTS[fault["kind"]] for fault in plain["faults"])
    assert [hop["lost"] for hop in plain["hops"]] == [0, 1, 0]
    assert [hop["state"] for hop in plain["hops"]] == ["ok", "fault", "unknown"]
