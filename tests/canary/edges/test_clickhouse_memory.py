"""What is remembered between looks: whose turn it is, what was missed, and under which tenant."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.edges.clickhouse.memory import WIDE_AFTER, WIDE_EVERY, Memory
from canary.edges.clickhouse.pace import Pace
from canary.values import Wanted

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _wanted(number: int, *, age: timedelta = timedelta(0), who: str = "d") -> Wanted:
    return Wanted(uuid.UUID(int=number), NOON - age, "e", who)


def test_nothing_is_narrowed_before_a_row_was_seen() -> None:
    """The first look asks every tenant."""
    assert Memory().tenants([_wanted(1)], NOON) == frozenset()


def test_known_tenants_narrow_and_unknown_distinct_ids_use_them_all() -> None:
    """A look is as narrow as what is known of those it asks for."""
    memory = Memory()
    memory.learn({"a": "1", "b": "2"})
    assert memory.tenants([_wanted(1, who="a")], NOON) == {"1"}
    assert memory.tenants([_wanted(1, who="a"), _wanted(2, who="new")], NOON) == {"1", "2"}


def test_a_guess_claims_a_miss_for_the_guessed_tenants_only() -> None:
    """Not there under a guessed tenant is not "not there"."""
    memory, known, guessed = Memory(), _wanted(1, who="a"), _wanted(2, who="new")
    memory.learn({"a": "1"})
    memory.answered([known, guessed], set(), started_at=NOON, tenants={"1"})
    assert (set(memory.missed), memory.guessed) == ({known.id}, {guessed.id: (NOON, {"1"})})
    memory.answered([guessed], set(), started_at=NOON)
    assert (set(memory.missed), memory.guessed) == ({known.id, guessed.id}, {})


def test_ids_that_stay_away_are_looked_for_everywhere_ever_more_rarely() -> None:
    """Now and then, so that an outage does not become a scan a second."""
    memory, late = Memory(), _wanted(1, age=2 * WIDE_AFTER)
    memory.learn({"d": "1"})
    wide = [n for n in range(1000) if not memory.tenants([late], NOON + n * SECOND)]
    minute = round(WIDE_EVERY / SECOND)
    assert wide == [0, minute, 3 * minute, 7 * minute, 15 * minute]


def test_configured_tenants_are_the_last_word() -> None:
    """Nothing is learned over them and no look does without."""
    memory, late = Memory(frozenset({"9"})), _wanted(1, age=2 * WIDE_AFTER)
    memory.learn({"d": "1"})
    assert memory.tenants([late], NOON) == {"9"}
    memory.answered([late], set(), started_at=NOON, tenants={"9"})
    assert late.id in memory.missed


def test_found_ids_are_forgotten() -> None:
    """Memory holds what is outstanding."""
    memory, one = Memory(), _wanted(1)
    memory.answered([one], set(), started_at=NOON)
    memory.answered([one], {one.id}, started_at=NOON)
    assert not memory.missed


@given(st.integers(1, 40), st.integers(1, 10))
def test_everybody_gets_a_turn(count: int, chunk: int) -> None:
    """However many wait, each is asked once in count / chunk looks."""
    memory, wanted = Memory(), [_wanted(n) for n in range(count)]
    asked: set[uuid.UUID] = set()
    for turn in range(-(-count // chunk)):
        now = memory.first(wanted, chunk)
        memory.answered(now, set(), started_at=NOON + turn * SECOND)
        asked |= {one.id for one in now}
    assert asked == {one.id for one in wanted}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=30))
def test_slots_are_never_closer_than_the_pace(steps: list[tuple[bool, int]]) -> None:
    """Whoever asks, taken and booked slots keep their distance."""
    now = NOON
    pace = Pace(SECOND, lambda: now)
    slots: list[datetime] = []
    for take, pause in steps:
        now += timedelta(milliseconds=pause)
        if take:
            free_in = pace.next_in()
            taken = pace.take()
            assert taken == (free_in == timedelta(0))
            slots += [now] if taken else []
            continue
        wait = pace.reserve(at_most=2 * SECOND)
        slots += [] if wait is None else [now + wait]
    assert all(later - earlier >= SECOND for earlier, later in itertools.pairwise(slots))


def test_rows_are_not_kept_from_us_while_later_ones_of_their_kind_are_shown() -> None:
    """One of its distinct_id was seen, and one of its event that was sent after it: less is no proof."""
    memory = Memory()
    early, late, other = _wanted(1, age=SECOND, who="a"), _wanted(2, who="a"), _wanted(3, who="b")
    memory.answered([early, late, other], {late.id}, started_at=NOON)
    older = _wanted(4, age=2 * SECOND, who="b")

    assert [memory.shows(one) for one in (early, late, other, older)] == [True, False, False, False]
    memory.answered([older], {older.id}, started_at=NOON)
    assert [memory.shows(one) for one in (early, late, other, older)] == [True, False, False, True]
