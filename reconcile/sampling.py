"""Events of one topic looked for in the next: a sample that both sides choose alike, and what it can miss."""

import math
from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

CONFIDENCE = 0.95


def chosen(id_: bytes, share: float) -> bool:
    """Whether an id is in a sample of this share, 0 to 1: the same answer wherever it is asked."""
    return int.from_bytes(blake2b(id_, digest_size=8).digest()) < share * 2.0**64


def missed_at_most(sampled: int, lost: int, confidence: float = CONFIDENCE) -> float:
    """The largest share lost that a sample with so many lost does not speak against (Clopper and Pearson's
    exact one-sided bound, 1934; without a loss about 3 of the sample's size, the "rule of three").

    It holds where each event is lost by itself. A block that lies outside of the sample is not seen at all.
    """
    if lost >= sampled:
        return 1.0
    if lost == 0:
        return 1.0 - float((1.0 - confidence) ** (1.0 / sampled))
    low, high = lost / sampled, 1.0
    while low < (middle := (low + high) / 2) < high:
        if _at_most(lost, sampled, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(lost: int, sampled: int, share: float) -> float:
    """The chance of so many losses or fewer, where each event is lost with this chance, between 0 and 1."""
    total = 0.0
    for k in range(lost + 1):
        ways = math.lgamma(sampled + 1) - math.lgamma(k + 1) - math.lgamma(sampled - k + 1)
        total += math.exp(ways + k * math.log(share) + (sampled - k) * math.log1p(-share))
    return total


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sample: sampled = arrived + dead_lettered + waiting + unread + lost."""

    arrived: int
    dead_lettered: int
    waiting: int
    unread: int
    lost: int

    @property
    def sampled(self) -> int:
        return self.arrived + self.dead_lettered + self.waiting + self.unread + self.lost

    @property
    def verdict(self) -> str:
        """A loss is proven, a backlog is none, and what could not be read is unknown."""
        if self.lost:
            return "fault"
        return "unknown" if self.unread else "degraded" if self.waiting or self.dead_lettered else "ok"

    @property
    def bound(self) -> float:
        """The largest share lost that this does not speak against; only what was judged counts."""
        return missed_at_most(self.sampled - self.waiting - self.unread, self.lost)


OUTCOMES = tuple(one.name for one in fields(Sampled))
"""What may become of a sampled event, the good one first."""


def judge(
    sampled: Mapping[K, bool | None],
    *,
    arrived: AbstractSet[K],
    letters: AbstractSet[K],
    whole: bool,
) -> dict[K, str]:
    """What became of each: `sampled` tells whether the consumer had passed all of its records (None: nobody
    knows) before the next topic was read to its end, `whole` whether it was, dead letters too."""
    return {key: _one(key, passed, arrived, letters, whole) for key, passed in sampled.items()}


def _one(key: K, passed: bool | None, arrived: AbstractSet[K], letters: AbstractSet[K], whole: bool) -> str:
    if key in arrived:
        return "arrived"
    if key in letters:
        return "dead_lettered"
    if passed is False:
        return "waiting"
    return "lost" if passed and whole else "unread"


def count(outcomes: Mapping[K, str]) -> Sampled:
    """The sums of a sample."""
    told = list(outcomes.values())
    names = ("arrived", "dead_lettered", "waiting", "unread", "lost")
    return Sampled(*(told.count(name) for name in names))
