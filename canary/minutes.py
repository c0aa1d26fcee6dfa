"""Ingestion downtime by the minute: due, sent, refused, not visible in time, and what we could not see."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from canary.book import Entry
from canary.values import Minute, Owed
from reconcile.outcome import Outcome, Receipt
from reconcile.window import window_of

MINUTE = timedelta(minutes=1)
KEPT = 15 * MINUTE
"""So far back a minute can still be told as down."""

COUNTS = ("due", "sent", "refused", "not_visible", "blind")


class Minutes:
    """Counts each canary once in its minute; a changed mind is an amendment. Not locked."""

    def __init__(self, last: str, *, topic: bool, down_after: timedelta) -> None:
        self._last = last
        self._told: set[tuple[str, datetime]] = set()
        self._topic = topic
        self._down_after = down_after
        self._news: dict[tuple[str, datetime], dict[str, int]] = {}
        self.totals: dict[tuple[str, datetime], dict[str, int]] = {}

    def restore(self, minutes: Iterable[Minute]) -> None:
        """What an earlier run counted in the last minutes."""
        for minute in minutes:
            self.totals[(minute.probe, minute.start)] = {name: getattr(minute, name) for name in COUNTS}

    def count(self, probe: str, at: datetime, **added: int) -> None:
        """Add to a probe's minute: `due`, or one of the three ways it was not all right."""
        key = (probe, window_of(at, MINUTE))
        for counts in (self._news.setdefault(key, {}), self.totals.setdefault(key, {})):
            _add(counts, added)

    def sent(self, probe: str, at: datetime, number: int) -> None:
        """Canaries that were sent; the ledger counted them when it took them down."""
        _add(self.totals.setdefault((probe, window_of(at, MINUTE)), {}), {"due": number, "sent": number})

    def take(self, entries: Iterable[Entry], now: datetime) -> tuple[list[Minute], dict[UUID, str]]:
        """Look at every canary in mind; return what has changed in any minute since the last call, and
        which canaries count otherwise than before."""
        counted: dict[UUID, str] = {}
        for entry in entries:
            state = self._state(entry, now)
            if state != entry.minute:
                if entry.minute:
                    self.count(entry.owed.probe, entry.owed.sent_at, **{entry.minute: -1})
                if state:
                    self.count(entry.owed.probe, entry.owed.sent_at, **{state: 1})
                entry.minute = counted[entry.owed.id] = state
        news = [Minute(probe, start, **counts) for (probe, start), counts in self._news.items()]
        self._news = {}
        self.totals = {key: value for key, value in self.totals.items() if now - key[1] < KEPT}
        return news, counted

    def _state(self, entry: Entry, now: datetime) -> str:
        if entry.receipt is Receipt.REFUSED and self._last not in entry.seen:
            return "refused"
        seen = entry.seen.get(self._last)
        if seen is not None:
            earliest = seen.not_before or entry.owed.sent_at
            return "not_visible" if entry.waited(earliest) > self._down_after else ""
        if now - entry.waits_from <= self._down_after:
            return entry.minute  # after a restart it waits anew, and counts as it did
        return "not_visible" if self._looked(entry) else "blind"

    def _looked(self, entry: Entry) -> bool:
        """Whether the last stage was read after the canary should have been visible."""
        if entry.judged is not None and entry.judged.outcome is Outcome.UNREAD:
            return False
        asked = entry.asked.get(self._last)
        lost = entry.judged is not None and entry.judged.final
        return lost or self._topic or (asked is not None and entry.waited(asked) > self._down_after)

    def newly_down(self, probe: str, now: datetime) -> int:
        """Minutes that are down and old enough to be counted, each only once."""
        ripe = {(probe, start) for start in self.down(probe, now) if now - start > MINUTE + self._down_after}
        fresh = ripe - self._told
        self._told = {key for key in self._told | fresh if now - key[1] < KEPT}
        return len(fresh)

    def down(self, probe: str, now: datetime) -> list[datetime]:
        """The recent whole minutes in which at least half of what was due was refused or not visible."""
        return sorted(
            start
            for (name, start), counts in self.totals.items()
            if name == probe and start + MINUTE <= now and is_down(counts)
        )


def is_down(counts: dict[str, int]) -> bool:
    """The one definition of "ingestion down", for one minute of one probe."""
    due = counts.get("due", 0) - counts.get("blind", 0)
    return due > 0 and 2 * (counts.get("refused", 0) + counts.get("not_visible", 0)) >= due


def _add(counts: dict[str, int], added: Mapping[str, int]) -> None:
    for name, number in added.items():
        counts[name] = counts.get(name, 0) + number


def of_sent(owed: Iterable[Owed]) -> list[Minute]:
    """The minutes in which these are due and sent."""
    counts = Counter((one.probe, window_of(one.sent_at, MINUTE)) for one in owed)
    return [Minute(probe, start, due=number, sent=number) for (probe, start), number in counts.items()]
