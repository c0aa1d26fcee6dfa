"""Coverage joins where it touches and breaks where it does not; positions are kept where they change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.ledger import Ledger
from canary.ledger.step import joined
from canary.values import Coverage, Position

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def read(since: float, until: float, offset: int = 0, expired: int = 0) -> Coverage:
    return Coverage("topic", 0, at(since), at(until), offset, expired)


def told(second: float, committed: int | None, *, log_start: int = 0, partition: int = 0) -> Position:
    return Position("topic", partition, committed, log_start, None, at(second))


def test_touching_intervals_become_one(ledger: Ledger) -> None:
    """Looks that follow each other without a gap are one interval, in one step or in several."""
    ledger.record_look("raw", coverage=[read(0, 1, 5), read(1, 2, 6)])
    ledger.record_look("raw", coverage=[read(1.5, 3, 9)])

    assert [read(0, 3, 9)] == ledger.coverage("raw")


def test_a_gap_stays_a_gap(ledger: Ledger, url: str) -> None:
    """A blind time is never covered afterwards, also across a restart, and reading resumes at the end."""
    ledger.record_look("raw", coverage=[read(0, 1, 5)])
    ledger.close()
    with Ledger.open(url) as again:
        again.record_look("raw", coverage=[read(2, 3, 8)])
        again.record_look("raw", coverage=[read(3, 4, 9)])

        assert [read(0, 1, 5), read(2, 4, 9)] == again.coverage("raw")
        assert [read(2, 4, 9)] == again.coverage("raw", at(1.5))
        assert {("topic", 0): (9, at(4))} == again.resume("raw").offsets


def test_what_expired_breaks_the_interval(ledger: Ledger) -> None:
    """Records that retention removed unread lie between two intervals, however close these are."""
    ledger.record_look("raw", coverage=[read(0, 2, 5), read(2, 3, 90, 85), read(3, 4, 91)])

    assert [read(0, 2, 5), read(2, 4, 91, 85)] == ledger.coverage("raw")


def test_what_was_read_of_another_topic_is_not_joined(ledger: Ledger) -> None:
    """However close it is: the clock may have been set back. Where none was told, it is the same."""
    old, new = (replace(read(0, 1000, 90), topic_id=one) for one in ("old", "new"))
    ledger.record_look("raw", coverage=[replace(old, topic_id=""), old])
    assert [old] == ledger.coverage("raw")
    new = replace(new, since=at(500), until=at(501))
    ledger.record_look("raw", coverage=[new])

    assert [old, new] == ledger.coverage("raw")
    assert list(ledger.resume("raw").topic_ids.values()) == ["new"]


def test_a_line_set_back_forgets_its_future(ledger: Ledger) -> None:
    """After a wrong clock was set right, reading resumes from what was read since, not from that future."""
    ledger.record_look("raw", coverage=[read(1000, 1001, 5)], positions=[told(1000, 5)])
    ledger.record_look("raw", coverage=[read(0, 1, 6)], positions=[told(0, 5)])

    assert [read(0, 1, 6)] == ledger.coverage("raw")
    assert [told(0, 5)] == ledger.positions("raw", NOON)


def test_partitions_and_stages_are_apart(ledger: Ledger) -> None:
    """The same partition number of another place or stage is another partition."""
    other = Coverage("overflow", 0, at(1), at(2), 3)
    ledger.record_look("raw", coverage=[read(0, 1, 5), other])
    ledger.record_look("processed", coverage=[read(5, 6, 7)])

    assert [other, read(0, 1, 5)] == ledger.coverage("raw")
    assert [read(5, 6, 7)] == ledger.coverage("processed")


spans = st.tuples(st.integers(0, 50), st.integers(0, 10), st.integers(0, 1)).map(
    lambda span: read(span[0], span[0] + span[1], expired=span[2])
)


@given(spans, spans)
def test_joining_claims_nothing_that_was_not_told(last: Coverage, told: Coverage) -> None:
    """Every instant of a joined interval lies in one of the two, and the new offset stands."""
    if told.until < last.since:
        return
    result = joined(last, told)

    assert result.since in (last.since, told.since)
    assert result.until in (last.until, told.until)
    assert result == told or told.since <= last.until
    assert told.next_offset == result.next_offset


def test_only_changes_of_a_position_are_kept(ledger: Ledger) -> None:
    """A position keeps the time when it was first read; one that stands still makes no rows."""
    for second, committed in enumerate([5, 5, 5, 7, 7, 5]):
        ledger.record_look("raw", positions=[told(second, committed)])

    assert [told(0, 5), told(3, 7), told(5, 5)] == ledger.positions("raw", NOON)
    assert [told(5, 5)] == ledger.positions("raw")


def test_history_opens_with_what_stood_then(ledger: Ledger, url: str) -> None:
    """Asked since a time, the ledger also says what each partition's position was at that time."""
    ledger.record_look("raw", positions=[told(0, 5), told(0, None, partition=1)])
    ledger.record_look("raw", positions=[told(2, 6), told(4, 8), told(4, 1, partition=1)])
    ledger.close()
    with Ledger.open(url) as again:
        again.record_look("raw", positions=[told(6, 8)])

        wanted = [told(2, 6), told(4, 8), told(0, None, partition=1), told(4, 1, partition=1)]
        assert wanted == again.positions("raw", at(3))


def test_retention_that_moves_is_a_change(ledger: Ledger) -> None:
    """Where the log starts decides what was lost to retention, so its moves are kept."""
    ledger.record_look("raw", positions=[told(0, 5), told(1, 5, log_start=9)])

    assert [told(0, 5), told(1, 5, log_start=9)] == ledger.positions("raw", NOON)
