"""When keys are believed, and when a topic is busy."""

from datetime import UTC, datetime, timedelta

from canary.edges.kafka.trust import ASTRAY, RIGHT_AGAIN, RIGHT_FOR, Rate, Trust

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_one_canary_in_another_partition_ends_the_belief_until_it_is_right_for_long() -> None:
    """So many in a row, and so long after the last wrong one: both."""
    trust = Trust()
    assert not trust.right(START)
    assert trust.wrong(START)
    assert not trust.wrong(START)
    for _ in range(2 * RIGHT_AGAIN):
        assert not trust.right(START + timedelta(minutes=1))
    assert not trust.believed
    assert trust.right(START + RIGHT_FOR)
    assert trust.believed


def test_canaries_that_arrive_unseen_end_the_belief_when_it_is_no_chance() -> None:
    """One may have gone another way; several in a row did not by accident. One that was right starts anew."""
    trust = Trust()
    for _ in range(ASTRAY - 1):
        assert not trust.missing(START)
    trust.right(START)
    for _ in range(ASTRAY - 1):
        assert not trust.missing(START)
    assert trust.missing(START)
    assert not trust.believed
    assert trust.astray == 2 * ASTRAY - 1


def test_a_topic_is_busy_above_its_rate_and_quiet_only_when_it_stays_well_below() -> None:
    """A rate that hangs about the limit does not make the reading flap."""
    rate = Rate(above=100)
    end, at, said = 0, START, []
    for per_second in (50, 150, 90, 60, 150, 60, 60, 60, 50):
        said.append((rate.learn(at, {("t", 0): end}), rate.busy))
        end, at = end + 10 * per_second, at + timedelta(seconds=10)
    busy = [busy for _, busy in said]
    assert busy == [False, False, True, True, True, True, True, True, False]
    assert [changed for changed, _ in said].count(True) == 2
