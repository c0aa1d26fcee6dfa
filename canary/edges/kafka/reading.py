"""How far one partition has been read, and what that covers; pure, no Kafka in it.

Why coverage is sound. A fetch is answered with the high watermark as it stood when the broker read its
log, which is never before we sent the request. So whatever could be read of the partition when the request
was sent has an offset below that watermark, and once reading has passed the watermark, everything that
had reached the partition when that request was *sent* has been read. Each fetch that does not get that
far leaves a mark (watermark, time sent) behind; coverage moves up to a mark when its watermark is passed,
so a reader that is far behind still covers what it has read, and no more. Record times play no part.

That holds for the leader alone. A follower's watermark trails the leader's, by seconds at times, so what is
read from one moves the reading on, but the marks still come from the leader, which is asked now and then.
Nor does it hold for a leader that has just been elected and does not yet know how far its predecessor had
come: such an answer is taken as a follower's (see `leadership`).

An open transaction holds back what a committed reader may see: reading then stops below the high
watermark, and coverage waits with it until the transaction ends. Aborted records were never there.

All of this is of one log. A leader that was elected without all that its predecessor had has another: each
fetch tells under which leadership (`epoch`) the record before it was written, and such a leader answers where
its own log parted from that (KIP-320). Reading goes on there, with a gap.
"""

from dataclasses import dataclass, field
from datetime import datetime

from canary.values import Coverage

EMPTY_AFTER = 4
"""So many answers without records or throttling prove that nothing is kept below the watermark: a log
cleaner may remove the newest records too, and no later batch would ever tell."""

EMPTY_BEHIND = 240
"""And so many, a minute or two of them, where the end was not reached since a restart or a gap: what is next
may lie in tiered storage, which answers with nothing while it is slow."""


@dataclass(slots=True)
class Reading:
    """The state of one partition. `since` and `until` are on our line; None until first known."""

    place: str
    partition: int
    side: str
    next_offset: int
    since: datetime | None = None
    until: datetime | None = None
    expired: int = 0
    end: int | None = None
    log_start: int | None = None
    trouble: str = ""
    trouble_since: datetime | None = None
    lasting: bool = False
    epoch: int = -1
    """Under which leadership the record before `next_offset` was written; -1 where that is not known."""
    not_before: datetime | None = field(init=False)
    """What is read next had not come yet at this time: over a gap, when the reading broke off."""
    _mark: tuple[int, datetime] | None = None
    _empty: int = 0

    def __post_init__(self) -> None:
        self.not_before = self.until or self.since

    def read(self, next_offset: int, *, end: int, sent_at: datetime, complete: bool) -> None:
        """Take in the leader's answer to one fetch: sent at `sent_at`, it was read up to `next_offset`.

        `complete` says that the answer was free to carry records up to `end`, and carried none.
        """
        self._advance(next_offset, complete=complete)
        self.told(end, sent_at=sent_at)

    def read_replica(self, next_offset: int, *, end: int, complete: bool) -> None:
        """Take in a follower's answer, or a new leader's; `end` is how far it says that it has come."""
        self._advance(next_offset, complete=complete)
        mark = self._mark
        if mark is not None and (self.next_offset >= mark[0] or (end >= mark[0] and self._silent)):
            self._cover(mark[1])
            self._mark = None

    def _advance(self, next_offset: int, *, complete: bool) -> None:
        self.trouble, self.trouble_since, self.lasting = "", None, False
        self._empty = self._empty + 1 if complete and next_offset == self.next_offset else 0
        self.next_offset = max(next_offset, self.next_offset)

    @property
    def _silent(self) -> bool:
        """Whether so many answers brought nothing that nothing is kept."""
        return self._empty >= (EMPTY_BEHIND if self.until is None else EMPTY_AFTER)

    def told(self, end: int, *, sent_at: datetime) -> None:
        """The leader's watermark was `end` when it took up what was sent at `sent_at`."""
        self.end = end
        mark = self._mark
        if self.next_offset >= end or self._silent:
            self._cover(sent_at)
            self._mark = None
            self._empty = 0 if self.next_offset >= end else self._empty  # there was nothing to bring
        elif mark is None:
            self._mark = (end, sent_at)
        elif self.next_offset >= mark[0]:
            self._cover(mark[1])
            self._mark = (end, sent_at)

    def _cover(self, until: datetime) -> None:
        if self.since is None:
            self.since = until
        if until >= self.since and (self.until is None or until > self.until):
            self.until = self.not_before = until

    def failed(self, reason: str, *, now: datetime, lasting: bool = False) -> None:
        """The partition could not be read; what is covered stays, nothing is added, and its end is unknown.

        `lasting` troubles do not mend by themselves within seconds, as a change of leader does.
        """
        self.trouble, self.lasting, self.end = reason, lasting, None
        self.trouble_since = self.trouble_since or now

    def jump(self, next_offset: int, *, now: datetime, expired: int = 0) -> None:
        """Go on at `next_offset` with a gap behind us: a new interval begins, and reaches back to `now`."""
        self.next_offset, self.epoch = next_offset, -1
        self.expired += expired
        self.since, self.until = now, None
        self._mark, self._empty = None, 0

    def skip(self, next_offset: int, *, at: datetime) -> None:
        """Leave unread what lies before `next_offset`, a floor of all that arrives after `at`."""
        self.next_offset, self.epoch = next_offset, -1
        self.since = self.until = self.not_before = at
        self._mark, self._empty = None, 0

    def reaches(self, since: datetime, floor: int, at: datetime) -> bool:
        """Whether reading on covers what arrived since then, as reading on from `floor` (of `at`) would."""
        if self.since is None or self.since > since:
            return False
        return self.next_offset >= floor or (self.until is not None and self.until >= at)

    def coverage(self, topic_id: str = "") -> Coverage | None:
        """What is covered, of the topic of this id; None as long as nothing is."""
        if self.since is None or self.until is None:
            return None
        return Coverage(
            place=self.place,
            partition=self.partition,
            since=self.since,
            until=self.until,
            next_offset=self.next_offset,
            expired=self.expired,
            topic_id=topic_id,
            epoch=self.epoch,
        )
