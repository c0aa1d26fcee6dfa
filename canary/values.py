"""What passes between the edges, the ledger and the watch.

Times "on our line" are readings of `canary.clock.Line`: our own monotonic time, written as aware UTC."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from reconcile.outcome import Flag, Outcome, Receipt

Now = Callable[[], datetime]
"""Reads our line."""

Secret = Callable[[], str]
"""Reads a secret as it is at this moment: files are read again when they change."""


@dataclass(frozen=True, slots=True)
class Event:
    """One canary as it is posted."""

    id: UUID
    name: str
    distinct_id: str
    timestamp: datetime
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the ingress said of one post, from the first try's first byte to the last one's end (our line).
    `detail` says in words what was heard, safe to show."""

    receipt: Receipt
    started_at: datetime
    answered_at: datetime
    tries: int
    status: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A canary that a stage is asked for. `sent_at` on our line; the rest helps to find it: `partition` is
    where its key must have led it (None: nobody can tell), `arrived` that the last stage has shown it."""

    id: UUID
    sent_at: datetime
    event: str
    distinct_id: str
    partition: int | None = None
    arrived: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """What stood in a record or row, parsed: None for what that place does not carry."""

    event: str | None
    distinct_id: str | None
    timestamp: datetime | None
    properties: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that was not intact, as short texts."""

    field: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """A canary (or what claims to be one) seen at a stage.

    id: the id as it was found.
    stage: the configured name of the stage.
    place: topic or table it was seen in; differs from the stage's own for an alternate or a dead letter.
    partition, offset: of the record (also from a row that carries them); None where not known.
    row: what tells apart two rows of one table (day, part of the table); empty for records.
    at: the stage's own time; None where it has none.
    seen_at: when the answer that showed it was read (our line).
    not_before: the start of the last look that would have shown it and did not (our line).
    content: what stood there; None where it could not be parsed.
    side: "" at the stage itself, "alternate", "dead_letter" or "last_look".
    reason: why a dead letter is one, in the pipeline's own words (not escaped).
    mergeable: for a copy in a table: identical to the first in all that a merge compares."""

    id: UUID
    stage: str
    place: str
    seen_at: datetime
    not_before: datetime | None = None
    partition: int | None = None
    offset: int | None = None
    row: str = ""
    at: datetime | None = None
    content: Content | None = None
    side: str = ""
    reason: str = ""
    mergeable: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """One partition has been read without a gap from `since` to `until` (our line).

    `next_offset` is where reading goes on, in the topic of this id ("" where the cluster tells none), behind
    a record written under the leadership `epoch` (-1: not known).
    `expired` counts records that retention removed unread: an interval never reaches back over them."""

    place: str
    partition: int
    since: datetime
    until: datetime
    next_offset: int
    expired: int = 0
    topic_id: str = ""
    epoch: int = -1


@dataclass(frozen=True, slots=True)
class Position:
    """How far the consumer behind a topic has finished with one partition.

    `committed` is the next offset it will read (None: it never committed); `log_start` the oldest
    offset still kept and `end` the high watermark, where known. `read_at` on our line."""

    place: str
    partition: int
    committed: int | None
    log_start: int | None
    end: int | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Skew:
    """The stage's clock minus our line, with half the round trip as its error."""

    offset: timedelta
    error: timedelta


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a stage brought. `started_at` and `ended_at` are on our line.

    blind: why the stage could not be looked at (one line, no secrets); "" when it could.
    asked: for a table, the ids that were asked for; each is covered to `started_at`, found or not.
    coverage: for a topic, per partition; empty when blind.
    positions: of the consumer behind a topic. `positions_unreadable` says why they are missing.
    sightings: everything that looked like a canary, in the order it was read.
    counts: reasons and how often ("unparsable", "null_value", "rows_read", ...).
    notes: what a person should know (a lookup must scan, partitions were added, a topic made again).
    partitions: how many partitions the stage's own topic has; None where unknown.
    queue: when the queues in front of a table were read (our line), and how many files waited in them.
    reading, astray: how a topic is read now; how many canaries were not where their keys lead."""

    stage: str
    started_at: datetime
    ended_at: datetime
    blind: str = ""
    asked: Sequence[UUID] = ()
    coverage: Sequence[Coverage] = ()
    positions: Sequence[Position] = ()
    positions_unreadable: str = ""
    sightings: Sequence[Sighting] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    partitions: int | None = None
    skew: Skew | None = None
    queue: tuple[datetime, int] | None = None
    reading: str = ""
    astray: int = 0


@dataclass(frozen=True, slots=True)
class Resume:
    """Where reading stopped: (place, partition) -> (next offset, covered until), and in which log."""

    offsets: Mapping[tuple[str, int], tuple[int, datetime]] = field(default_factory=dict)
    topic_ids: Mapping[tuple[str, int], str] = field(default_factory=dict)
    epochs: Mapping[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Marks:
    """How an edge knows a canary among other events, cheapest first.

    `recognise` proves an id (about 3 microseconds); `event` is the canaries' event name and
    `distinct_prefix` begins every distinct_id of their pools."""

    recognise: Callable[[UUID], bool]
    event: str
    distinct_prefix: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A canary as the ledger owes it: written down before it is sent. `window` is its start, `deadline`
    when it becomes overdue (our line); content of another `payload_hash` is not known, nor compared."""

    id: UUID
    probe: str
    lane: int
    distinct_id: str
    sent_at: datetime
    window: datetime
    deadline: datetime
    content_version: int
    payload_hash: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The first sighting of a canary at a stage, compared with what was sent, and its copies.

    `copies` counts further sightings; `copy_kinds` names each kind once ("kafka", "own_retry", and rows
    that a merge will remove, "mergeable", or none will, "permanent").
    `compared` is False where the expected or the found content is not known."""

    id: UUID
    stage: str
    place: str
    seen_at: datetime
    not_before: datetime | None = None
    partition: int | None = None
    offset: int | None = None
    row: str = ""
    at: datetime | None = None
    side: str = ""
    reason: str = ""
    compared: bool = False
    differences: tuple[Difference, ...] = ()
    copies: int = 0
    copy_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome of one canary as it stands. `amended_from` is the one it replaced, once told."""

    id: UUID
    outcome: Outcome
    final: bool
    judged_at: datetime
    hop: tuple[str, str] | None = None
    spanned: tuple[tuple[str, str], ...] = ()
    flags: frozenset[Flag] = frozenset()
    reason: str = ""
    amended_from: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """Everything known of one canary, as the ledger gives it back."""

    owed: Owed
    answer: Answer | None
    seen: tuple[Seen, ...]
    judged: Judged | None
    counted: str = ""  # how it counts in its minute


@dataclass(frozen=True, slots=True)
class WindowReport:
    """One probe's window as settled: counts that add up to `sent`, and what a reader wants to see.

    `hops` counts losses by (from, to); `latency` holds quantile name -> seconds for the whole way;
    `amendments` counts outcomes that changed after `settled_at`."""

    probe: str
    start: datetime
    end: datetime
    settled_at: datetime
    due: int
    sent: int
    outcomes: Mapping[Outcome, int]
    flags: Mapping[Flag, int]
    hops: Mapping[tuple[str, str], int]
    latency: Mapping[str, float]
    amendments: int = 0


@dataclass(frozen=True, slots=True)
class Minute:
    """One probe's minute, for "ingestion down": additions to what is already counted."""

    probe: str
    start: datetime
    due: int = 0
    sent: int = 0
    refused: int = 0
    not_visible: int = 0
    blind: int = 0
