"""Windows tile time, half-open, and latency is told with its error."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reconcile.compare import Verdict
from reconcile.latency import Measured, between, summary
from reconcile.outcome import Flag, Outcome
from reconcile.window import deadline_of, tally, unbalanced, window_of
from tests.reconcile.cases import at

moments = st.integers(0, 10**16).map(lambda n: datetime(1970, 1, 2, tzinfo=UTC) + timedelta(microseconds=n))
widths = st.integers(1, 3600).map(lambda n: timedelta(seconds=n))


@given(moments, widths)
def test_every_instant_has_one_window(moment: datetime, width: timedelta) -> None:
    """Half-open: the end belongs to the next."""
    start = window_of(moment, width)
    assert start <= moment < start + width
    assert window_of(start, width) == start
    assert window_of(start + width, width) == start + width
    assert deadline_of(start, width=width, grace=timedelta(seconds=7)) - start == width + timedelta(seconds=7)


@given(*[st.integers(0, 100) for _ in range(4)])
def test_a_latency_holds_the_truth_within_its_error(sent: int, wide: int, wait: int, width: int) -> None:
    """Whatever the two instants really were within their intervals."""
    start = (at(sent), at(sent + wide))
    end = (at(sent + wide + wait), at(sent + wide + wait + width))
    measured = between(start, end)
    for a in start:
        for b in end:
            true = (b - a).total_seconds()
            assert (
                measured.seconds - measured.error - 1e-6 <= true <= measured.seconds + measured.error + 1e-6
            )


def test_no_latency_is_negative() -> None:
    """Intervals that overlap say: between nothing and that much."""
    measured = between((at(5), at(5)), (at(3), at(7)))
    assert (measured.seconds, measured.error) == (1.0, 1.0)
    assert between((at(5), at(5)), (at(1), at(2))) == Measured(0.0, 0.0)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=50))
def test_quantiles_are_samples_and_in_order(values: list[float]) -> None:
    """By nearest rank: each is a latency that somebody had, and at least that share had no more."""
    told = summary([Measured(value, value / 10) for value in values])
    assert told is not None
    assert told["p50"] <= told["p90"] <= told["p99"] <= told["max"] == max(values)
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        assert told[name] in values
        assert sum(value <= told[name] for value in values) >= share * len(values) - 1e-9
    assert told["error"] == max(values) / 10


def test_nobody_is_no_latency() -> None:
    """None rather than zeros."""
    assert summary([]) is None


def test_quantiles_of_a_hundred_are_what_one_expects() -> None:
    """And of one they are that one; the error is the widest."""
    told = summary([Measured(float(value), value / 100) for value in range(100, 0, -1)])
    assert told == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0, "error": 1.0}
    assert summary([Measured(7.0, 0.5)]) == {"p50": 7.0, "p90": 7.0, "p99": 7.0, "max": 7.0, "error": 0.5}


def test_a_latency_lies_in_the_middle_of_what_it_may_be() -> None:
    """Its error is half of the width; no less than the floor."""
    assert between((at(1), at(2)), (at(5), at(9))) == Measured(5.5, 2.5)
    assert between((at(1), at(1)), (at(1), at(1)), floor=timedelta(seconds=2)) == Measured(2.0, 0.0)


def test_verdicts_are_counted_by_outcome_flag_and_hop() -> None:
    """All eight outcomes stand there; only a loss has a hop; what is left over is told."""
    hop = ("raw", "processed")
    verdicts = [
        Verdict(Outcome.LOST, True, hop=hop, flags=frozenset({Flag.DUPLICATED, Flag.CORRUPT})),
        Verdict(Outcome.LOST, True, hop=hop),
        Verdict(Outcome.LOST, True),
        Verdict(Outcome.ON_TIME, True, hop=hop, flags=frozenset({Flag.CORRUPT})),
    ]
    outcomes, flags, hops = tally(verdicts)
    assert outcomes == {**dict.fromkeys(Outcome, 0), Outcome.LOST: 3, Outcome.ON_TIME: 1}
    assert flags == {**dict.fromkeys(Flag, 0), Flag.DUPLICATED: 1, Flag.CORRUPT: 2}
    assert hops == {hop: 2}
    assert (unbalanced(4, outcomes), unbalanced(6, outcomes)) == (0, 2)


def test_windows_are_counted_from_1970() -> None:
    """So that two runs, and two monitors, cut time in the same places."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert window_of(epoch + timedelta(seconds=1000), timedelta(seconds=7)) == epoch + timedelta(seconds=994)
