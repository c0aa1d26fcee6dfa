"""What the policy remembers between two looks: incidents, over or not, and what was told lately."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.condition import Condition, Severity


@dataclass(frozen=True, slots=True)
class Incident:
    """One run of a condition, from the first time it was true until its end has been told."""

    content: Condition
    """The condition as it was last seen."""
    true_since: datetime
    number: int = 0
    """Given when it opens; 0 while it only may become an incident."""
    opened_at: datetime | None = None
    absent_since: datetime | None = None
    """Since when it is known to be gone, without a break and without a blind moment."""
    resolved_at: datetime | None = None
    told: int = 0
    """How many messages it has had; the sequence of the last one."""
    told_at: datetime | None = None
    told_count: int = 0
    told_severity: Severity = Severity.NOTE
    worst: int = 0
    blind: bool = False
    """Nobody could tell, at the last look, whether it is still true."""
    muted: bool = False
    """Something else explained it at the last look."""
    unmuted_at: datetime | None = None
    """When nothing explained it any more."""
    told_muted: tuple[str, ...] = ()
    """Keys that were named to the reader as explained by it."""
    hushed: str = ""
    """Whose silence it opened in, in words, until something of it has been told."""
    ack: int = 0
    """The last acknowledgement that was taken in."""
    acked_by: str = ""
    """Who has it in hand: it is not repeated until it gets worse."""
    amended: tuple[tuple[str, int], ...] = ()
    """What became of some of those that it had counted, and of how many."""
    amended_ids: tuple[str, ...] = ()
    """The last of them, so that none is taken in twice."""
    amended_took: timedelta | None = None
    """How long the slowest took."""
    amended_at: datetime | None = None
    """When the last of them came."""
    amended_since: datetime | None = None
    """When the first came of which the reader has not heard."""
    told_amended: int = 0
    """How many the reader has heard of."""

    @property
    def key(self) -> str:
        """The key of the condition."""
        return self.content.key

    @property
    def amended_count(self) -> int:
        """How many turned out otherwise."""
        return sum(count for _, count in self.amended)

    @property
    def open(self) -> bool:
        """It has opened and is not over."""
        return self.opened_at is not None and self.resolved_at is None


@dataclass(frozen=True, slots=True)
class State:
    """All of it; never changed in place."""

    incidents: Mapping[str, Incident] = field(default_factory=dict)
    """Those not yet over and told, by key."""
    past: Mapping[int, Incident] = field(default_factory=dict)
    """Those over and told that may still be amended, by number."""
    recent: tuple[datetime, ...] = ()
    """When single messages were made in the last hour."""
    summaries: tuple[datetime, ...] = ()
    """When summaries were made in the last hour."""
    next_number: int = 1
