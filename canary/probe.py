"""A probe at work: when its next canaries are due, and which lane each takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from canary.content import Habits
from canary.courier import Courier
from canary.event import CONTENT_VERSION, Payload
from canary.identity import Mint
from canary.lanes import Lane, Rotation
from canary.values import Event, Owed
from reconcile.window import deadline_of, window_of

CATCH_UP = timedelta(seconds=2)
"""What is due longer than this was missed: it is counted, not sent in a storm."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a probe sends: canaries a second, so many to a post; `total` ends it (None: never)."""

    rate: float
    batch: int = 1
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times that windows and deadlines are made of. Without windows each canary is its own."""

    window: timedelta
    grace: timedelta
    windows: bool = True

    def of(self, sent_at: datetime) -> tuple[datetime, datetime]:
        """The window and the deadline of a canary sent at this time."""
        if not self.windows:
            return sent_at, sent_at + self.grace
        start = window_of(sent_at, self.window)
        return start, deadline_of(start, width=self.window, grace=self.grace)


class Probe:
    """One configured source of canaries. Used by its own thread only, `relane` aside."""

    def __init__(
        self,
        name: str,
        *,
        pace: Pace,
        mint: Mint,
        payload: Payload,
        habits: Habits,
        courier: Courier,
        lanes: Sequence[Lane],
    ) -> None:
        self.name = name
        self.pace = pace
        self.payload = payload
        self.habits = habits
        self.courier = courier
        self._mint = mint
        self._rotation = Rotation(lanes)
        self._next_at: datetime | None = None
        self.made = 0

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return self._rotation.lanes

    def relane(self, lanes: Sequence[Lane]) -> None:
        """Use other lanes from now on (the first topic's partitions became known, or changed)."""
        self._rotation = Rotation(lanes)

    def expected_partition(self, distinct_id: str) -> int | None:
        """Where the first topic should show canaries of this name, by the lanes of now."""
        return self._rotation.expected_partition(distinct_id)

    @property
    def done(self) -> bool:
        """Whether it has made all it was asked for."""
        return self.pace.total is not None and self.made >= self.pace.total

    def due(self, now: datetime) -> tuple[int, int]:
        """How many canaries are due now, and how many were due too long ago to be sent."""
        interval = timedelta(seconds=1 / self.pace.rate)
        if self._next_at is None or self._next_at > now + interval:
            self._next_at = now
        missed = 0
        if now - self._next_at > max(CATCH_UP, (self.pace.batch + 1) * interval):
            missed = int((now - self._next_at) / interval)
            self._next_at += missed * interval
        count = int((now - self._next_at) / interval) + 1 if now >= self._next_at else 0
        if self.pace.total is not None:  # so many were asked for: none is missed, only late
            left = self.pace.total - self.made
            self._next_at -= missed * interval
            count, missed = min(count + missed, left), 0
            if count == left:
                self._next_at += count * interval
                return count, 0
        count -= count % self.pace.batch
        self._next_at += count * interval
        return count, missed

    def begin_again(self) -> None:
        """The clock was stepped: nothing was due in time that never passed."""
        self._next_at = None

    def defer(self, count: int) -> None:
        """These found no free lane: they stay due, until they have waited too long."""
        if self._next_at is not None and count:
            self._next_at -= count * timedelta(seconds=1 / self.pace.rate)

    def wait(self, now: datetime) -> timedelta:
        """How long until the next post is due."""
        if self._next_at is None:
            return timedelta(0)
        full = self._next_at + timedelta(seconds=(self.pace.batch - 1) / self.pace.rate)
        return max(full - now, timedelta(0))

    def make(self, now: datetime, count: int, times: Schedule) -> list[tuple[int, list[tuple[Owed, Event]]]]:
        """Up to `count` canaries as posts, each with its lane; fewer where all lanes are busy."""
        posts: list[tuple[int, list[tuple[Owed, Event]]]] = []
        busy = set(self.courier.busy)
        rotation = self._rotation  # another thread may give us other lanes meanwhile
        while count > 0 and (turn := rotation.next(busy)) is not None:
            size = min(count, self.pace.batch)
            post = [self._one(now, turn, times)]
            for _ in range(size - 1):
                name = rotation.another(turn[0])
                post.append(self._one(now, (turn[0], name), times))
            busy.add(turn[0].index)
            posts.append((turn[0].index, post))
            count -= size
            self.made += size
        return posts

    def _one(self, now: datetime, turn: tuple[Lane, str], times: Schedule) -> tuple[Owed, Event]:
        lane, distinct_id = turn
        canary = self._mint.mint(now)
        window, deadline = times.of(now)
        owed = Owed(
            id=canary,
            probe=self.name,
            lane=lane.index,
            distinct_id=distinct_id,
            sent_at=now,
            window=window,
            deadline=deadline,
            content_version=CONTENT_VERSION,
            payload_hash=self.payload.hash,
        )
        return owed, self.payload.event(canary, distinct_id=distinct_id, sent_at=now)
