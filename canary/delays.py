"""What passes between the edge of a table and the measuring of the real traffic's delay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Delay:
    """Of all rows that came in `[start, end)`: seconds from one of the table's columns to another.

    `seconds` by name (p50, p90, p99, max), empty without rows; `unknown` rows lack one of the two times,
    `negative` ones came before they were sent: clocks differ by that much. Both kinds are in no quantile.
    `late` rows took longer than `late_after`.
    """

    start: datetime
    end: datetime
    rows: int
    unknown: int
    negative: int
    seconds: Mapping[str, float]
    late: int = 0
    late_after: timedelta = timedelta.max
