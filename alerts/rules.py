"""What a person sets: how long a condition must hold, how often it is told, when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """How one family of conditions becomes messages."""

    for_: timedelta = timedelta()
    """How long it must hold before anybody is told."""
    repeat: timedelta | None = timedelta(hours=4)
    """How often an open incident is told again; None means never."""
    resolve_delay: timedelta = timedelta(seconds=60)
    """How long it must be known to be gone before it is called resolved."""
    growth: float = 10.0
    """A count this many times the one last told is told before the repeat is due."""
    growth_gap: timedelta = timedelta(minutes=5)
    """The least time between two such messages."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules by key prefix (the longest that fits wins), and the limit over all of them."""

    default: Rule = Rule()
    by_prefix: Mapping[str, Rule] = field(default_factory=dict)
    per_hour: int = 60

    def __post_init__(self) -> None:
        if self.per_hour < 1:
            raise ValueError(f"per_hour: must be at least 1 (got {self.per_hour})")

    def of(self, key: str) -> Rule:
        """The rule for this key."""
        fitting = [prefix for prefix in self.by_prefix if key.startswith(prefix)]
        return self.by_prefix[max(fitting, key=len)] if fitting else self.default

    def with_rule(self, prefix: str, rule: Rule) -> "Rules":
        """The same rules and one more."""
        return replace(self, by_prefix={**self.by_prefix, prefix: rule})

    @property
    def summaries_per_hour(self) -> int:
        """The part of the limit kept for summaries, so that a storm never leaves an hour of silence."""
        return max(1, min(6, self.per_hour // 2))
