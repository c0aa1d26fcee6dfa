"""What an audit of one window found, as a value that is shown, kept and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from canary.traffic import Method, Strays, Twice
from reconcile.offsets import Range
from reconcile.traffic import UNSETTLED, Fate, Run

MAX_RUNS = 1_000
"""Runs that are kept of a window; losses are kept whole, as ranges to replay."""


class Verdict(StrEnum):
    """The state of a window, in the words of every other verdict."""

    OK = "ok"
    DEGRADED = "degraded"
    FAULT = "fault"
    UNKNOWN = "unknown"


EXIT_CODES = {Verdict.OK: 0, Verdict.DEGRADED: 1, Verdict.FAULT: 2, Verdict.UNKNOWN: 3}

BY_ID = "rows of other events hold offsets of this topic: every event was looked up by its id"
"""Of a window where a row's offset proves nothing by itself."""

UNKNOWING = (Fate.NOT_YET, Fate.UNAUDITED, Fate.EXPIRED)
DEGRADING = (Fate.DEAD_LETTERED, Fate.UNPARSABLE)


@dataclass(frozen=True, slots=True)
class Lost:
    """What is known of the lost events: enough for the person on call, and no payloads.

    `ids` are the first few; `events` and `keys` how often each was among those read back. `payloads` only
    where they were asked for.
    """

    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[str, ...] = ()
    events: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, int] = field(default_factory=dict)
    replayable_until: datetime | None = None
    retention_from: str = ""
    payloads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What the audit took from its hosts, and of time."""

    queries: int = 0
    rows_read: int = 0
    bytes_read: int = 0
    messages_fetched: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, asked: Mapping[str, int], *, fetched: int, took: timedelta) -> "Cost":
        """What the table's questions cost, and what was fetched of the topic."""
        seconds = took.total_seconds()
        return cls(asked["queries"], asked["rows_read"], asked["bytes_read"], fetched, seconds)


@dataclass(frozen=True, slots=True)
class Report:
    """One window of one table, audited at a time on our line.

    `window` are its offsets by partition; `counts` add up to them; `runs` are those that are not stored.
    """

    topic: str
    table: str
    stage: str
    since: datetime
    until: datetime
    audited_at: datetime
    method: Method
    window: tuple[Range, ...]
    counts: Mapping[Fate, int]
    runs: tuple[Run, ...] = ()
    lost: Lost = field(default_factory=Lost)
    twice: Twice = field(default_factory=Twice)
    strays: Strays = field(default_factory=Strays)
    notes: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)
    behind: timedelta = timedelta(0)
    """How long the window had been over when it was audited."""
    topic_id: str = ""
    made_again: bool = False
    first_at: datetime | None = None
    """When a running audit saw the window first; None on demand."""
    passed: Mapping[int, int] = field(default_factory=dict)
    """By partition how far the consumer is known to have come, ever."""
    unseen: str = ""
    """Why nobody can say what else there was of the time that was asked for."""
    tolerated: int = 0
    """Where only counts can be compared: so many may be missing without being told."""

    @property
    def appended(self) -> int:
        return sum(part.size for part in self.window)

    @property
    def unbalanced(self) -> int:
        """Appended less the sum of all fates: 0."""
        return self.appended - sum(self.counts.values())

    @property
    def open(self) -> bool:
        """Whether another audit of the same window may know more."""
        return any(self.counts.get(fate, 0) for fate in UNSETTLED)

    @property
    def lost_ranges(self) -> tuple[Range, ...]:
        """What to replay."""
        return tuple(run.range for run in self.runs if run.fate is Fate.LOST)

    @property
    def stray_rows(self) -> int:
        one = self.strays
        return one.no_offset + one.no_partition + one.other_topic + sum(one.beyond.values())

    def verdict(self, grace: timedelta) -> Verdict:
        """A backlog counts only when the window has been over for `grace`."""
        copies = self.twice.mergeable + self.twice.permanent + self.twice.untold + self.stray_rows
        late = bool(self.counts.get(Fate.QUEUED, 0)) and self.behind > grace
        tolerated = -1 if self.method.name == "none" else self.tolerated
        told = verdict_of(self.counts, tolerated=tolerated, odd=late or bool(copies))
        return Verdict.UNKNOWN if self.unseen and told is not Verdict.FAULT else told

    def as_json(self) -> dict[str, Any]:
        """A stable object: keys may be added."""
        return {
            "topic": self.topic,
            "table": self.table,
            "stage": self.stage,
            "since": _time(self.since),
            "until": _time(self.until),
            "audited_at": _time(self.audited_at),
            "first_audited_at": _time(self.first_at),
            "method": {
                "name": self.method.name,
                "cannot_see": self.method.cannot_see,
                "why": self.method.why,
            },
            "offsets": [str(one) for one in self.window if one.size],
            "passed": {str(partition): offset for partition, offset in self.passed.items()},
            "appended": self.appended,
            "unseen": self.unseen,
            "counts": {fate.value: self.counts.get(fate, 0) for fate in Fate},
            **told(self.runs, self.lost),
            "twice": {
                "mergeable": self.twice.mergeable,
                "permanent": self.twice.permanent,
                "strangers": self.twice.strangers,
                "untold": self.twice.untold,
                "first": [f"{one.partition}:{one.start}" for one in self.twice.first],
            },
            "strays": {
                "no_offset": self.strays.no_offset,
                "no_partition": self.strays.no_partition,
                "other_topic": self.strays.other_topic,
                "beyond": sum(self.strays.beyond.values()),
            },
            "notes": list(self.notes),
            "cost": {
                "queries": self.cost.queries,
                "rows_read": self.cost.rows_read,
                "bytes_read": self.cost.bytes_read,
                "messages_fetched": self.cost.messages_fetched,
                "seconds": round(self.cost.seconds, 3),
            },
        }


def verdict_of(counts: Mapping[Any, int], *, tolerated: int, odd: bool) -> Verdict:
    """What counts by fate come to. More than `tolerated` that nobody knows of are unknown (-1: all of it
    is); `odd` is whatever else is not as it should be."""
    if counts.get(Fate.LOST, 0):
        return Verdict.FAULT
    if sum(counts.get(fate, 0) for fate in UNKNOWING) > tolerated:
        return Verdict.UNKNOWN
    return Verdict.DEGRADED if odd or any(counts.get(fate, 0) for fate in DEGRADING) else Verdict.OK


def told(runs: Sequence[Run], lost: Lost) -> dict[str, Any]:
    """A window's runs and losses as they stand in its object."""
    return {
        "runs": [
            {"offsets": str(run.range), "fate": run.fate.value, "reason": run.reason}
            for run in runs[:MAX_RUNS]
        ],
        "lost": {
            "replay": [str(run.range) for run in runs if run.fate is Fate.LOST],
            "since": _time(lost.since),
            "until": _time(lost.until),
            "first_ids": list(lost.ids),
            "events": dict(lost.events),
            "keys": dict(lost.keys),
            "replayable_until": _time(lost.replayable_until),
            "retention_from": lost.retention_from,
            **({"payloads": list(lost.payloads)} if lost.payloads else {}),
        },
    }


def reasons(runs: Sequence[Run], fate: Fate) -> dict[str, int]:
    """How many offsets of a fate for each reason, most frequent first."""
    found: dict[str, int] = {}
    for run in runs:
        if run.fate is fate:
            found[run.reason] = found.get(run.reason, 0) + run.range.size
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
