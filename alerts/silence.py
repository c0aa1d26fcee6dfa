"""Who asked for silence, about what and until when: once, or at the same hours again and again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

DAY = timedelta(days=1)
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing is sent about keys that begin with `prefix` within `[starts_at, ends_at)`."""

    prefix: str
    starts_at: datetime
    ends_at: datetime
    author: str
    reason: str = ""
    number: int = 0
    """As it is kept; 0 for one that follows from the configuration."""

    @property
    def words(self) -> str:
        """Who and why, for the reader."""
        return f"silenced by {self.author}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Hours that are quiet again and again: from `at` in `zone` on these weekdays (0 is Monday), or once.

    `length` is real time, so that a change of the clocks neither stretches nor shortens it.
    """

    prefix: str
    length: timedelta
    author: str
    reason: str = ""
    at: time = time(0)
    days: frozenset[int] = EVERY_DAY
    zone: tzinfo = UTC
    once: datetime | None = None

    def silence(self, now: datetime) -> Silence | None:
        """The silence that it means now, if any; of several the one that ends last."""
        started = (start for start in self._starts(now) if start <= now < start + self.length)
        begins = max(started, default=None)
        if begins is None:
            return None
        return Silence(self.prefix, begins, begins + self.length, self.author, self.reason)

    def _starts(self, now: datetime) -> Iterable[datetime]:
        if self.once is not None:
            yield self.once
            return
        today = now.astimezone(self.zone).date()
        for back in range(self.length // DAY + 2):
            day = today - back * DAY
            if day.weekday() in self.days:
                yield datetime.combine(day, self.at, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody has an incident in hand. Numbers rise, so that each is taken in once."""

    number: int
    incident: int
    author: str


@dataclass(frozen=True, slots=True)
class Orders:
    """What people asked of the pager."""

    silences: Sequence[Silence] = ()
    acks: Sequence[Ack] = ()

    def at(self, now: datetime, planned: Iterable[Maintenance] = ()) -> "Quiet":
        """The silences that hold now, with those that were planned; the one that ends last first."""
        meant = (silence for one in planned if (silence := one.silence(now)))
        holding = [one for one in (*self.silences, *meant) if one.starts_at <= now < one.ends_at]
        return Quiet(tuple(sorted(holding, key=lambda one: (one.ends_at, one.number), reverse=True)))

    def ack(self, incident: int) -> Ack | None:
        """The last word about this incident."""
        about = [ack for ack in self.acks if ack.incident == incident]
        return max(about, key=lambda ack: ack.number, default=None)


@dataclass(frozen=True, slots=True)
class Quiet:
    """The silences that hold at one moment."""

    silences: tuple[Silence, ...]

    def silence(self, key: str) -> Silence | None:
        """What keeps this key quiet."""
        return next((one for one in self.silences if key.startswith(one.prefix)), None)
