"""What passes between the edge of a table and the comparison of two."""

from dataclasses import dataclass
from datetime import datetime


class TableTroubleError(Exception):
    """A table could not be asked; `over_budget` when a smaller question might be answered."""

    def __init__(self, reason: str, *, over_budget: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.over_budget = over_budget


@dataclass(frozen=True, slots=True)
class Span:
    """Rows whose own timestamp lies in `[start, end)`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows of a span whose id's hash ends in one of `keys`, of so many bits; all of them at 0 bits."""

    span: Span
    bits: int = 0
    keys: tuple[int, ...] = ()
