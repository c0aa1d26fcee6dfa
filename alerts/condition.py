"""The values of paging: a condition is something true now, a notice a message that a person is owed, an
amendment what turned out otherwise than was told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How soon a person has to look: at once, in working hours, or never on its own account."""

    PAGE = "page"
    TICKET = "ticket"
    NOTE = "note"

    @property
    def weight(self) -> int:
        """Greater is worse, so that severities can be compared."""
        return _WEIGHTS[self]


_WEIGHTS = {Severity.PAGE: 3, Severity.TICKET: 2, Severity.NOTE: 1}


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is true now, with all that a message about it will show, in no markup at all."""

    key: str
    severity: Severity
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    diagram: str = ""
    commands: tuple[str, ...] = ()
    count: int = 0
    ids: tuple[str, ...] = ()
    considered: int = 0
    """Out of how many events `count` are bad; 0 where nothing is held against anything."""
    level: float | None = None
    """How bad it is in its own measure; None stands for the share of `count` in `considered`."""
    muted_by: tuple[str, ...] = ()
    """Keys of what would explain it; one that ends in ":" stands for every key that begins so."""
    group: str = ""
    """Key under which it is told together with others of its kind; empty where it stands alone."""
    member: str = ""
    """What it is called among its group."""
    muted: tuple[str, ...] = ()
    """Keys of what it explains, which is not told by itself. The policy fills this in."""

    members: tuple[str, ...] = ()
    """Keys of some of those that it speaks for, where there are too many to tell each."""

    @property
    def measure(self) -> float | None:
        """What a rule's levels are held against; None where it has no measure."""
        if self.level is not None:
            return self.level
        return min(1.0, self.count / self.considered) if self.considered else None


@dataclass(frozen=True, slots=True)
class Amendment:
    """One of those that a condition had counted turned out otherwise, perhaps long after its message."""

    key: str
    """Of the condition that had counted it."""
    id: str
    """Which one it is; each is taken in once."""
    counted_at: datetime
    """When the condition began to count it."""
    told_by: datetime
    """An incident that began after this never spoke of it."""
    words: str
    """What became of it, as in "3 arrived after all"."""
    took: timedelta | None = None
    """How long that took, where it is known."""
    count: int = 1
    """How many it stands for, where they are not told one by one."""


class Kind(StrEnum):
    """What a notice tells; a summary stands for several of the others when there would be too many."""

    OPENED = "opened"
    STILL = "still"
    RESOLVED = "resolved"
    AMENDED = "amended"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that a person is owed: the `sequence`-th of its incident, with the content to show."""

    id: str
    incident: int
    sequence: int
    kind: Kind
    content: Condition
    made_at: datetime
    opened_at: datetime
    ended_at: datetime | None = None
    worst: int = 0
    amended: tuple[tuple[str, int], ...] = ()
    """What became of some of those that it had counted, and of how many."""
    took: timedelta | None = None
    """How long the slowest of those took."""
    covers: tuple[tuple[int, Kind], ...] = ()
    """For a summary: the incidents it speaks for, and what it says of each."""
    repeat: bool = False
    """The reader may have had this very message before: the answer to an earlier try was lost."""

    @property
    def key(self) -> str:
        """The key of the condition behind it."""
        return self.content.key

    @property
    def amended_words(self) -> str:
        """What became of whom, as in "3 arrived after all"; empty where nothing was amended."""
        return "; ".join(f"{count} {words}" for words, count in self.amended)

    @property
    def over(self) -> bool:
        """Whether the incident has ended."""
        return self.kind is Kind.RESOLVED or self.ended_at is not None
