"""What an audit needs of its two edges. All of it may raise `CannotAskError`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Protocol

from canary.traffic import Holds, Method, ReadBack, Strays, Times, TopicState, Twice, Waiting
from reconcile.offsets import Block, Range


class Topic(Protocol):
    """A topic, its consumer's positions and its dead letters."""

    def state(self) -> TopicState:
        """Ends and positions now."""
        ...

    def offsets_at(self, at: datetime) -> Mapping[int, int | None]:
        """By partition the first offset of this time or later; None where there is none yet."""
        ...

    def read(self, gaps: Sequence[Range], *, holds: Holds, payloads: bool, until: datetime) -> ReadBack:
        """Exactly these offsets, until a time on our line; never raises."""
        ...

    def letters(self, since: datetime, *, most: int, until: datetime) -> tuple[Mapping[str, str], str]:
        """Dead letters since a time, id ("" for none) -> reason; why not all could be read. Never raises."""
        ...

    def interrupt(self) -> None:
        """Make what is going on end soon."""
        ...

    def close(self) -> None: ...


class Table(Protocol):
    """A table, its siblings and its dead letters."""

    def method(self) -> Method:
        """How it can be audited."""
        ...

    def waiting(self) -> Waiting | None:
        """What waits in front of it now; None where its rows come without such a queue. Never raises."""
        ...

    def unread_from(self) -> Mapping[int, int]:
        """By partition the offset from which on its consumer has surely read nothing. Never raises."""
        ...

    def blocks(self, window: Sequence[Range], times: Times | None) -> Sequence[Block]:
        """Rows, distinct offsets and gaps of a window by block."""
        ...

    def gaps(
        self, window: Sequence[Range], pieces: Sequence[Range], times: Times | None, *, most: int
    ) -> tuple[Sequence[Range], Sequence[Range]]:
        """The offsets of some pieces without a row, `most` ranges at most; and what was not searched."""
        ...

    def present(self, offsets: Sequence[Range]) -> Mapping[int, AbstractSet[int]]:
        """Which of these offsets have a row, whatever its time."""
        ...

    def furthest(self, window: Sequence[Range], times: Times | None) -> Mapping[int, int]:
        """By partition the highest offset with a row; left out where none has one."""
        ...

    def having(
        self, ids: AbstractSet[str], times: Times | None = None
    ) -> Mapping[str, AbstractSet[tuple[int, int]]]:
        """Where these ids are, whatever their time; those that rows of `times` have are not looked for among
        other rows."""
        ...

    def letters(self, ids: AbstractSet[str]) -> tuple[Mapping[str, str], str]:
        """Which of these ids are dead letters; and what could not be asked. Never raises."""
        ...

    def twice(self, window: Sequence[Range], blocks: Sequence[tuple[int, int]], times: Times | None) -> Twice:
        """Rows beyond the first of an offset, in blocks (partition, number) that have too many."""
        ...

    def strays(self, ends: Sequence[Range], times: Times) -> Strays:
        """Rows that no offset of the topic can stand behind."""
        ...

    def absent(self, window: Sequence[Range], times: Times | None) -> Sequence[Range]:
        """By id, through a sibling: the offsets whose event the table does not show."""
        ...

    def count(self, times: Times) -> tuple[int, int]:
        """Rows and distinct ids of exactly these times."""
        ...

    def holds(self) -> Holds:
        """What no row can be made of, and what may have been removed."""
        ...

    def lagging(self) -> str:
        """Why what it lacks may be on its way to the server that is asked; "" for no reason. Never raises."""
        ...

    def costs(self) -> Counter[str]:
        """Queries, rows and bytes read since the last call."""
        ...

    def close(self) -> None: ...
