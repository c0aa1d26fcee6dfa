"""Rows as text become sightings; whatever stands in them is data."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.edges.clickhouse.rows import Found, Row, Seeing, found, moment
from canary.edges.clickhouse.schema import Column, Shape

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = uuid.UUID(int=7)
SHAPE = Shape("d", "events", {"id": Column("uuid", "UUID")}, merges=True)
SEEING = Seeing("events", SHAPE, seen_at=NOON)
ROW: dict[str, str | None] = {
    "id": str(ID),
    "event": "e",
    "distinct_id": "d",
    "timestamp": "2026-03-01 11:59:59.123456",
    "properties": '{"a": 1}',
    "at": "2026-03-01 11:59:59.5",
    "offset": "42",
    "part": "(202603)",
    "key": "(1,'2026-03-01','e',1,2)",
}


def _found(*rows: Row, seeing: Seeing = SEEING) -> Found:
    return found(rows, {ID}, seeing=seeing, rows_per_id=3)


def test_a_row_is_a_sighting() -> None:
    """Times in UTC, numbers as numbers, the row named by what tells it from others."""
    [seen] = _found(ROW).sightings
    assert (seen.id, seen.stage, seen.place, seen.offset, seen.partition) == (
        ID,
        "events",
        "events",
        42,
        None,
    )
    assert seen.at == datetime(2026, 3, 1, 11, 59, 59, 500000, tzinfo=UTC)
    assert seen.content is not None
    assert seen.content.properties == {"a": 1}
    assert seen.row.startswith("part=202603 day=2026-03-01 key=")


def test_rows_are_named_the_same_at_every_look() -> None:
    """The order in which a server answers does not matter."""
    later = {**ROW, "at": "2026-03-01 12:00:00", "offset": "43"}
    other = {**ROW, "key": "(1,'2026-03-02','e',1,2)", "timestamp": "2026-03-02 00:00:00"}
    one, two = _found(ROW, later, other), _found(other, later, ROW)
    assert [seen.row for seen in one.sightings] == [seen.row for seen in two.sightings]
    assert len({seen.row for seen in one.sightings}) == 3


def test_twins_are_two_rows_and_the_second_will_merge() -> None:
    """Rows that are equal in all we know still count."""
    first, second = _found(ROW, ROW).sightings
    assert first.row != second.row
    assert (first.mergeable, second.mergeable) == (False, True)
    plain = replace(SEEING, shape=replace(SHAPE, merges=False))
    assert [seen.mergeable for seen in _found(ROW, ROW, seeing=plain).sightings] == [False, False]


def test_another_partition_or_shard_never_merges() -> None:
    """A merge looks at one part of the table on one shard."""
    for change in ({"part": "(202604)"}, {"shard": "2"}, {"key": "(2)"}):
        assert [seen.mergeable for seen in _found(ROW, {**ROW, **change}).sightings] == [False, False]


def test_rows_beyond_the_limit_are_counted() -> None:
    """However often a row was stored, the answer stays small."""
    result = _found(*[ROW] * 5)
    assert len(result.sightings) == 3
    assert result.counts["rows_beyond_limit"] == 2


def test_broken_values_are_counted_and_left_out() -> None:
    """Each is None in the sighting; the row is seen all the same."""
    broken = {
        **ROW,
        "properties": "{",
        "at": "yesterday",
        "offset": "many",
        "timestamp": "0000-00-00 00:00:00",
    }
    result = _found(broken)
    [seen] = result.sightings
    assert (seen.at, seen.offset) == (None, None)
    assert seen.content is not None
    assert (seen.content.properties, seen.content.timestamp) == (None, None)
    assert (result.counts["unparsable"], result.counts["wrong_type"]) == (1, 3)


def test_a_deeply_nested_text_is_unparsable() -> None:
    """And no reason to stop."""
    assert _found({**ROW, "properties": "[" * 100_000}).counts["unparsable"] == 1


def test_the_tenant_of_a_distinct_id_is_learned() -> None:
    """From the rows that were found."""
    assert _found({**ROW, "tenant": "7"}).tenants == {"d": "7"}


def test_the_last_miss_bounds_the_arrival() -> None:
    """What an earlier look did not show came after it."""
    missed = NOON - timedelta(seconds=1)
    [seen] = _found(ROW, seeing=replace(SEEING, missed={ID: missed})).sightings
    assert seen.not_before == missed


def test_a_guessed_miss_bounds_the_arrival_of_the_tenants_it_asked_for() -> None:
    """A first row of a distinct_id proves whether the guess about its tenant was right."""
    seeing = replace(SEEING, guessed={ID: (NOON, {"7"})})
    [ours] = _found({**ROW, "tenant": "7"}, seeing=seeing).sightings
    [other] = _found({**ROW, "tenant": "8"}, seeing=seeing).sightings
    assert (ours.not_before, other.not_before) == (NOON, None)


ANY_ROW = st.dictionaries(
    st.sampled_from([*ROW, "partition", "shard", "tenant"]), st.none() | st.text(), max_size=12
)


@given(st.lists(ANY_ROW, max_size=5), st.booleans())
def test_no_row_can_raise(rows: list[dict[str, str | None]], ours: bool) -> None:
    """Rows of other ids are counted, ours are seen, whatever else they say."""
    if ours:
        rows = [{**row, "id": str(ID)} for row in rows]
    result = _found(*rows)
    assert len(result.sightings) + result.counts.get("not_asked", 0) + result.counts.get(
        "rows_beyond_limit", 0
    ) == len(rows)


@given(st.text())
def test_a_text_is_a_time_or_none(text: str) -> None:
    """And a time is always aware."""
    parsed = moment(text)
    assert parsed is None or parsed.tzinfo is UTC
