"""What changed between two readings, and which of it belongs to a fault: laws, and examples of the words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.described import ALTERED, OPAQUE, Change, Description, changes, near
from canary.remembering import from_plain, to_plain

T0 = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

words = st.text(max_size=12).filter(lambda text: not text.startswith(OPAQUE))
things = st.dictionaries(words, st.dictionaries(words, words, max_size=3), max_size=3)
moments = st.integers(-200, 200).map(lambda minutes: T0 + minutes * MINUTE)
readings = st.builds(Description, at=moments, said=things, who=words, dated=st.dictionaries(words, moments))


def _reading(at: datetime, **aspects: str) -> Description:
    return Description(at=at, said={"topic raw": aspects})


@given(readings)
def test_what_did_not_change_is_no_change(reading: Description) -> None:
    """However often it is read."""
    assert changes("raw", reading, replace(reading, at=reading.at + MINUTE)) == []


@given(readings, things)
def test_a_change_lies_between_the_readings(before: Description, said: dict[str, dict[str, str]]) -> None:
    """Each is one line, and may have happened at no other time; what was read once only is none."""
    now = replace(before, at=before.at + MINUTE, said=said)
    found = changes("raw", before, now)

    slack = timedelta(seconds=2)
    assert all(before.at - slack <= one.since <= one.until <= now.at + slack for one in found)
    assert all("\n" not in one.told and len(one.told) <= 200 for one in found)
    common = [thing for thing in said if said[thing] != before.said.get(thing, said[thing])]
    assert bool(found) == bool(common)


def test_the_words_say_what_it_was_and_is() -> None:
    """New, gone, another value; a value that must not be shown only by what its change means."""
    before = _reading(T0, partitions="4", policy="delete", **{"was made again": "#1"})
    now = _reading(T0 + MINUTE, partitions="8", rack="b", **{"was made again": "#2"})

    assert {one.told for one in changes("raw", before, now)} == {
        "topic raw: partitions 4 -> 8",
        "topic raw: policy is gone",
        "topic raw: rack is new (b)",
        "topic raw: was made again",
    }


def test_that_it_was_altered_is_told_only_where_nothing_else_is() -> None:
    """One change is not told twice."""
    before = _reading(T0, a="1", **{ALTERED: "#1"})
    other = _reading(T0 + MINUTE, a="2", **{ALTERED: "#2"})
    only = _reading(T0 + MINUTE, a="1", **{ALTERED: "#2"})

    assert [one.told for one in changes("raw", before, other)] == ["topic raw: a 1 -> 2"]
    assert [one.told for one in changes("raw", before, only)] == ["topic raw: altered"]
    logged = replace(only, done=((T0, "topic raw: Alter by ann"),))
    assert [one.told for one in changes("raw", before, logged)] == ["topic raw: Alter by ann"]


def test_a_time_of_its_own_counts_where_it_can_be_true() -> None:
    """A table that was swapped for an old one has the old one's time."""
    before, now = _reading(T0, a="1"), _reading(T0 + 5 * MINUTE, a="2")
    at, old = T0 + 2 * MINUTE, T0 - timedelta(days=9)

    assert changes("raw", before, replace(now, dated={"topic raw": at}))[0].since == at
    swapped = changes("raw", before, replace(now, dated={"topic raw": old}))[0]
    assert (swapped.since, swapped.until) == (before.at, now.at)


found = st.lists(
    st.builds(
        lambda stage, at, length: Change(stage, f"{stage} {at}", at, at + length * MINUTE),
        st.sampled_from(["raw", "events", "", "elsewhere"]),
        moments,
        st.integers(0, 10),
    ),
    max_size=12,
)


@given(found, moments)
def test_only_what_may_have_come_shortly_before_is_near(them: list[Change], began: datetime) -> None:
    """All of those and no other, the nearest in the pipeline first, each once."""
    far = {"raw": 1, "events": 0}
    hour = timedelta(hours=1)
    picked = near(them, began, within=hour, slack=MINUTE, far=far)

    assert set(picked) == {one for one in them if one.since <= began + MINUTE and one.until >= began - hour}
    assert len(picked) == len(set(picked))
    order = [far.get(one.stage, 2) for one in picked]
    assert order == sorted(order)


@given(st.lists(readings, max_size=3, unique_by=lambda one: one.who))
def test_a_reading_comes_back_as_it_was(them: list[Description]) -> None:
    """From the ledger; anything else there is no reading."""
    said = {one.who: one for one in them}
    assert from_plain(to_plain(said)) == said


@given(
    st.recursive(
        st.none() | st.integers() | words, lambda inner: st.lists(inner) | st.dictionaries(words, inner)
    )
)
def test_what_somebody_else_wrote_is_forgotten(data: object) -> None:
    """Without a fall."""
    from_plain(data)
