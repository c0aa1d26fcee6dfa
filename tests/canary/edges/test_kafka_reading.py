"""Coverage of one partition: never more than what was read, and no less than what can be known."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.edges.kafka.reading import EMPTY_AFTER, EMPTY_BEHIND, Reading

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


STEP = st.tuples(
    st.integers(0, 3),  # records appended before the fetch is sent
    st.integers(0, 3),  # records appended while it is on its way
    st.integers(0, 4),  # records that fit into the answer
    st.sampled_from(["", "lost", "expired"]),
)


@given(st.lists(STEP, max_size=40))
def test_everything_that_arrived_in_a_covered_interval_was_read(
    steps: list[tuple[int, int, int, str]],
) -> None:
    """Whatever arrives while, however little an answer carries, coverage holds only what was read."""
    reading = Reading("t", 0, "", 0, since=T0)
    arrived: list[float] = []  # by offset: when
    read: set[int] = set()
    covered: list[tuple[datetime, datetime]] = []
    clock = 0.0
    for before, meanwhile, room, fault in steps:
        for _ in range(before):
            clock += 1
            arrived.append(clock)
        clock += 1
        sent = clock
        for _ in range(meanwhile):
            clock += 1
            arrived.append(clock)
        if fault == "lost":
            reading.failed("gone", now=at(clock))
            continue
        if fault == "expired" and reading.next_offset < len(arrived):
            clock += 1
            reading.jump(len(arrived), now=at(clock), expired=len(arrived) - reading.next_offset)
            continue
        following = min(reading.next_offset + room, len(arrived))
        read.update(range(reading.next_offset, following))
        reading.read(following, end=len(arrived), sent_at=at(sent), complete=False)
        coverage = reading.coverage()
        if coverage is not None:
            covered.append((coverage.since, coverage.until))
            assert coverage.until <= at(sent)
            assert coverage.next_offset == following
    for offset, moment in enumerate(arrived):
        if any(since <= at(moment) <= until for since, until in covered):
            assert offset in read


def test_a_reader_far_behind_covers_up_to_the_marks_it_passes() -> None:
    """Coverage moves on with each watermark that is passed, though the end is never reached."""
    reading = Reading("t", 0, "", 0, since=T0)

    reading.read(5, end=10, sent_at=at(1), complete=False)
    assert reading.coverage() is None
    reading.read(10, end=20, sent_at=at(2), complete=False)
    first = reading.coverage()
    reading.read(21, end=30, sent_at=at(3), complete=False)
    second = reading.coverage()

    assert first is not None
    assert first.until == at(1)
    assert second is not None
    assert second.until == at(2)


def test_what_was_covered_before_a_restart_is_joined() -> None:
    """A resumed partition is covered from where it stopped, as soon as it was read again."""
    reading = Reading("t", 0, "", 7, since=T0)

    assert reading.coverage() is None
    reading.read(9, end=9, sent_at=at(60), complete=False)
    coverage = reading.coverage()

    assert coverage is not None
    assert (coverage.since, coverage.until, coverage.next_offset) == (T0, at(60), 9)


def test_what_lies_behind_a_gap_may_have_come_ever_since_the_last_reading() -> None:
    """Retention passed a reader that was blind for a minute: what it then finds is not younger than that."""
    reading = Reading("t", 0, "", 0, since=T0)
    assert reading.not_before == T0
    reading.read(4, end=4, sent_at=at(1), complete=False)
    reading.jump(9, now=at(60), expired=5)

    assert reading.not_before == at(1)
    reading.jump(10, now=at(61))
    assert reading.not_before == at(1)
    reading.read(12, end=12, sent_at=at(62), complete=False)
    assert reading.not_before == at(62)


def test_an_open_transaction_holds_coverage_back() -> None:
    """Reading that stops below the watermark covers nothing new."""
    reading = Reading("t", 0, "", 0, since=T0)
    reading.read(0, end=0, sent_at=at(1), complete=True)

    reading.read(0, end=4, sent_at=at(2), complete=False)
    coverage = reading.coverage()

    assert coverage is not None
    assert coverage.until == at(1)


def test_a_cleaned_end_of_the_log_is_covered_after_some_empty_answers() -> None:
    """Where a log cleaner removed the newest records, only repeated empty answers can tell."""
    reading = Reading("t", 0, "", 3, since=T0)
    for _ in range(EMPTY_AFTER):  # nothing comes where there is nothing: that says nothing of what is to come
        reading.read(3, end=3, sent_at=at(0), complete=True)

    for number in range(1, EMPTY_AFTER):
        reading.read(3, end=5, sent_at=at(number), complete=True)
        assert reading.until == at(0)
    reading.read(3, end=5, sent_at=at(EMPTY_AFTER), complete=True)

    assert reading.until == at(EMPTY_AFTER)


def test_a_reader_that_is_behind_takes_a_slow_tier_for_no_empty_log() -> None:
    """After a restart or a gap what it has to read may lie in storage that takes its time to answer."""
    reading = Reading("t", 0, "", 3, since=T0)

    for number in range(EMPTY_BEHIND):
        assert reading.coverage() is None
        reading.read(3, end=5, sent_at=at(number), complete=True)
    assert reading.coverage() is not None

    reading.jump(4, now=at(1000))
    reading.read(4, end=5, sent_at=at(1001), complete=True)
    assert reading.coverage() is None


REPLICA_STEP = st.tuples(
    st.integers(0, 3),  # records appended at the leader
    st.integers(0, 4),  # records the follower has fetched of what it lacks
    st.integers(0, 4),  # records that fit into the answer
    st.booleans(),  # whether the leader is asked now
)


@given(st.lists(REPLICA_STEP, max_size=40))
def test_a_follower_that_trails_covers_only_what_was_read(steps: list[tuple[int, int, int, bool]]) -> None:
    """However far a follower is behind, coverage holds nothing that it had not shown yet."""
    reading = Reading("t", 0, "", 0, since=T0)
    arrived: list[float] = []
    fetched = read = 0
    clock = 0.0
    for appended, copied, room, ask in steps:
        for _ in range(appended):
            clock += 1
            arrived.append(clock)
        fetched = min(fetched + copied, len(arrived))
        clock += 1
        if ask:
            reading.told(len(arrived), sent_at=at(clock))
        else:
            read = min(read + room, max(fetched, read))
            reading.read_replica(read, end=fetched, complete=False)
        coverage = reading.coverage()
        if coverage is not None:
            assert sum(at(moment) <= coverage.until for moment in arrived) <= read


def test_an_empty_end_is_covered_once_the_follower_has_it() -> None:
    """Where a cleaner removed the newest records, enough empty answers of a follower as far prove it."""
    reading = Reading("t", 0, "", 5, since=T0)
    reading.told(5, sent_at=at(0))
    reading.told(8, sent_at=at(1))
    for _ in range(EMPTY_AFTER):
        reading.read_replica(5, end=7, complete=True)
    assert reading.until == at(0)
    reading.read_replica(5, end=8, complete=True)
    assert reading.until == at(1)


def test_the_end_of_what_cannot_be_read_is_not_known() -> None:
    """It may have moved on since it was last told; what is covered stays."""
    reading = Reading("t", 0, "", 3, since=T0)
    reading.read(3, end=3, sent_at=at(1), complete=True)
    before = reading.coverage()
    reading.failed("not authorized", now=at(2))
    assert (reading.end, reading.coverage()) == (None, before)
