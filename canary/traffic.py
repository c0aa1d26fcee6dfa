"""What passes between the edges and the audit of the real traffic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from reconcile.offsets import Block, Range
from reconcile.traffic import Message

Refuses = Callable[[Mapping[str, object]], str]
"""Why a table could not hold an event, by the types of its columns; "" where nothing speaks against it."""

Removes = Callable[[Mapping[str, object], datetime | None], str]
"""Why a table may have removed the row of an event, with its record's time, by now; "" where it has not."""


@dataclass(frozen=True, slots=True)
class Holds:
    """What a table can hold, and for how long; `ttl` as its owner wrote it, "" where rows stay. `replaces`
    names by what its merges make one row of several events', "" where each keeps its own; `merges` when those
    without an id may be made one row of. `hides` says what keeps some of its rows from us."""

    refuses: Refuses = lambda _: ""
    removes: Removes = lambda _, __: ""
    ttl: str = ""
    replaces: str = ""
    merges: bool = False
    hides: str = ""


class CannotAskError(Exception):
    """A part of the pipeline could not be asked. `over_budget`: the question was too large for our limits;
    `gone`: what was asked for is no more, and nobody need ask again."""

    def __init__(self, reason: str, *, over_budget: bool = False, gone: bool = False) -> None:
        super().__init__(reason)
        self.gone = gone
        self.reason = reason
        self.over_budget = over_budget


@dataclass(frozen=True, slots=True)
class Log:
    """One partition: what Kafka keeps of it is `[start, end)`, and in tiered storage what is before `local`.
    Before `stable` no transaction is open."""

    start: int
    end: int
    stable: int
    local: int = 0


BY_TIME = "retention.ms"
"""Where a topic's `retention_from` is no more than this, age is all that removes its records."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic at one moment.

    `positions` are the next offsets of the table's consumer, None where it never committed;
    `positions_unreadable` says why there are none at all. `read_at` (our line) is after both were read, and
    the logs were read before the positions. `retention` is how long records are kept, None where that is
    not known; `retention_from` says where it comes from.
    """

    topic: str
    id: UUID
    logs: Mapping[int, Log]
    positions: Mapping[int, int | None]
    positions_unreadable: str
    read_at: datetime
    retention: timedelta | None = None
    retention_from: str = ""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was fetched of some gaps. All that Kafka has of `read` is in `messages`; `fetched` counts every
    record that came, wanted or not. `unread` says why the rest was not read."""

    read: Sequence[Range]
    messages: Sequence[Message]
    aborted: Sequence[Range]
    fetched: int = 0
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a table shows of a window: `blocks` by offset, or `absent` offsets where it was asked by id."""

    blocks: Sequence[Block] = ()
    absent: Sequence[Range] = ()


@dataclass(frozen=True, slots=True)
class Twice:
    """Rows beyond the first of an offset: those that a merge will remove, those that none will, a few of
    the offsets, and how many offsets hold different ids (two sources, or a topic made again). `untold` rows
    could not be told apart within the budget."""

    mergeable: int = 0
    permanent: int = 0
    strangers: int = 0
    untold: int = 0
    first: Sequence[Range] = ()


@dataclass(frozen=True, slots=True)
class Strays:
    """Rows of a window without an offset that this topic could have: none at all, of an unknown partition,
    of another topic, or beyond the end (`highest` by partition)."""

    no_offset: int = 0
    no_partition: int = 0
    other_topic: int = 0
    beyond: Mapping[int, int] = field(default_factory=dict)
    highest: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Files that Distributed tables have taken in and not yet sent on: their consumer has committed what lies
    in them. `unreadable` says why nobody knows how many there are."""

    files: int = 0
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """How a table can be audited: "offset", "sibling", "count" or "none", and what that cannot see."""

    name: str
    cannot_see: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Times:
    """Record times that a question may be narrowed to, half-open, already widened."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class AuditWindow:
    """One audited window of one stage as the ledger keeps it.

    `offsets` are (first, one past the last) by partition, of the topic with the id `topic_id`; `open` while
    another audit may know more; `amendments` counts audits that found something else than the one before.
    """

    stage: str
    start: datetime
    end: datetime
    audited_at: datetime
    open: bool
    verdict: str
    topic_id: str
    offsets: Mapping[int, tuple[int, int]]
    counts: Mapping[str, int]
    report: Mapping[str, Any]
    amendments: int = 0

    @property
    def appended(self) -> int:
        """How many offsets it has."""
        return sum(end - first for first, end in self.offsets.values())


COUNTED, BETWEEN, DELAY = "ingress", "between", "delay"


@dataclass(frozen=True, slots=True)
class TrafficWindow:
    """One look at the real traffic beside the audits, as the ledger keeps it.

    `kind` is `COUNTED` (the ingress's counters against the first topic), `BETWEEN` (a sample of one topic
    followed into the next) or `DELAY`; `place` is the hop or the stage that it speaks of. `verdict` is "ok",
    "degraded", "fault" or "unknown"; what stands in `report` depends on the kind.
    """

    kind: str
    place: str
    start: datetime
    end: datetime
    told_at: datetime
    verdict: str
    report: Mapping[str, Any]
