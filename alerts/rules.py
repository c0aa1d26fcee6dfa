"""What a person sets: how long a condition must hold, how often it is told, when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from alerts.condition import Severity
from alerts.silence import Maintenance


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
    after_cause: timedelta = timedelta()
    """How long after the end of what muted it it must still hold, where it lags behind what it tells of."""
    amendable: timedelta = timedelta()
    """How long after its end it is kept in mind, in case what it told of turns out otherwise."""
    amend_delay: timedelta = timedelta(seconds=60)
    """How long nothing more must have turned up before that is told: once, not one by one."""
    severity: Severity | None = None
    """Takes the place of the condition's own."""
    open_at: float | None = None
    """The level at which it begins to count; what has no measure always counts."""
    close_at: float | None = None
    """The level below which it is gone again; None: the same, so that it may flap around one level."""
    min_events: int = 0
    min_bad: int = 0
    """With fewer events looked at, or fewer of them bad, the evidence is thin."""
    thin: Severity | None = Severity.TICKET
    """How much thin evidence is worth at most; None: it opens nothing."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules by key prefix (the longest that fits wins), and the limit over all of them."""

    default: Rule = Rule()
    by_prefix: Mapping[str, Rule] = field(default_factory=dict)
    per_hour: int = 60
    burst: int | None = None
    """How many messages go out singly between two summaries; None: as many as the hour allows."""
    crowd: int = 20
    """So many of one kind are told each by itself; of more at once one message tells."""
    maintenance: tuple[Maintenance, ...] = ()

    def __post_init__(self) -> None:
        if self.burst is not None and self.burst < 1:
            raise ValueError(f"burst: must be at least 1 (got {self.burst})")
        if self.per_hour < 1:
            raise ValueError(f"per_hour: must be at least 1 (got {self.per_hour})")

    def of(self, key: str) -> Rule:
        """The rule for this key."""
        if not key.startswith(tuple(self.by_prefix)):  # nearly always so in a storm, and cheap to know
            return self.default
        fitting = [prefix for prefix in self.by_prefix if key.startswith(prefix)]
        return self.by_prefix[max(fitting, key=len)]

    def with_rule(self, prefix: str, rule: Rule) -> "Rules":
        """The same rules and one more."""
        return replace(self, by_prefix={**self.by_prefix, prefix: rule})

    @property
    def summaries_per_hour(self) -> int:
        """The part of the limit kept for summaries, so that a storm never leaves an hour of silence."""
        return max(1, min(6, self.per_hour // 2))

    @property
    def between_summaries(self) -> timedelta:
        """The least time from one summary to the next."""
        return timedelta(hours=1) / self.summaries_per_hour
