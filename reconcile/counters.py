"""Counters that somebody else keeps, and may lose when it restarts: how far they grew, and what it explains.

What is told of a growth is never more than what really happened: counts between the last reading before a
restart and the restart itself are gone, and nobody can say how many they were.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Series = tuple[str, str, str]
"""A replica's address, the counter's name, and the cause it stands for ("" where it has none)."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What one replica said at one time. `born` is when its process started, in its own words; None where
    it does not say."""

    values: Mapping[Series, float]
    born: float | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """By series; `restarts` counts the readings between which a counter began anew."""

    values: Mapping[Series, float] = field(default_factory=dict)
    restarts: int = 0

    def __add__(self, other: "Growth") -> "Growth":
        keys = self.values.keys() | other.values.keys()
        values = {key: self.values.get(key, 0.0) + other.values.get(key, 0.0) for key in keys}
        return Growth(values, self.restarts + other.restarts)


def growth(before: Counters, after: Counters) -> Growth:
    """From one reading of a replica to its next. A series that was not there yet began at 0.

    One process counts them all: where one fell, all began anew. A series that is gone may only be forgotten,
    as some exporters do with idle ones: the others grew by no less than what they are more.
    """
    told = before.born is not None and after.born is not None
    fallen = {key for key, value in after.values.items() if value < before.values.get(key, 0.0)}
    gone = any(key not in after.values for key in before.values)
    anew = before.born != after.born if told else bool(fallen)
    grown = {
        key: max(0.0, value if anew or key in fallen else value - before.values.get(key, 0.0))
        for key, value in after.values.items()
    }
    return Growth(grown, int(anew or (gone and not told)))


@dataclass(frozen=True, slots=True)
class Names:
    """Which counters mean what. `received` and `dropped` are added up; a counter in `also` speaks of the
    same drops as one cause of `dropped` does, so the larger of the two counts."""

    received: frozenset[str]
    dropped: frozenset[str]
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> frozenset[str]:
        return self.received | self.dropped | frozenset(self.also)


@dataclass(frozen=True, slots=True)
class Balance:
    """received = dropped + appended + left, with `error` for what was under way at either end.

    `left` above 0 means that events which were taken in and not dropped are not in the topic; below 0 that
    the topic grew by more than was taken in (other producers, retries, restarts of the counters).
    """

    received: float
    dropped: Mapping[str, float]
    appended: int
    error: float
    restarts: int = 0

    @property
    def left(self) -> float:
        return self.received - sum(self.dropped.values()) - self.appended

    @property
    def state(self) -> str:
        """ "adds up", "missing" or "more"; "uncertain" where a restart may explain what there is too much."""
        if self.left > self.error:
            return "missing"
        if self.left >= -self.error:
            return "adds up"
        return "uncertain" if self.restarts else "more"


def drops(grown: Growth, names: Names) -> Mapping[str, float]:
    """Drops by cause."""
    found: dict[str, float] = {}
    twins: dict[str, float] = {}
    for (_, name, cause), value in grown.values.items():
        if name in names.dropped:
            found[cause] = found.get(cause, 0.0) + value
        elif name in names.also:
            twins[names.also[name]] = twins.get(names.also[name], 0.0) + value
    causes = sorted(found.keys() | twins.keys())
    whole = {cause: max(found.get(cause, 0.0), twins.get(cause, 0.0)) for cause in causes}
    return {cause: value for cause, value in whole.items() if value}


def balance(grown: Growth, appended: int, names: Names, *, slack: float) -> Balance:
    """`slack` is the share of the window in which the readings at its two ends were taken: so much of what
    was received may fall on either side of them. Whole events, and one at the least."""
    received = sum(value for (_, name, _), value in grown.values.items() if name in names.received)
    error = max(1.0, slack * max(received, float(appended)))
    return Balance(received, drops(grown, names), appended, error, grown.restarts)


def shortfall(windows: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """What neighbouring windows (left, error), oldest first, still owe the topic, and the error of that.

    What was taken in at the end of one window may be appended in the next, so a later surplus pays for what
    was left before it. An earlier surplus pays for nothing: it was somebody else's.
    """
    owed = error = 0.0
    for left, uncertain in windows:
        owed = max(0.0, owed + left)
        error = error + uncertain if owed else 0.0
    return owed, error
