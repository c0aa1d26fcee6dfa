"""Samples by a hash of the id, and what they can miss: the bound is exact and errs on the safe side."""

from math import comb, nextafter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.sampling import Sampled, chosen, count, judge, missed_at_most


@given(st.binary(min_size=16, max_size=16), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_holds_the_smaller_one(id_: bytes, one: float, other: float) -> None:
    """So both sides choose the same, and a share can change between them without a false loss."""
    small, large = sorted((one, other))

    assert not chosen(id_, small) or chosen(id_, large)
    assert chosen(id_, 1.0)
    assert not chosen(id_, 0.0)


def test_the_sample_is_the_same_for_ever_and_ends_before_its_share() -> None:
    """This id's hash is exactly that share of all there are: it is the first one that is not in."""
    first_out, share = UUID(int=4569).bytes, 0.07069087305804067
    assert not chosen(first_out, share)
    assert chosen(first_out, nextafter(share, 1.0))


def test_a_share_is_about_the_share() -> None:
    """Of ids in a row as of any other."""
    picked = sum(chosen(UUID(int=n).bytes, 0.2) for n in range(20_000))

    assert 3_700 < picked < 4_300


@pytest.mark.parametrize("sampled", [10, 100, 1000, 20_000])
def test_without_a_loss_the_bound_is_the_rule_of_three(sampled: int) -> None:
    """About 3 of the sample's size, and no more."""
    assert 0.85 * 3 / sampled < missed_at_most(sampled, 0) <= 3 / sampled


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_the_bound_is_where_so_few_losses_become_unlikely(case: tuple[int, int]) -> None:
    """At the bound, so many losses or fewer have a chance of 5 %: checked against plain arithmetic."""
    sampled, lost = case

    bound = missed_at_most(sampled, lost)

    assert lost / sampled <= bound <= 1
    if lost < sampled:
        chance = sum(comb(sampled, k) * bound**k * (1 - bound) ** (sampled - k) for k in range(lost + 1))
        assert chance == pytest.approx(0.05, abs=1e-6)
        assert missed_at_most(sampled + 1, lost) <= bound
        assert missed_at_most(sampled, lost + 1) >= bound


ids = st.sampled_from("abcdefgh")


@given(st.dictionaries(ids, st.sampled_from([True, False, None])), st.sets(ids), st.sets(ids), st.booleans())
def test_every_event_has_one_end_and_a_loss_has_a_proof(
    sampled: dict[str, bool | None], arrived: set[str], letters: set[str], whole: bool
) -> None:
    """The sum law; and lost is only what was passed, and is in nothing that was read to its end."""
    outcomes = judge(sampled, arrived=arrived, letters=letters, whole=whole)
    told = count(outcomes)

    assert outcomes.keys() == sampled.keys()
    assert told.sampled == len(sampled)
    for key, outcome in outcomes.items():
        if outcome == "lost":
            assert whole
            assert sampled[key] is True
            assert key not in arrived | letters
        if key in arrived:
            assert outcome == "arrived"


def test_a_sample_at_its_edges() -> None:
    """Nothing looked at excludes nothing; all lost is all; of many, few."""
    assert (missed_at_most(0, 0), missed_at_most(-1, 0), missed_at_most(5, 5), missed_at_most(5, 9)) == (
        1.0,
    ) * 4
    assert missed_at_most(1, 0) == pytest.approx(0.95)
    assert missed_at_most(100, 1) == pytest.approx(0.04656, abs=1e-5)
    assert missed_at_most(10, 3, confidence=0.5) == pytest.approx(0.355, abs=1e-3)


@pytest.mark.parametrize(
    ("passed", "whole", "outcome"),
    [
        (True, True, "lost"),
        (True, False, "unread"),
        (False, True, "waiting"),
        (False, False, "waiting"),
        (None, True, "unread"),
        (None, False, "unread"),
    ],
)
def test_what_is_not_there_is_lost_only_when_passed_and_all_was_read(
    passed: bool | None, whole: bool, outcome: str
) -> None:
    """What is there, or among the dead letters, is so whatever else is known."""
    given = {"gone": passed, "here": passed, "letter": passed}
    found = judge(given, arrived={"here"}, letters={"letter", "here"}, whole=whole)
    assert found == {"gone": outcome, "here": "arrived", "letter": "dead_lettered"}
    told = count(found)
    assert told.sampled == 3
    judged = 3 if outcome == "lost" else 2
    assert told.bound == missed_at_most(judged, told.lost)


def test_every_end_is_counted() -> None:
    """Each by itself."""
    told = count(
        dict(enumerate(["arrived"] * 5 + ["dead_lettered"] * 4 + ["waiting"] * 3 + ["unread"] * 2 + ["lost"]))
    )
    assert (told.arrived, told.dead_lettered, told.waiting, told.unread, told.lost) == (5, 4, 3, 2, 1)
    assert told.sampled == 15
    assert told.bound == missed_at_most(10, 1)


@pytest.mark.parametrize(
    ("sample", "verdict"),
    [
        (Sampled(1, 0, 0, 0, 0), "ok"),
        (Sampled(1, 1, 0, 0, 0), "degraded"),
        (Sampled(1, 0, 1, 0, 0), "degraded"),
        (Sampled(1, 0, 0, 1, 0), "unknown"),
        (Sampled(1, 1, 1, 1, 0), "unknown"),
        (Sampled(1, 1, 1, 1, 1), "fault"),
    ],
)
def test_a_sample_is_as_good_as_the_worst_in_it(sample: Sampled, verdict: str) -> None:
    """A proven loss first, then what nobody knows, then what waits or was turned away."""
    assert sample.verdict == verdict
