"""A time as pipelines write it."""

from datetime import UTC, datetime


def utc(text: str) -> datetime | None:
    """ISO 8601 or ClickHouse's format, in UTC unless it says otherwise; None where it is no time.

    What has a place in its own zone may have none in UTC: before the year 1, or past 9999.
    """
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
