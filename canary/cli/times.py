"""Times and durations as they are typed: everything that is wrong with them at once, each by its option."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import typer

from canary.cli import codes
from canary.cli.common import fail

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", re.ASCII)
_LONGEST = timedelta(days=36_500)
_FIRST, _AFTER_LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC)
"""What every ClickHouse DateTime can hold."""


def duration(text: str) -> timedelta:
    """`10s`, `5m`, `1h`, `2d`, or a bare number of seconds, as a flag's value."""
    try:
        return _length(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def length(option: str, text: str) -> timedelta:
    """The same, of an option that a command reads by itself."""
    try:
        return _length(text)
    except ValueError as error:
        fail(codes.USAGE, f"{option}: {error}")


def moments(now: datetime, given: Mapping[str, str | None]) -> list[datetime | None]:
    """What the options say, in their order: a time of day (UTC unless it says otherwise), or how long ago.

    None stands for an option that was not given.
    """
    found: list[datetime | None] = []
    wrong: list[str] = []
    for option, text in given.items():
        try:
            found.append(None if text is None else _moment(text.strip(), now))
        except ValueError as error:
            wrong.append(f"{option}: {error}")
    if wrong:
        fail(codes.USAGE, *wrong)
    return found


def in_order(begin: datetime, end: datetime) -> None:
    """End the command where `--from` is not before `--to`."""
    if begin >= end:
        fail(codes.USAGE, f"--from: must be before --to (got --from {_told(begin)}, --to {_told(end)})")


def in_past(option: str, moment: datetime, now: datetime) -> None:
    """End the command where what has not been yet would be asked for."""
    if moment >= now:
        fail(codes.USAGE, f"{option}: must be in the past (got {_told(moment)})")


def _length(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'must be a duration such as 10s, 5m or 1h (got "{text}")')
    seconds = float(match[1]) * _UNITS[match[2] or "s"]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f'must be at most {_LONGEST.days}d (got "{text}")')
    return timedelta(seconds=seconds)


def _moment(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    ago = text.removesuffix(" ago")
    if _DURATION.fullmatch(ago) and not ago.isdecimal():  # 20260131 is a day
        at = now - _length(ago)
    else:
        try:
            at = datetime.fromisoformat(text)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except ValueError:
            what = "must be a time such as 2026-01-31T14:00, or 2h for so long ago"
            raise ValueError(f'{what} (got "{text}")') from None
        except OverflowError:
            at = _AFTER_LAST
    if not _FIRST <= at < _AFTER_LAST:
        raise ValueError(f'must be of the years {_FIRST.year} to {_AFTER_LAST.year - 1} (got "{text}")')
    return at


def _told(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
