"""Real traffic: offset ranges and what a table has of them, in; every offset's one fate, out. Pure.

A window is a range of offsets per partition. What a table lacks of it are gaps, and each offset of a gap
gets exactly one fate from the evidence at hand. So the sum law holds by construction: appended = stored and
all other fates together.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconcile.offsets import Range, appended, within


class Fate(StrEnum):
    """What became of one offset of a topic on its way into a table."""

    STORED = "stored"
    DEDUPLICATED = "deduplicated"
    ABORTED = "aborted"
    CONTROL = "control"
    """Kafka has no record there: a transaction's marker, or compacted away."""
    DEAD_LETTERED = "dead_lettered"
    FILTERED = "filtered"
    UNPARSABLE = "unparsable"
    QUEUED = "queued"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    LOST = "lost"
    UNAUDITED = "unaudited"


UNSETTLED = frozenset({Fate.QUEUED, Fate.NOT_YET, Fate.UNAUDITED})
"""Fates that another audit of the same window may change."""

EXPLAINED = frozenset(
    {Fate.DEDUPLICATED, Fate.ABORTED, Fate.CONTROL, Fate.DEAD_LETTERED, Fate.FILTERED, Fate.UNPARSABLE}
)
"""Fates that say why there need be no row, from what Kafka had there."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record as it was read back. `error` says why the table could not hold it, `removed` why it may have
    removed the row since."""

    partition: int
    offset: int
    at: datetime | None = None
    id: str | None = None
    event: str | None = None
    token: str | None = None
    key: str | None = None
    error: str = ""
    removed: str = ""
    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user lets the pipeline drop."""

    events: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()

    def drops(self, message: Message) -> str:
        """Why it may be missing; "" where it may not."""
        if message.event in self.events:
            return f"event {message.event}"
        return "token" if message.token in self.tokens else ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one partition's gaps.

    Parameters
    ----------
    log_start: the oldest offset that Kafka still keeps.
    position: the next offset of the table's consumer; None where it cannot be read.
    passed: how far the consumer ever came at least, wherever it is set now; None where nobody knows.
    unread_from: from this offset on the consumer had read nothing yet; known at times where no position is.
    aged: what is before this offset has been in the topic for `lost_after`: without a position, only time
        proves a loss.
    read: what was read back of the gaps; nothing is known of the rest, for the reason `unread`.
    messages: the records that were there, by offset.
    aborted: offsets that belong to aborted transactions.
    found: ids that the table has -> where it has them, (partition, offset) or (-1, -1).
    letters: ids among the dead letters -> why; "" for those that have none.
    present: offsets for which the table has a row after all.
    by_id: the table cannot tell offsets: an id in it is all that "stored" can mean.
    foreign: other events' rows hold offsets of this topic: a row at an offset proves nothing by itself.
    no_ids: why ids cannot be matched with the table's; "" where they can.
    unsure: why the table could not be asked once more, without which nothing is called lost.
    letters_unread: why not all dead letters could be read, without which neither is.
    replaces: by what the table makes one row of several events'; "" where each keeps its own.
    merges: whether it may make one row of those without an id.
    hides: what keeps some of its rows from us, without which nothing that is missing is lost.
    """

    log_start: int = 0
    position: int | None = None
    passed: int | None = None
    unread_from: int | None = None
    aged: int = 0
    read: Sequence[Range] = ()
    unread: str = ""
    messages: Mapping[int, Message] = field(default_factory=dict)
    aborted: Sequence[Range] = ()
    found: Mapping[str, AbstractSet[tuple[int, int]]] = field(default_factory=dict)
    letters: Mapping[str, str] = field(default_factory=dict)
    present: AbstractSet[int] = frozenset()
    policy: Policy = Policy()
    by_id: bool = False
    foreign: bool = False
    no_ids: str = ""
    unsure: str = ""
    letters_unread: str = ""
    replaces: str = ""
    merges: bool = False
    hides: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring offsets with one fate for one reason."""

    range: Range
    fate: Fate
    reason: str = ""


def came(position: int | None, *, before: int, rows_end: int | None) -> int | None:
    """How far a consumer ever came at least; None where it may have been anywhere.

    `position` is that of now, None where there is none; `before` that of earlier looks; `rows_end` is behind
    the last offset with a row, 0 without one, None where nobody knows. A row shows that the consumer was
    there, wherever it was set since. A position that was removed says nothing, unless there never was a row.
    """
    if position is not None:
        return max(position, before, rows_end or 0)
    return 0 if rows_end == 0 and not before else None


def worth_reading(gap: Range, evidence: Evidence) -> Range:
    """What of a gap must be read back: not what has expired, nor what still waits for the consumer."""
    if evidence.position is None:
        end = evidence.aged if evidence.unread_from is None else min(evidence.aged, evidence.unread_from)
        return gap.clip(evidence.log_start, end)
    return gap.clip(evidence.log_start, evidence.position)


def explained(gap: Range, evidence: Evidence) -> list[Run]:
    """Every offset of a gap with its one fate, in runs that follow each other."""
    middle = worth_reading(gap, evidence)
    if not middle.size:
        cut = min(max(evidence.log_start, gap.start), gap.end)
        middle = Range(gap.partition, cut, cut)
    runs = list(_gone(Range(gap.partition, gap.start, middle.start), evidence))
    runs += _read_back(middle, evidence)
    after = Range(gap.partition, middle.end, gap.end)
    known = evidence.position if evidence.position is not None else evidence.unread_from
    unknown = after.clip(after.start, after.end if known is None else known)
    runs += [Run(unknown, Fate.NOT_YET), Run(Range(gap.partition, unknown.end, gap.end), Fate.QUEUED)]
    return merged(runs)


def _gone(before: Range, evidence: Evidence) -> Iterator[Run]:
    """What retention removed. What the consumer had not passed by then nobody will ever store; but it may
    have been read and not yet committed, so only time proves that."""
    passed = before.clip(before.start, before.end if evidence.passed is None else evidence.passed)
    yield Run(passed, Fate.EXPIRED, "retention removed it before it could be verified")
    waiting = Range(before.partition, passed.end, before.end)
    aged = waiting.clip(waiting.start, evidence.aged)
    yield Run(aged, Fate.LOST, "retention removed it before the consumer came to it")
    fresh = Range(before.partition, aged.end, before.end)
    yield Run(fresh, Fate.QUEUED, "retention removed it while it waited")


def _read_back(middle: Range, evidence: Evidence) -> Iterator[Run]:
    at = middle.start
    for part in within([middle], evidence.read):
        yield Run(Range(middle.partition, at, part.start), Fate.UNAUDITED, evidence.unread)
        for offset in range(part.start, part.end):
            fate, reason = fate_of(offset, evidence, partition=middle.partition)
            yield Run(Range(middle.partition, offset, offset + 1), fate, reason)
        at = part.end
    yield Run(Range(middle.partition, at, middle.end), Fate.UNAUDITED, evidence.unread)


def fate_of(offset: int, evidence: Evidence, *, partition: int) -> tuple[Fate, str]:
    """The fate of an offset that was read back, and why."""
    message = evidence.messages.get(offset)
    if message is None:
        return _unrecorded(offset, evidence)
    places = evidence.found.get(message.id) if message.id is not None else None
    if places and (evidence.by_id or (partition, offset) in places or _somewhere(places)):
        return Fate.STORED, ""
    if places:
        return Fate.DEDUPLICATED, "its id is in the table under another offset"
    checked = message.id is not None and not evidence.no_ids
    if offset in evidence.present and not checked and not evidence.foreign:
        return Fate.STORED, ""
    if evidence.unsure:
        return Fate.UNAUDITED, evidence.unsure
    letter = evidence.letters.get(message.id) if message.id is not None else None
    if letter is not None:
        return Fate.DEAD_LETTERED, letter
    if policy := evidence.policy.drops(message):
        return Fate.FILTERED, policy
    if message.error:
        return Fate.UNPARSABLE, message.error
    if message.removed:
        return Fate.EXPIRED, message.removed
    return _missing(message, evidence)


def _somewhere(places: AbstractSet[tuple[int, int]]) -> bool:
    """Whether a row stands there that does not say where it came from (its offset is NULL)."""
    return any(offset < 0 for _, offset in places)


def _missing(message: Message, evidence: Evidence) -> tuple[Fate, str]:
    """No explanation is left: lost, where ids can be trusted."""
    if evidence.no_ids:
        return Fate.UNAUDITED, f"merged away or lost: {evidence.no_ids}"
    if evidence.hides:
        return Fate.UNAUDITED, evidence.hides
    if evidence.replaces:
        return Fate.UNAUDITED, f"lost, or replaced by a row with the same {evidence.replaces}"
    if (evidence.by_id or evidence.foreign or evidence.merges) and message.id is None:
        return Fate.UNAUDITED, "it has no id to look for"
    if evidence.letters_unread:
        return Fate.UNAUDITED, evidence.letters_unread
    if message.id is None and "" in evidence.letters:
        return Fate.UNAUDITED, "it has no id, and neither have some dead letters"
    other = "another event's row holds its offset" if message.offset in evidence.present else ""
    return Fate.LOST, other


def _unrecorded(offset: int, evidence: Evidence) -> tuple[Fate, str]:
    if offset in evidence.present and not evidence.foreign:
        return Fate.STORED, ""
    if any(one.start <= offset < one.end for one in evidence.aborted):
        return Fate.ABORTED, ""
    return Fate.CONTROL, ""


def merged(runs: Iterable[Run]) -> list[Run]:
    """Neighbours of the same fate and reason as one run; empty ones are gone."""
    found: list[Run] = []
    for run in runs:
        last = found[-1] if found else None
        if not run.range.size:
            continue
        if (
            last is not None
            and (last.fate, last.reason, last.range.partition) == (run.fate, run.reason, run.range.partition)
            and last.range.end == run.range.start
        ):
            found[-1] = Run(
                Range(last.range.partition, last.range.start, run.range.end), run.fate, run.reason
            )
        else:
            found.append(run)
    return found


def tally(window: Sequence[Range], runs: Iterable[Run]) -> Counter[Fate]:
    """How many offsets of a window had each fate: what no run speaks of is stored."""
    counts = Counter(dict.fromkeys(Fate, 0))
    for run in runs:
        counts[run.fate] += run.range.size
    counts[Fate.STORED] += appended(window) - sum(counts.values())
    return counts
