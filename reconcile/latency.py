"""Latency known only as an interval: not there at one look, there at the next."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Measured:
    """A duration in seconds, right to within plus or minus `error` seconds."""

    seconds: float
    error: float


def between(
    start: tuple[datetime, datetime], end: tuple[datetime, datetime], *, floor: timedelta = timedelta(0)
) -> Measured:
    """From one event to another, each known to lie between its (earliest, latest); never below `floor`."""
    low = max((end[0] - start[1]).total_seconds(), floor.total_seconds())
    high = max((end[1] - start[0]).total_seconds(), low)
    return Measured((low + high) / 2, (high - low) / 2)


def summary(samples: Sequence[Measured]) -> dict[str, float] | None:
    """p50, p90, p99 and max in seconds by nearest rank, with the widest error; None without samples."""
    if not samples:
        return None
    values = sorted(sample.seconds for sample in samples)

    def rank(share: float) -> float:
        return values[max(math.ceil(share * len(values)) - 1, 0)]

    return {
        "p50": rank(0.5),
        "p90": rank(0.9),
        "p99": rank(0.99),
        "max": values[-1],
        "error": max(sample.error for sample in samples),
    }
