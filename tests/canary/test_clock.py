"""Our line: it never goes back, follows the wall clock forward, and names every step."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.clock import Line
from tests.virtual.clock import START, VirtualClock

HOUR = timedelta(hours=1)
deeds = st.lists(
    st.tuples(st.sampled_from(("advance", "step", "check")), st.floats(-5000, 5000)), max_size=30
)


@given(deeds)
def test_the_line_never_goes_back(deeds: list[tuple[str, float]]) -> None:
    """Whatever the wall clock does, and whenever somebody looks at it."""
    clock = VirtualClock()
    line = Line(clock)
    before = line.now()
    for kind, size in deeds:
        if kind == "advance":
            clock.advance(abs(size))
        elif kind == "step":
            clock.step_wall(size)
        else:
            line.check()
            assert line.now() >= clock.wall() - timedelta(seconds=1)
        assert line.now() >= before
        before = line.now()


def test_a_step_forward_moves_the_line_and_a_step_back_does_not() -> None:
    """Each is an epoch of its own, told once."""
    clock = VirtualClock()
    line = Line(clock)
    clock.step_wall(3600)
    assert line.now() == START
    assert line.check() == HOUR
    assert (line.now(), line.epoch, line.epoch_started_at) == (START + HOUR, 2, START + HOUR)
    assert line.check() is None
    clock.step_wall(-3600)
    assert line.check() == -HOUR
    assert (line.now(), line.epoch, line.ahead) == (START + HOUR, 3, HOUR)
    assert line.check() is None


def test_a_slow_drift_is_no_step() -> None:
    """Half a second at a time adds up to a minute, and to no epoch."""
    clock = VirtualClock()
    line = Line(clock)
    for _ in range(120):
        clock.advance(10)
        clock.step_wall(0.5)
        assert line.check() is None
    assert line.epoch == 1


def test_a_restart_goes_on_where_the_ledger_stopped() -> None:
    """Never below the last id minted, but for an anchor from a wrong year."""
    clock = VirtualClock()
    assert Line(clock, not_before=START + HOUR).now() == START + HOUR
    assert Line(clock, not_before=START - HOUR).now() == START
    assert Line(clock, not_before=START + timedelta(days=400)).now() == START
