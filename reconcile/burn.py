"""Error budgets: how much of what was promised is used up, and how fast, over several windows at once.

A burn rate of 1 uses the budget up exactly when its period ends. A tier holds when both its windows burn
that fast: the long one says that it matters, the short one that it goes on (Google SRE Workbook, chapter 5).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Tier:
    """So large a share of the budget within the long window; the short one ends the alarm."""

    share: float
    long: timedelta
    short: timedelta
    urgent: bool

    def rate(self, over: timedelta) -> float:
        """The burn rate that uses that share up in the long window."""
        return self.share * (over / self.long)


TIERS = (
    Tier(0.02, timedelta(hours=1), timedelta(minutes=5), urgent=True),
    Tier(0.05, timedelta(hours=6), timedelta(minutes=30), urgent=True),
    Tier(0.10, timedelta(days=3), timedelta(hours=6), urgent=False),
)
"""Over 30 days these are the burn rates 14.4, 6 and 1."""


@dataclass(frozen=True, slots=True)
class Count:
    """What was looked at, and what of it was bad."""

    total: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """An objective at one moment: its counts by window, what burns, and what is left.

    Parameters
    ----------
    until: the end of what was counted. `since`: its beginning, where that is less than the whole period.
    tier: the most urgent tier that holds; None where none does.
    fresh: what was counted lately; without anything bad in it, it goes on no longer.
    budget: how much may be bad over the whole period, at the pace at which things are counted.
    """

    allowed: float
    over: timedelta
    since: datetime
    until: datetime
    counts: Mapping[timedelta, Count]
    tier: Tier | None
    fresh: Count
    budget: float

    @property
    def whole(self) -> Count:
        """Over all of the period, as far as it is known."""
        return self.counts[self.over]

    def burn(self, length: timedelta) -> float:
        """How many times too fast over a window; what was not counted yet is taken to be all right."""
        return _burn(self.counts[length], length, self.until - self.since, self.allowed)

    @property
    def left(self) -> float:
        """What may still be bad; below 0 where the promise is broken."""
        return self.budget - self.whole.bad

    @property
    def left_share(self) -> float:
        """The same as a share of the budget."""
        return self.left / self.budget if self.budget else 0.0

    @property
    def outage(self) -> timedelta:
        """How long everything could be bad until the budget is used up, at the pace of the last hour."""
        hour = self.counts[TIERS[0].long].total
        return timedelta(hours=max(self.left, 0.0) / hour) if hour else timedelta(0)

    @property
    def used_up_in(self) -> timedelta | None:
        """When nothing is left if it goes on like in the tier's long window; None: it does not."""
        burn = self.burn(self.tier.long) if self.tier else 0.0
        return self.over * (max(self.left_share, 0.0) / burn) if burn else None


def stand(
    newest_first: Iterable[tuple[datetime, Count]],
    *,
    until: datetime,
    since: datetime,
    whole: Count,
    allowed: float,
    over: timedelta,
    fresh: timedelta,
) -> Standing:
    """Where an objective stands.

    Parameters
    ----------
    newest_first: what was counted, by its start, all of it ended by `until`; read as far as it is needed.
    since, whole: the beginning and the sum of all that was counted within the period.
    """
    lengths = sorted({fresh, *(length for tier in TIERS for length in (tier.long, tier.short))})
    counts = {**_counted(newest_first, until, lengths), over: whole}
    known = until - since
    holding = (
        tier
        for tier in TIERS
        if all(_burn(counts[one], one, known, allowed) >= tier.rate(over) for one in (tier.long, tier.short))
    )
    expected = whole.total * (over / known) if known else 0.0
    tier = next(holding, None)
    return Standing(allowed, over, since, until, counts, tier, counts[fresh], budget=allowed * expected)


def _counted(
    newest_first: Iterable[tuple[datetime, Count]], until: datetime, lengths: Sequence[timedelta]
) -> dict[timedelta, Count]:
    """Each length back from the end, in one pass over no more than the longest."""
    counts: dict[timedelta, Count] = {}
    total = bad = 0
    waiting = list(lengths)
    for start, count in newest_first:
        while waiting and start < until - waiting[0]:
            counts[waiting.pop(0)] = Count(total, bad)
        if not waiting:
            break
        total, bad = total + count.total, bad + count.bad
    counts.update((length, Count(total, bad)) for length in waiting)
    return counts


def _burn(count: Count, length: timedelta, known: timedelta, allowed: float) -> float:
    """0 where nothing was looked at."""
    if not count.total:
        return 0.0
    return count.bad / count.total / allowed * min(1.0, known / length)
