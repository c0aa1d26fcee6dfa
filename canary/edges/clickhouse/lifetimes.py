"""How long a table keeps its rows, by its TTL: what it may have removed is no loss. Pure.

ClickHouse removes a row some time after its TTL is over, when it merges. Where the TTL cannot be followed, a
missing row may have been removed.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from canary.edges.clickhouse.schema import Column, split
from canary.traffic import Removes
from canary.values import Now

MARGIN = timedelta(minutes=5)
"""So far the server's clock may be ahead of ours."""

ANY_ZONE = timedelta(hours=14)
"""So much earlier than in UTC a time without a zone may be."""

LARGEST = 1e17
"""No number beyond it is a time: microseconds of the year 5000 end here."""

_UNITS = {"Second": 1, "Minute": 60, "Hour": 3600, "Day": 86400, "Week": 604800}
_LONGER = {"Month": 28, "Quarter": 90, "Year": 365}
_SECONDS = _UNITS | {unit: days * 86400 for unit, days in _LONGER.items()}
_INTERVAL = re.compile(rf"\+\s*toInterval({'|'.join(_SECONDS)})\((\d+)\)")
_ELSEWHERE = re.compile(r"\s(?:TO\s+(?:DISK|VOLUME)|RECOMPRESS)\b", re.IGNORECASE)
_BEHIND = re.compile(r"\s(?:DELETE|WHERE|GROUP\s+BY|SET)\b", re.IGNORECASE)
_NAME = re.compile(r"`([^`]+)`|\b([A-Za-z_]\w*)\b(?!\s*\()")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Rows go so long `after` the time in one of `columns`; `after` is None where that cannot be told."""

    text: str
    columns: tuple[str, ...]
    after: timedelta | None


def lifetimes(ttl: str) -> list[Lifetime]:
    """The parts of a TTL that remove rows; those that only move or pack them are none."""
    return [_lifetime(part) for part in split(ttl) if not _ELSEWHERE.search(part)]


def _lifetime(part: str) -> Lifetime:
    kept = _BEHIND.split(part)[0]
    told = _INTERVAL.findall(kept)
    rest = _INTERVAL.sub("", kept)
    columns = tuple(quoted or plain for quoted, plain in _NAME.findall(rest))
    plain = len(told) == 1 and columns and not re.search(r"[-+*/]|toInterval", rest)
    after = timedelta(seconds=_SECONDS[told[0][0]] * int(told[0][1])) if plain else None
    return Lifetime(part[:_SHOWN], columns, after)


def may_remove(kept: Sequence[Lifetime], *, kafka_time: Column | None, now: Now) -> Removes:
    """What to ask about each event. A column is filled from the event's field of its name, else when the
    record came, as that with the record's time is."""
    recorded = kafka_time.expression.strip("`") if kafka_time is not None else ""

    def check(event: Mapping[str, object], at: datetime | None) -> str:
        for one in kept:
            since = [at if name == recorded else _time(event.get(name)) or at for name in one.columns]
            known = [moment for moment in since if moment is not None]
            if one.after is None or len(known) < len(since) or min(known) + one.after <= now() + MARGIN:
                return f"the table's TTL ({one.text}) may have removed it"
        return ""

    return check


def kept_since(kept: Sequence[Lifetime], *, arrivals: AbstractSet[str], now: datetime) -> datetime | None:
    """Since when a table surely has all rows that came; None where it keeps them for ever. Only columns of
    `arrivals` tell when a row came: any other may hold any time."""
    known = [one.after if set(one.columns) <= arrivals else timedelta(0) for one in kept]
    return now + MARGIN - min(after or timedelta(0) for after in known) if known else None


def _time(value: object) -> datetime | None:
    """A field's time, the earliest that it may mean; None for what is none."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC) - ANY_ZONE
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST:
            return datetime.fromtimestamp(_seconds(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _seconds(number: float) -> float:
    """Unix seconds of a number that may as well be milli- or microseconds."""
    while abs(number) >= 1e11:
        number /= 1000
    return number
