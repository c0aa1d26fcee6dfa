"""Where a consumer stands to a record: passed, removed before it came, queued, or nobody knows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from canary.readings import Progress, Reading, StageSpec, Standing
from canary.values import Coverage, Look, Position, Sighting

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


@given(st.lists(st.tuples(st.none() | st.integers(0, 6), st.integers(0, 3)), max_size=12))
def test_what_the_ledger_keeps_says_the_same_after_a_restart(told: list[tuple[int | None, int]]) -> None:
    """A consumer that was set back too: to anywhere, or to exactly where it once was."""
    progress, again = Progress(), Progress()
    for when, (committed, start) in enumerate(told):
        position = Position("raw", 0, committed, start, 100, at(when))
        if progress.learn(position):
            again.learn(position)
    for offset in range(7):
        before, after = progress.standing(offset, at(0)), again.standing(offset, at(0))
        assert (before.passed_at, before.expired) == (after.passed_at, after.expired)


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


def test_partitions_without_canaries_are_known() -> None:
    """Those in which none was seen within the last hour, in the topic itself and not beside it."""
    reading = Reading(StageSpec("raw", topic=True, place="raw", others=("overflow",)))
    one = uuid4()
    seen = [
        Sighting(one, "raw", place, seen_at=at(when), partition=number)
        for place, number, when in (("raw", 0, 0), ("raw", 2, 1800), ("overflow", 1, 1800))
    ]
    reading.learn(Look("raw", at(1800), at(1800), partitions=4, sightings=seen))
    assert (reading.visited(at(1800)), reading.unvisited(at(1800))) == (2, [1, 3])
    assert (reading.visited(at(3700)), reading.unvisited(at(3700))) == (1, [0, 1, 3])


def made_again() -> Reading:
    """Three partitions read from 0 to 10, and the topic made again at 11 with two of them."""
    reading = Reading(StageSpec("raw", topic=True, place="raw"))
    old = [Coverage("raw", number, at(0), at(10), 50) for number in range(3)]
    new = [Coverage("raw", number, at(11), at(20), 5) for number in range(2)]
    ends = [Position("raw", number, 40, 0, 50, at(10)) for number in range(3)]
    reading.learn(look(10, 3, coverage=old, positions=ends))
    reading.learn(look(20, 2, coverage=new, positions=[replace(p, committed=5, end=5) for p in ends[:2]]))
    return reading


def look(when: float, partitions: int, *, coverage: list[Coverage], positions: list[Position]) -> Look:
    return Look("raw", at(when), at(when), coverage=coverage, partitions=partitions, positions=positions)


def test_a_topic_made_again_smaller_is_covered_again() -> None:
    """A partition that is no more neither holds up what is sent now nor counts as lag."""
    reading = made_again()
    assert reading.covered_until(at(20)) == at(20)
    assert reading.age(at(21)) == timedelta(seconds=1)
    assert reading.lag() == 0


def test_what_was_sent_to_the_old_topic_is_not_proven_gone() -> None:
    """What is sent before the end of the old topic is covered up to that end and no further."""
    reading = made_again()
    assert reading.covered_until(at(5)) == at(10)
    assert reading.covered_until(at(10.5)) is None


def test_partitions_that_are_no_more_are_forgotten_with_what_they_could_hold() -> None:
    """And one that comes back is read as a new one."""
    reading = made_again()
    reading.forget(at(25))
    assert {partition for _, partition in reading.intervals} == {0, 1}
    reading.learn(look(26, 3, coverage=[Coverage("raw", 0, at(11), at(26), 9)], positions=[]))
    assert reading.covered_until(at(20)) is None
    more = [Coverage("raw", number, at(11), at(30), 9) for number in range(3)]
    reading.learn(look(30, 3, coverage=more, positions=[]))
    assert reading.covered_until(at(20)) == at(30)


def test_a_queue_made_again_is_drained_by_its_new_offsets() -> None:
    """Offsets of the old topic are no aim for the consumer of the new one."""
    reading = made_again()
    for when in (21, 22):
        ends = [Position("raw", number, 6, 0, 6, at(when)) for number in range(2)]
        reading.learn(look(when, 2, coverage=[], positions=ends))
    assert reading.drained
    assert reading.drained[0][0] >= at(10)


def test_a_lag_is_of_all_partitions_or_not_known() -> None:
    """One whose end cannot be read may hold any number: it is no less behind by that."""
    reading = Reading(StageSpec("raw", topic=True, place="raw", others=("more",)))
    told = [Position(place, 0, 5, 0, 9, at(1)) for place in ("raw", "more")]
    reading.learn(look(1, 1, coverage=[], positions=told))
    assert reading.lag() == 8
    reading.learn(look(2, 1, coverage=[], positions=[told[0], replace(told[1], end=None)]))
    assert reading.lag() is None
    reading.learn(look(3, 1, coverage=[], positions=told))
    assert reading.lag() == 8


def test_what_the_ledger_knows_of_a_topic_that_is_read_no_more_is_no_lag() -> None:
    """The stage was given another: nobody will ever tell that the old one's consumer has come to its end."""
    reading = Reading(StageSpec("raw", topic=True, place="raw"))
    reading.restore([], [Position("former", 0, 5, 0, 900, at(0))], now=at(1))
    reading.learn(look(2, 1, coverage=[], positions=[Position("raw", 0, 5, 0, 9, at(2))]))
    assert reading.lag() == 4
    assert [progress.end for progress in reading.parts()] == [9]


def looked_at_queue(when: float, files: int) -> Look:
    return Look("events", at(when), at(when), queue=(at(when), files))


def test_a_backlog_is_one_also_where_an_end_is_not_known_any_more() -> None:
    """As long as the consumer has not finished what is known to wait, it is known not to have; then nothing
    is, and time counts from there."""
    reading = Reading(StageSpec("raw", topic=True, place="raw"))

    def look(when: float, committed: int, end: int | None) -> None:
        positions = [
            Position("raw", 0, 5, 0, end, at(when)),
            Position("raw", 1, committed, 0, 5, at(when)),
        ]
        reading.learn(Look("raw", at(when), at(when), positions=positions))

    look(1, 2, 5)
    for when in (2, 3, 4):
        look(when, 2, None)
    assert (reading.positions_at, reading.drained) == (at(4), [])
    for when in (5, 6):
        look(when, 5, None)
    assert (reading.positions_at, reading.drained) == (at(4), [])


def test_a_queue_is_through_when_it_was_first_seen_empty_afterwards() -> None:
    """What the consumer finished before that moment has left the queue; what came since may be in it."""
    reading = Reading(StageSpec("events", topic=False, through_distributed=True))
    for look in (looked_at_queue(1, 0), looked_at_queue(2, 3), looked_at_queue(3, 0), looked_at_queue(4, 1)):
        reading.learn(look)
    assert [reading.flushed_after(at(when)) for when in (0, 1, 1.5, 3, 3.5)] == [
        at(1),
        at(1),
        at(3),
        at(3),
        None,
    ]
    assert reading.queue_at == at(4)
    reading.forget(at(2))
    assert reading.flushed_after(at(0)) == at(3)


def test_a_look_that_cannot_read_the_queue_leaves_what_is_known() -> None:
    """Silence is not emptiness."""
    reading = Reading(StageSpec("events", topic=False, through_distributed=True))
    reading.learn(looked_at_queue(1, 2))
    reading.learn(Look("events", at(2), at(2)))
    assert (reading.queue_at, reading.flushed_after(at(0))) == (at(1), None)
