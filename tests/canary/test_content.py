"""Comparison: every change of a value is found and named; what is lawful is not."""

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.content import HABITS, MAX_DIFFERENCES, MAX_TEXT, Habits, differences
from canary.event import Payload
from canary.identity import Mint
from canary.values import Content, Event

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SECRET = b"a secret for these tests"
POSTHOG, GENERIC = HABITS["posthog"], HABITS["generic"]
EVENT = Payload(SECRET, "main").event(Mint(SECRET, "main").mint(NOON), distinct_id="d-1", sent_at=NOON)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def found(event: Event = EVENT, /, **changes: Any) -> Content:
    """What a faithful pipeline shows, with some properties replaced."""
    properties = json.loads(json.dumps(dict(event.properties))) | changes
    return Content(event.name, event.distinct_id, event.timestamp, properties)


def with_properties(properties: dict[str, Any]) -> Event:
    return Event(EVENT.id, EVENT.name, EVENT.distinct_id, EVENT.timestamp, properties)


def test_a_faithful_pipeline_changes_nothing() -> None:
    """Neither preset finds a difference, in any key order and with properties added."""
    backwards = dict(reversed(list((found().properties or {}).items()))) | {"$geoip_city": "x", "new": [1]}
    for habits in (POSTHOG, GENERIC):
        assert differences(EVENT, found(), habits=habits) == ()
        assert differences(EVENT, Content(None, None, None, backwards), habits=habits) == ()


def test_javascript_numbers_are_lawful_where_the_preset_says_so() -> None:
    """2**53 + 1 comes back rounded through PostHog; elsewhere that is corruption."""
    sent = with_properties({"n": 2**53 + 1})
    assert differences(sent, found(sent, n=float(2**53)), habits=POSTHOG) == ()
    (one,) = differences(sent, found(sent, n=2**53), habits=GENERIC)
    assert (one.field, one.expected, one.found) == ("n", "9007199254740993", "9007199254740992")


@given(value=values, other=values)
def test_equal_json_is_equal_and_other_json_is_not(value: Any, other: Any) -> None:
    """JSON's own identity decides, but for numbers, which are compared by value."""
    sent = with_properties({"x": value})
    assert differences(sent, found(sent), habits=GENERIC) == ()
    if json.dumps(other, sort_keys=True) != json.dumps(value, sort_keys=True) and other != value:
        assert differences(sent, found(sent, x=other), habits=GENERIC) != ()


@given(name=st.sampled_from(sorted(set(EVENT.properties) - {"$process_person_profile"})), data=st.data())
def test_any_changed_property_is_named(name: str, data: st.DataObject) -> None:
    """Whichever property is lost or replaced, its name leads the path of what is told."""
    lost = found()
    kept = {key: value for key, value in (lost.properties or {}).items() if key != name}
    (absent,) = differences(EVENT, Content(None, None, None, kept), habits=POSTHOG)
    assert (absent.field, absent.found) == (name, "(absent)")
    other = data.draw(scalars.filter(lambda value: value != EVENT.properties[name]))
    told = differences(EVENT, found(EVENT, **{name: other}), habits=POSTHOG)
    assert [one.field.split(".")[0] for one in told] == [name]


def test_fields_inside_are_named_by_their_path() -> None:
    """Only what differs is told, however deep it stands."""
    nested = copy.deepcopy(EVENT.properties["canary_nested"])
    nested["list"][1] = "other"
    nested["text"] = nested["text"] + "!"
    told = differences(EVENT, found(canary_nested=nested), habits=POSTHOG)
    assert [one.field for one in told] == ["canary_nested.list.1", "canary_nested.text"]


@pytest.mark.parametrize(
    ("sent", "seen"),
    [(True, 1), (1, True), (0, False), (None, False), ("1", 1), (1, "1"), ("", None), ([], {}), ({}, None)],
)
def test_types_are_values_too(sent: Any, seen: Any) -> None:
    """A value that changed its type was not intact."""
    event = with_properties({"x": sent})
    assert len(differences(event, found(event, x=seen), habits=POSTHOG)) == 1


def test_event_and_distinct_id_are_compared_where_carried() -> None:
    """A place that does not carry them is not asked for them."""
    told = differences(EVENT, Content("Other", "d-2", None, found().properties), habits=POSTHOG)
    assert [(one.field, one.found) for one in told] == [("event", '"Other"'), ("distinct_id", '"d-2"')]


def test_a_mangled_time_is_told_and_a_recomputed_one_is_not() -> None:
    """Seconds read as milliseconds land in another century; a corrected clock moves by minutes."""

    def at(moment: datetime) -> list[str]:
        content = Content(None, None, moment, found().properties)
        return [one.field for one in differences(EVENT, content, habits=POSTHOG)]

    assert at(NOON + timedelta(hours=2)) == []
    assert at((NOON + timedelta(minutes=1)).replace(tzinfo=None)) == []
    assert at(datetime(2299, 12, 31, tzinfo=UTC)) == ["timestamp"]
    assert at(datetime(1970, 1, 21, tzinfo=UTC)) == ["timestamp"]


def test_unparsable_properties_are_corrupt_where_they_are_carried() -> None:
    """A place without a column for them says so itself."""
    nothing = Content(None, None, None, None)
    assert [one.field for one in differences(EVENT, nothing, habits=POSTHOG)] == ["properties"]
    assert differences(EVENT, nothing, habits=POSTHOG, carries_properties=False) == ()


def test_stripped_nul_is_lawful_and_other_loss_is_not() -> None:
    """NUL may vanish or be replaced; nothing else may."""
    sent = with_properties({"x": "a\0b"})
    for seen in ("a\0b", "ab", "a\ufffdb"):
        assert differences(sent, found(sent, x=seen), habits=POSTHOG) == ()
    assert len(differences(sent, found(sent, x="a"), habits=POSTHOG)) == 1
    assert len(differences(sent, found(sent, x="ab"), habits=Habits(nul=False))) == 1


def test_the_pipelines_own_properties_are_its_own() -> None:
    """PostHog may rewrite what begins with a dollar sign; a generic pipeline may not."""
    changed = found(EVENT, **{"$process_person_profile": True})
    assert differences(EVENT, changed, habits=POSTHOG) == ()
    assert [one.field for one in differences(EVENT, changed, habits=GENERIC)] == ["$process_person_profile"]


def test_texts_are_short_plain_and_show_where_they_part() -> None:
    """A megabyte, half a character or a look-alike does no harm and can be told apart."""
    sent = with_properties({"x": "a" * 5000 + "é"})
    (one,) = differences(sent, found(sent, x="a" * 5000 + "e\u0301\ud800" + "z" * 10**6), habits=POSTHOG)
    assert len(one.expected) <= MAX_TEXT + 2
    assert len(one.found) <= MAX_TEXT + 2
    assert "\\u00e9" in one.expected
    assert "e\\u0301\\ud800" in one.found
    (one.expected + one.found).encode()


def test_an_event_mangled_all_over_is_told_by_its_first_fields() -> None:
    """What is told stays short."""
    assert len(differences(EVENT, Content("x", "y", None, {}), habits=GENERIC)) == MAX_DIFFERENCES


def test_numbers_too_large_for_a_double_are_different() -> None:
    """A hostile integer of a thousand digits is compared, not choked on."""
    sent = with_properties({"x": 1.5})
    assert len(differences(sent, found(sent, x=10**1000), habits=POSTHOG)) == 1
