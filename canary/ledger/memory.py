"""What the one writer need not ask again: each partition's latest interval and position, and windows."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from canary.ledger import read
from canary.values import Coverage

MAX_WINDOWS = 1000

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Read:
    """A position as it was first read: when, and (committed, log start)."""

    at: datetime
    said: tuple[int | None, int | None]


class Memory:
    """Filled from the tables when first asked; forgotten whole when a transaction fails."""

    def __init__(self) -> None:
        self.windows: set[tuple[datetime, str]] = set()
        self._coverage: dict[str, dict[Partition, Coverage]] = {}
        self._positions: dict[str, dict[Partition, Read]] = {}

    def opened(self, windows: set[tuple[datetime, str]]) -> None:
        """These windows are in the tables; the oldest need not be known for ever."""
        if len(self.windows) > MAX_WINDOWS:
            self.windows.clear()
        self.windows |= windows

    def forget(self) -> None:
        """Nothing is known any more: the tables may say otherwise."""
        self.windows.clear()
        self._coverage.clear()
        self._positions.clear()

    def coverage(self, stage: str, connection: Connection) -> dict[Partition, Coverage]:
        """The latest interval of each of a stage's partitions; the caller keeps it so."""
        if stage not in self._coverage:
            self._coverage[stage] = read.last_coverage(connection, stage)
        return self._coverage[stage]

    def positions(self, stage: str, connection: Connection) -> dict[Partition, Read]:
        """The latest position of each of a stage's partitions; the caller keeps it so."""
        if stage not in self._positions:
            latest = read.positions(connection, stage, since=None)
            self._positions[stage] = {
                (one.place, one.partition): Read(one.read_at, (one.committed, one.log_start))
                for one in latest
            }
        return self._positions[stage]
