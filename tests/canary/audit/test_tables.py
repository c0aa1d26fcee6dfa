"""Table against table: every difference is found and named right, and nothing else; budgets are kept."""

import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.audit.tables import Comparing, Wish
from canary.compared import Span
from tests.canary.audit.fake_tables import FakeTable, Stored

DAY = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def stored(number: int, *, days: int = 0, event: str = "x") -> Stored:
    return Stored(str(uuid.UUID(int=number)), DAY + timedelta(days=days, seconds=number), (("event", event),))


def many(count: int) -> list[Stored]:
    return [stored(number) for number in range(count)]


def test_the_same_rows_are_the_same_table_and_cost_two_questions() -> None:
    """One question a side and day, whatever their order, and no id is fetched."""
    left, right = FakeTable("l", many(500)), FakeTable("r", list(reversed(many(500))))

    done = Comparing(left, right, Wish()).run()

    assert (done.exit_code, done.total().missing_left) == (0, [])
    assert (left.asked, right.asked) == ({"buckets": 1}, {"buckets": 1})


rows = st.builds(
    stored,
    st.integers(0, 40),
    days=st.integers(0, 2),
    event=st.sampled_from(["x", "y"]),
)


@given(left=st.lists(rows, max_size=40), right=st.lists(rows, max_size=40), ids=st.sampled_from([1, 3, 1000]))
def test_every_difference_is_named_once_and_nothing_else_is(
    left: list[Stored], right: list[Stored], ids: int
) -> None:
    """Against a plain comparison of all rows by day; however few ids may be fetched at once."""
    done = Comparing(FakeTable("l", left), FakeTable("r", right), Wish(ids=ids)).run()

    one, other = _plain(left), _plain(right)
    lefts, rights = {id_ for _, id_ in one}, {id_ for _, id_ in other}
    whole = done.total()
    assert set(whole.missing_left) == rights - lefts
    assert set(whole.missing_right) == lefts - rights
    both = one.keys() & other.keys()
    differ = {key for key in both if (min(one[key]), max(one[key])) != (min(other[key]), max(other[key]))}
    assert sorted(whole.content) == sorted(id_ for _, id_ in differ)
    copies = {key for key in both - differ if len(one[key]) != len(other[key])}
    apart = {id_ for _, id_ in one.keys() - other.keys()} & {id_ for _, id_ in other.keys() - one.keys()}
    more = [id_ for _, id_ in one.keys() ^ other.keys() if id_ in lefts & rights and id_ not in apart]
    assert sorted(whole.copies) == sorted([*(id_ for _, id_ in copies), *more])
    assert set(done.moved) == apart
    assert not [day for day in done.days if day.unaudited]


def _plain(rows: list[Stored]) -> dict[tuple[object, str], list[int]]:
    from tests.canary.audit.fake_tables import hashed

    found: dict[tuple[object, str], list[int]] = defaultdict(list)
    for row in rows:
        found[(row.at.date(), row.id)].append(hashed(dict(row.values)["event"]))
    return found


def test_only_buckets_that_differ_are_looked_into() -> None:
    """Of many rows the ids of one bucket are fetched: a few, not all."""
    left, right = FakeTable("l", many(5000)), FakeTable("r", many(5000)[:-1])

    done = Comparing(left, right, Wish(ids=100)).run()

    assert done.total().missing_right == [stored(4999).id]
    assert right.asked["rows"] == 1


def test_a_day_over_budget_is_split_and_what_cannot_be_split_is_told() -> None:
    """By hours, then by five minutes; nothing is skipped in silence, and unknown is not the same."""
    spread = [Stored(str(uuid.UUID(int=n)), DAY.replace(hour=n % 24), ()) for n in range(240)]
    short = FakeTable("l", spread, budget=20)

    done = Comparing(short, FakeTable("r", spread[:-1], budget=20), Wish()).run()

    assert done.total().missing_right == [spread[-1].id]
    tight = Comparing(FakeTable("l", spread, budget=2), FakeTable("r", spread, budget=2), Wish()).run()
    assert tight.exit_code == 3
    assert sum(len(day.unaudited) for day in tight.days) == 24


def test_the_most_questions_are_kept_and_what_is_left_is_told() -> None:
    """Everything differs: the limit ends it, and the rest is named as not looked into."""
    left = FakeTable("l", many(2000))
    right = FakeTable("r", [stored(number, event="y") for number in range(2000)])

    done = Comparing(left, right, Wish(ids=10, queries=20)).run()

    assert left.asked["buckets"] + left.asked["rows"] <= 20
    assert "not looked into further" in done.days[0].unaudited[0]
    assert done.exit_code == 2


def test_rows_that_arrive_meanwhile_are_no_difference() -> None:
    """A missing id is asked for once more before it is called so."""
    right = FakeTable("r", many(10)[:-1], later=many(10)[-1:])

    done = Comparing(FakeTable("l", many(10)), right, Wish()).run()

    assert (done.exit_code, done.late) == (0, [stored(9).id])


def test_a_copy_on_another_day_is_a_difference() -> None:
    """One side has the id on two days, the other on one of them: it is in both, and they are not the same."""
    left = FakeTable("l", [stored(1), stored(1, days=1)])

    done = Comparing(left, FakeTable("r", [stored(1, days=1)]), Wish()).run()

    assert (done.exit_code, done.total().copies, done.late) == (1, [stored(1).id], [])


def test_a_row_that_lies_outside_of_the_time_on_one_side_is_not_on_its_way() -> None:
    """It was there all the time, at another one."""
    span = Span(DAY, DAY + timedelta(days=1))

    done = Comparing(FakeTable("l", [stored(1)]), FakeTable("r", [stored(1, days=-1)]), Wish(span=span)).run()

    assert (done.exit_code, done.moved, done.late) == (2, [stored(1).id], [])


def test_the_column_that_differs_is_named() -> None:
    """Of columns in common; what one side has alone is not compared."""
    row = Stored("a", DAY, (("event", "x"), ("name", "1")))
    other = Stored("a", DAY, (("event", "x"), ("name", "2")))
    left = FakeTable("l", [row], names=("event", "name", "only_left"))
    right = FakeTable("r", [other], names=("name", "event"))

    done = Comparing(left, right, Wish()).run()

    assert (list(done.columns), done.fields) == (["event", "name"], {"name": 1})
    assert Comparing(left, right, Wish(ignore=frozenset({"name"}))).run().exit_code == 0


def test_a_column_that_one_side_lacks_is_refused() -> None:
    """Asked for by name, it must be on both sides."""
    with pytest.raises(ValueError, match="must be in both"):
        Comparing(FakeTable("l", []), FakeTable("r", []), Wish(columns=("nothing",))).run()


def test_a_time_bounds_what_is_compared() -> None:
    """Half-open, and cut inside of days too."""
    left, right = FakeTable("l", many(100)), FakeTable("r", many(50))
    span = Span(DAY, DAY + timedelta(seconds=60))

    done = Comparing(left, right, Wish(span=span)).run()

    assert len(done.total().missing_right) == 10
