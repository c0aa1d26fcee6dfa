"""Buckets of two tables: what differs, and how it is put into portions."""

from hypothesis import given
from hypothesis import strategies as st

from reconcile.tables import Bucket, Differences, Row, compare, differing, held, portions

buckets = st.dictionaries(
    st.integers(0, 255),
    st.builds(Bucket, st.integers(0, 50), st.integers(0, 3), st.integers(0, 3)),
    max_size=30,
)
ids = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(Row, st.integers(1, 3), st.integers(0, 2), st.integers(0, 2)),
    max_size=8,
)


@given(buckets, buckets)
def test_a_bucket_differs_exactly_where_the_sides_do(
    left: dict[int, Bucket], right: dict[int, Bucket]
) -> None:
    """Absent is the same as empty, and no other."""
    found = differing(left, right)

    empty = Bucket(0, 0, 0)
    assert found == sorted(k for k in range(256) if left.get(k, empty) != right.get(k, empty))
    assert differing(left, left) == []


@given(buckets, buckets, st.integers(1, 80))
def test_portions_hold_every_bucket_once_and_no_more_rows_than_wished(
    left: dict[int, Bucket], right: dict[int, Bucket], most: int
) -> None:
    """Only a bucket that is larger by itself goes over."""
    keys = differing(left, right)

    found = portions(keys, left, right, most=most)

    assert [key for portion in found for key in portion] == keys
    for portion in found:
        assert len(portion) == 1 or sum(held(key, left, right) for key in portion) <= most


@given(ids, ids)
def test_each_id_is_in_at_most_one_list(left: dict[str, Row], right: dict[str, Row]) -> None:
    """And in none exactly when both sides say the same of it; the other way round is the mirror."""
    found, mirror = compare(left, right), compare(right, left)

    named = [*found.missing_left, *found.missing_right, *found.content, *found.copies]
    assert len(named) == len(set(named))
    same = {key for key in left.keys() & right.keys() if left[key] == right[key]}
    assert set(named) == (left.keys() | right.keys()) - same
    assert (found.missing_left, found.missing_right) == (mirror.missing_right, mirror.missing_left)


def test_each_difference_has_its_own_list() -> None:
    """Who is missing is not compared; other content outweighs another number of copies."""
    left = {"a": Row(1, 5, 5), "b": Row(1, 5, 5), "c": Row(1, 5, 6), "d": Row(2, 5, 5), "e": Row(2, 5, 5)}
    right = {"b": Row(1, 5, 5), "c": Row(2, 5, 7), "d": Row(1, 5, 5), "e": Row(2, 4, 5), "f": Row(1, 5, 5)}
    assert compare(left, right) == Differences(["f"], ["a"], ["c", "e"], ["d"])


def test_a_bucket_holds_what_the_fuller_side_has() -> None:
    """One that a side lacks is empty there."""
    left, right = {1: Bucket(5, 0, 0), 2: Bucket(2, 0, 0)}, {1: Bucket(3, 0, 0), 3: Bucket(7, 0, 0)}
    assert [held(key, left, right) for key in (1, 2, 3, 4)] == [5, 2, 7, 0]


def test_a_portion_is_filled_to_the_brim() -> None:
    """A larger bucket stands alone, and so does what follows it."""
    left = {key: Bucket(rows, 0, 0) for key, rows in enumerate([2, 3, 1, 9, 1, 4, 5])}
    assert portions(range(7), left, {}, most=5) == [[0, 1], [2], [3], [4, 5], [6]]
    assert portions([], left, {}, most=5) == []
    empty = {0: Bucket(0, 0, 1)}
    assert portions([0], empty, {}, most=5) == [[0]]


def test_what_was_found_elsewhere_is_taken_in() -> None:
    """Each list by itself."""
    found = Differences(["a"], ["b"], ["c"], ["d"])
    found.add(Differences(["e"], ["f"], ["g"], ["h"]))
    assert found == Differences(["a", "e"], ["b", "f"], ["c", "g"], ["d", "h"])
