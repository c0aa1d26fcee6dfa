"""Where a consumer stands to a record: passed, removed before it came, queued, or nobody knows."""

from datetime import UTC, datetime, timedelta

from canary.readings import Progress, Reading, StageSpec, Standing
from canary.values import Coverage, Position

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def read(progress: Progress, when: float, committed: int | None, start: int = 0) -> bool:
    return progress.learn(Position("raw", 0, committed, start, 100, at(when)))


def test_a_record_is_passed_when_the_position_beyond_it_was_first_seen() -> None:
    """The committed offset is the next one to be read: at 5, record 4 is done and record 5 is not."""
    progress = Progress()
    assert [read(progress, 1, 3), read(progress, 2, 3), read(progress, 3, 5)] == [True, False, True]
    assert progress.standing(4, at(0)) == Standing(passed_at=at(3))
    assert progress.standing(5, at(0)) == Standing(queued_at=at(3))


def test_a_consumer_that_never_committed_has_everything_before_it() -> None:
    """Queued, not unknown."""
    progress = Progress()
    read(progress, 1, None)
    assert progress.standing(0, at(0)) == Standing(queued_at=at(1))


def test_a_consumer_set_back_will_come_by_again() -> None:
    """What it had passed is queued until it has passed it once more."""
    progress = Progress()
    for when, committed in ((1, 3), (2, 9), (3, 4)):
        read(progress, when, committed)
    assert progress.standing(2, at(0)) == Standing(passed_at=at(1))
    assert progress.standing(6, at(0)) == Standing(queued_at=at(3))
    read(progress, 4, 9)
    assert progress.standing(6, at(0)) == Standing(passed_at=at(4))


def test_retention_before_the_consumer_is_told_apart_from_after_it() -> None:
    """Expired only where the record was removed before the consumer passed it, even if that jumps later."""
    progress = Progress()
    read(progress, 1, 3)
    read(progress, 2, 3, start=8)
    assert progress.standing(2, at(0)) == Standing(passed_at=at(1))
    assert progress.standing(6, at(0)) == Standing(passed_at=at(2), expired=True)
    read(progress, 5, 20, start=8)
    assert progress.standing(6, at(0)) == Standing(passed_at=at(2), expired=True)


def test_a_position_from_before_the_send_says_nothing() -> None:
    """It belongs to a topic that was made again since."""
    progress = Progress()
    read(progress, 1, 50)
    assert progress.standing(4, at(2)) == Standing()


def test_what_is_forgotten_is_not_missed() -> None:
    """A long run keeps what open canaries can ask for, and no more."""
    progress = Progress()
    for n in range(1000):
        read(progress, n, n)
    progress.forget(at(990))
    assert len(progress.committed) == 10
    assert progress.standing(995, at(991)) == Standing(passed_at=at(996))


def test_a_partition_that_was_not_read_uncovers_the_topic() -> None:
    """All partitions that there are, or nothing is proven."""
    reading = Reading(StageSpec("raw", topic=True, place="raw"))
    reading.partitions = 2
    reading.cover(Coverage("raw", 0, at(0), at(9), 1))
    assert reading.covered_until(at(1)) is None
    reading.cover(Coverage("raw", 1, at(0), at(7), 1))
    assert reading.covered_until(at(1)) == at(7)
