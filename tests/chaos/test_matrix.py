"""The monitor killed at every named point of its steps, in several windows, and once more soon after."""

import os
from collections.abc import Mapping

import pytest

from tests.chaos.matrix import pairs, passings, play_all, spread
from tests.chaos.points import POINTS

EACH = int(os.environ.get("CANARY_CRASHES", "1"))
"""How many passings of each point; `python -m tests.chaos.matrix N` plays more and prints a table."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def passed() -> Mapping[str, int]:
    """How often the story comes by each point when nobody dies in it (and that nothing goes wrong then)."""
    return passings()


def test_the_story_comes_by_every_point(passed: Mapping[str, int]) -> None:
    """What is never passed is never tried; what is passed has a name."""
    assert set(passed) == set(POINTS)


def test_killed_at_any_point_it_forgets_nothing_and_tells_nothing_twice(passed: Mapping[str, int]) -> None:
    """No false loss, no forgotten canary, every window adds up; a second message only as a marked repeat."""
    assert [wrong for found in play_all(spread(passed, EACH)) for wrong in found] == []


def test_killed_twice_it_does_so_too(passed: Mapping[str, int]) -> None:
    """At two points of one story."""
    assert [wrong for found in play_all(pairs(passed, range(8 * EACH))) for wrong in found] == []
