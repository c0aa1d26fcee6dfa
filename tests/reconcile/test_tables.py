"""Buckets of two tables: what differs, and how it is put into portions."""

from hypothesis import given
from hypothesis import strategies as st

from reconcile.tables import Bucket, Row, compare, differing, held, portions

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
