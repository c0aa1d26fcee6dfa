"""What passes between the edges and `canary trace`: the question, what was found, how far that was read."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

ALTERNATE, DEAD_LETTER, SIBLING, WARNING = "alternate", "dead_letter", "sibling", "warning"


@dataclass(frozen=True, slots=True)
class Question:
    """One event to look for.

    Parameters
    ----------
    since, until: when its record may have been written, by the record's own time; None where nobody knows.
    messages: the most messages to read in one topic.
    payload: whether to bring what the event carries.
    copies: whether to read on after the first record of it, so that a second one shows.
    """

    id: UUID
    since: datetime | None
    until: datetime | None
    messages: int
    payload: bool = False
    copies: bool = False


@dataclass(frozen=True, slots=True)
class Find:
    """The event in one place. `at` is that place's own time; `reason` is the pipeline's own word, of a
    dead letter, or why the pipeline drops it on purpose (not escaped); `facts` are what it says beside (name,
    text); `payload` is None unless it was asked for."""

    at: datetime | None
    partition: int | None = None
    offset: int | None = None
    row: str = ""
    reason: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Searched:
    """One topic or table, searched.

    `side` is "" for the stage's own place. `gap` says why an empty `finds` does not prove that the event is
    not there; "" where it does. `read` counts the messages or rows that it took, `notes` what is odd. Of what
    came before `kept_since` a table may have removed rows; None where it keeps them. `replaces` names by
    what it makes one row of several events', "" where each keeps its own.
    """

    stage: str
    place: str
    side: str = ""
    finds: tuple[Find, ...] = ()
    gap: str = ""
    read: int = 0
    notes: tuple[str, ...] = ()
    kept_since: datetime | None = None
    replaces: str = ""

    @property
    def complete(self) -> bool:
        return not self.gap


@dataclass(frozen=True, slots=True)
class Seen:
    """A record of the event: what the position of a consumer is held against."""

    place: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Passage:
    """How far the consumer behind a topic is, as to one event and to the topic.

    `passed`: whether it has finished with every record of the event. `drained`: whether it has finished
    with all that the topic held when this was read. None where that cannot be told; `words` say it for a
    person.
    """

    passed: bool | None
    drained: bool | None
    words: str
