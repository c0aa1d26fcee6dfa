"""How long a table keeps its rows, in the words of its engine."""

from datetime import UTC, datetime, timedelta

import pytest

from canary.edges.clickhouse.lifetimes import kept_since, lifetimes, may_remove
from canary.edges.clickhouse.schema import Column, ttl

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ENGINE = "ReplacingMergeTree(_timestamp) PARTITION BY toDate(_timestamp) ORDER BY (a, b)"
RECORDED = Column("_timestamp", "DateTime('UTC')")


def removed(told: str, event: dict[str, object], at: datetime | None) -> bool:
    full = f"{ENGINE} TTL {told} SETTINGS index_granularity = 8192"
    return bool(may_remove(lifetimes(ttl(full)), kafka_time=RECORDED, now=lambda: NOW)(event, at))


def test_a_table_without_one_keeps_its_rows() -> None:
    """And so does one that only moves or packs them."""
    day = "_timestamp + toIntervalDay(1)"
    moved = f"{day} TO VOLUME 'cold', {day} RECOMPRESS CODEC(ZSTD(1))"

    assert ttl(f"{ENGINE} SETTINGS index_granularity = 8192") == ttl(ENGINE) == ttl("Kafka") == ""
    assert not removed(moved, {}, NOW - 100 * DAY)


@pytest.mark.parametrize(
    ("told", "days"),
    [
        ("_timestamp + toIntervalDay(7)", 7),
        ("toDateTime(_timestamp) + toIntervalWeek(4) DELETE", 28),
        ("toDate(`_timestamp`) + toIntervalMonth(1) DELETE WHERE team_id = 7", 28),
        ("inserted_at + toIntervalHour(48), _timestamp + toIntervalYear(1)", 2),
        ("timestamp + toIntervalQuarter(1) GROUP BY a SET b = any(b)", 90),
    ],
)
def test_an_event_goes_when_its_time_is_over(told: str, days: int) -> None:
    """By its record's time, where it has no field of the column's name; a little early, for clocks differ."""
    assert removed(told, {}, NOW - days * DAY)
    assert removed(told, {}, NOW - days * DAY + timedelta(minutes=5))
    assert not removed(told, {}, NOW - days * DAY + timedelta(minutes=6))
    assert removed(told, {}, None)


@pytest.mark.parametrize(
    ("old", "young"),
    [
        ("2026-01-24T12:00:00Z", "2026-01-25T12:00:00Z"),
        ("2026-01-24 13:00:00+01:00", "2026-01-25 13:00:00.123456+01:00"),
        ("2026-01-25 01:59:59.000", "2026-01-25 03:00:00"),
        (1769256000, 1769342400),
        (1769256000_000, 1769342400_000),
        (1769256000_000_000.0, 1769342400_000_000),
    ],
)
def test_an_imported_event_goes_by_its_own_time(old: object, young: object) -> None:
    """However fresh its record is; one without a zone may be of any."""
    assert removed("timestamp + toIntervalDay(7)", {"timestamp": old}, NOW)
    assert not removed("timestamp + toIntervalDay(7)", {"timestamp": young}, NOW)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("", None),
        ("_timestamp + toIntervalDay(7) TO DISK 'cold'", None),
        ("_timestamp + toIntervalDay(7)", NOW - 7 * DAY),
        ("_timestamp + toIntervalDay(7), toDate(inserted_at) + toIntervalDay(3)", NOW - 3 * DAY),
        ("_timestamp + toIntervalDay(7), timestamp + toIntervalDay(3)", NOW),
        ("_timestamp + toIntervalDay(keep_days)", NOW),
    ],
)
def test_since_when_a_table_surely_has_all_that_came(told: str, kept: datetime | None) -> None:
    """Of which only the time of its coming is known: another column may hold any time."""
    since = kept_since(lifetimes(told), arrivals={"_timestamp", "inserted_at"}, now=NOW)

    assert since == (None if kept is None else kept + timedelta(minutes=5))


@pytest.mark.parametrize("value", ["soon", "", None, True, [], 1e300, float("nan"), "9999-99-99"])
def test_a_field_that_is_no_time_is_none(value: object) -> None:
    """The record's stands for it."""
    assert not removed("timestamp + toIntervalDay(7)", {"timestamp": value}, NOW)
    assert removed("timestamp + toIntervalDay(7)", {"timestamp": value}, NOW - 8 * DAY)


@pytest.mark.parametrize(
    "told",
    [
        "keep_until",
        "_timestamp + toIntervalDay(keep_days)",
        "_timestamp + toIntervalDay(7) + toIntervalDay(1)",
        "_timestamp + toIntervalDay(7) - toIntervalDay(6)",
        "_timestamp + if(team_id = 7, toIntervalDay(1), toIntervalDay(7))",
        "toDateTime('2026-01-01 00:00:00') + toIntervalDay(7)",
        "_timestamp - toIntervalDay(7)",
    ],
)
def test_one_that_cannot_be_followed_may_have_removed_anything(told: str) -> None:
    """Nobody can tell, and it says so."""
    assert removed(told, {}, NOW)
