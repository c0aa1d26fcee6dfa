"""What an audit is told, and the window that it works on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from canary.traffic import Times, TopicState
from reconcile.offsets import Range
from reconcile.traffic import Run


@dataclass(frozen=True, slots=True)
class Limits:
    """What an audit may assume and take.

    Parameters
    ----------
    slack: how far record times may lie outside of the window that their offsets belong to.
    passed_grace, lost_after: as for canaries.
    messages, tiered: records that may be read back for one window, and from tiered storage.
    ranges: gaps that are told apart in one window.
    offsets: a window with more of them is counted in halves.
    seconds: how long a window may take.
    tolerance: share of a window that may be missing where only counts can be compared.
    """

    slack: timedelta = timedelta(minutes=5)
    passed_grace: timedelta = timedelta(seconds=2)
    lost_after: timedelta = timedelta(minutes=30)
    messages: int = 100_000
    tiered: int = 10_000
    ranges: int = 2_000
    offsets: int = 20_000_000
    seconds: timedelta = timedelta(seconds=60)
    tolerance: float = 0.001


@dataclass(frozen=True, slots=True)
class Every:
    """When windows are due, and for how long they are audited again. `slack` as for the auditor."""

    window: timedelta = timedelta(minutes=5)
    delay: timedelta = timedelta(minutes=1)
    again_for: timedelta = timedelta(hours=24)
    slack: timedelta = timedelta(minutes=5)
    grace: timedelta = timedelta(seconds=60)
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier audits of the same window knew: when it was seen first, how far the consumer had come by
    partition, and the runs that were told."""

    first_at: datetime | None = None
    passed: Mapping[int, int] = field(default_factory=dict)
    runs: Sequence[Run] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Where a window of a running audit begins: offsets by partition, of the topic with this id; None for the
    first one, which begins by time.

    `ends` where it was audited before: then it ends where it did. `by_id` when the topic was made again
    lately: rows of the earlier one may hold the same offsets.
    """

    offsets: Mapping[int, int] | None
    ends: Mapping[int, int] | None = None
    topic_id: str = ""
    by_id: bool = False
    known: Known = Known()


def known(state: TopicState, start: Start | None, now: datetime) -> Known:
    """With what is seen now. On demand nothing was known before."""
    before = start.known if start is not None else Known()
    passed = dict(before.passed)
    for partition, position in state.positions.items():
        if position is not None:
            passed[partition] = max(position, passed.get(partition, 0))
    return replace(before, first_at=before.first_at or (now if start is not None else None), passed=passed)


@dataclass(frozen=True, slots=True)
class Work:
    """One window under audit; `deadline` on our line. Until `settled_at` rows may be on their way of which
    the consumer's position already tells. `unread` is known of some partitions where no position is: from
    that offset on the consumer has read nothing. `aged` is by partition the offset before which all has been
    in the topic for `lost_after`; `held` when what the consumer passed may still wait before the table."""

    state: TopicState
    since: datetime
    until: datetime
    window: Sequence[Range]
    deadline: datetime
    settled_at: datetime
    payloads: bool
    notes: list[str] = field(default_factory=list)
    unread: Mapping[int, int] = field(default_factory=dict)
    aged: Mapping[int, int] = field(default_factory=dict)
    known: Known = Known()
    held: bool = False

    def times(self, slack: timedelta) -> Times:
        """Between which the records of its offsets carry their times."""
        return Times(self.since - slack, self.until + slack)


@dataclass(frozen=True, slots=True)
class Counted:
    """The gaps of a window, what could not be searched, and how many rows there are too many."""

    gaps: tuple[Range, ...] = ()
    unsearched: tuple[Run, ...] = ()
    repeated: Mapping[tuple[int, int], int] = field(default_factory=dict)

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(
            (*self.gaps, *other.gaps),
            (*self.unsearched, *other.unsearched),
            Counter(self.repeated) + Counter(other.repeated),
        )
