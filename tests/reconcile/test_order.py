"""Out of order is said only where it is proven: answered before the other was sent, and behind it."""

from hypothesis import given
from hypothesis import strategies as st

from reconcile.order import Placed, out_of_order
from tests.reconcile.cases import at

records = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda t: (t[0], t[0] + t[1])),
    max_size=12,
).flatmap(
    lambda spans: st.permutations(range(len(spans))).map(
        lambda offsets: [Placed(at(a), at(b), n) for (a, b), n in zip(spans, offsets, strict=True)]
    )
)


@given(records)
def test_it_is_what_comparing_every_pair_finds(placed: list[Placed]) -> None:
    """A record is wrong if one that was answered before it was sent lies behind it."""
    wrong = [
        index
        for index, one in enumerate(placed)
        if any(other.answered_at < one.sent_at and other.offset > one.offset for other in placed)
    ]
    assert out_of_order(placed) == wrong


def test_two_posts_in_flight_may_land_either_way() -> None:
    """The second was sent before the first was answered: nobody promised an order."""
    assert out_of_order([Placed(at(0), at(5), 9), Placed(at(4), at(6), 3)]) == []
    assert out_of_order([Placed(at(0), at(3), 9), Placed(at(4), at(6), 3)]) == [1]


def test_whoever_was_answered_in_the_very_instant_proves_nothing() -> None:
    """Each record is held against the furthest offset that was promised before it was sent."""
    assert out_of_order([Placed(at(0), at(3), 9), Placed(at(3), at(4), 8)]) == []
    assert out_of_order([Placed(at(4), at(6), 3), Placed(at(0), at(3), 9)]) == [0]
    three = [Placed(at(0), at(1), 9), Placed(at(2), at(3), 4), Placed(at(4), at(5), 6)]
    assert out_of_order(three) == [1, 2]
    assert out_of_order([Placed(at(0), at(1), 0), Placed(at(2), at(3), 0)]) == []
