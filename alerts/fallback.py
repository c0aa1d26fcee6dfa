"""Which way out a message takes: the first in the configured order, or the next while that one fails."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.delivery import DeliveryError, Keeper, Letter, Receipt, Sender

PACE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=10)
AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Way:
    """A way out and the name that people know it by."""

    name: str
    sender: Sender


@dataclass(slots=True)
class Health:
    """How a way out does: since when it fails, and until when it is left alone."""

    failures: int = 0
    failing_since: datetime | None = None
    not_before: datetime | None = None
    broken: bool = False
    error: str = ""
    kept_at: datetime | None = None

    def paused(self, now: datetime) -> bool:
        """A pause further off than any we set means that the clock has stepped back, and is over."""
        return self.not_before is not None and now < self.not_before <= now + LONGEST_WAIT


@dataclass(frozen=True, slots=True)
class Choice:
    """The way to try now, and why not an earlier one."""

    way: Way
    because: tuple[str, ...] = ()


@dataclass(slots=True)
class Ways:
    """The ways out in order, with what is known of each. Not locked: its owner is.

    `after`: for how long the others wait for a way that fails; one that needs a person is not waited for.
    """

    ways: Sequence[Way]
    after: timedelta = AFTER
    health: dict[str, Health] = field(init=False)
    _keepers: dict[str, Keeper] = field(init=False)

    def __post_init__(self) -> None:
        names = [way.name for way in self.ways]
        if not names or len(names) != len(set(names)):
            raise ValueError(f"ways: need one or more, each with a name of its own (got {names})")
        self.health = {name: Health() for name in names}
        # asked for once: a protocol's isinstance is slow, and this is looked at several times a second
        self._keepers = {way.name: way.sender for way in self.ways if isinstance(way.sender, Keeper)}

    def choose(self, letter: Letter, now: datetime) -> Choice | None:
        """The way for this letter; None while it has to wait.

        A way that is down is still tried whenever its pause is over: that is how its return is found out.
        """
        because: list[str] = []
        for way in self.ways:
            health = self.health[way.name]
            if way.name in letter.refused:
                because.append(f"{way.name} does not take this message")
            elif not health.paused(now):
                return Choice(way, tuple(because))
            elif not self.down(way.name, now):
                return None
            else:
                because.append(_failing(way.name, health))
        return None

    def failing(self, name: str) -> bool:
        """Whether its last try failed."""
        return self.health[name].failing_since is not None

    def down(self, name: str, now: datetime) -> bool:
        """Whether others need not wait for it any longer."""
        health = self.health[name]
        if health.failing_since is None:
            return False
        health.failing_since = min(health.failing_since, now)
        return health.broken or now - health.failing_since >= self.after

    def delivered(self, name: str, now: datetime) -> bool:
        """It took a message: the next one comes a second later. Says whether it had failed before."""
        failed = self.failing(name)
        self.health[name] = Health(not_before=now + PACE, kept_at=self.health[name].kept_at)
        return failed

    def failed(self, name: str, error: DeliveryError, now: datetime) -> None:
        """It did not take one. A message at fault is no fault of the way."""
        health = self.health[name]
        health.error = error.reason
        if error.permanent:
            health.not_before = now + PACE
            return
        health.failures += 1
        health.failing_since = min(health.failing_since or now, now)
        health.broken = error.broken
        pause = error.retry_after or backoff(health.failures, LONGEST_PAUSE)
        health.not_before = now + min(pause, LONGEST_WAIT)

    def next_try(self, name: str, attempts: int, now: datetime) -> datetime:
        """When a letter that just failed this way, on its so many-th try, may be tried again."""
        health = self.health[name]
        # Longer and longer, so that others get their turn: it may be this letter.
        later = now + backoff(attempts, LONGEST_WAIT)
        if len(self.ways) == 1 or health.failing_since is None:
            return later
        turn = now if health.broken else health.failing_since + self.after
        return min(later, max(turn, now))

    def exhausted(self, refused: Iterable[str]) -> bool:
        """Whether no way is left that might take it."""
        return set(self.health) <= set(refused)

    def keepers(self, now: datetime) -> list[tuple[str, Keeper]]:
        """The ways that have to be told now what is still open; each is then left alone for its time."""
        due: list[tuple[str, Keeper]] = []
        for name, sender in self._keepers.items():
            health = self.health[name]
            if health.kept_at is None or not timedelta(0) <= now - health.kept_at < sender.every:
                health.kept_at = now
                due.append((name, sender))
        return due

    def covered(self, letter: Letter, receipt: Receipt) -> dict[tuple[int, str], Receipt]:
        """What a summary told of, for a way that forgets: to be kept alive one by one, at once."""
        if letter.way not in self._keepers or not letter.notice.covers:
            return {}
        self.health[letter.way].kept_at = None
        return {(number, letter.way): Receipt(receipt.channel) for number, _ in letter.notice.covers}

    def problems(self) -> tuple[str, ...]:
        """What is wrong with each, as far as the last tries tell."""
        return tuple(health.error for health in self.health.values() if health.error)


def alone(sender: Sender) -> Ways:
    """The one way out that there is."""
    return Ways([Way("alerts", sender)])


def backoff(attempts: int, longest: timedelta) -> timedelta:
    """Twice as long after each failure, from a second on."""
    return min(longest, timedelta(seconds=1 << min(max(0, attempts - 1), 20)))


def _failing(name: str, health: Health) -> str:
    since = f"{health.failing_since:%H:%M:%S} UTC" if health.failing_since else "the start"
    return f"{name} has failed since {since} ({health.error})"
