"""The first step: note the receipts that came, write down what is due, post it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from canary.desk import Desk
from canary.ledger import LedgerError
from canary.probe import Probe
from canary.values import Owed
from reconcile.outcome import Receipt
from reconcile.window import window_of

RETRY = timedelta(seconds=1)
BUSY = timedelta(milliseconds=50)


class Injector:
    """Sends canaries, never one that the ledger does not hold."""

    def __init__(self, desk: Desk, probes: Mapping[str, Probe]) -> None:
        self._desk = desk
        self._probes = probes
        self._day = ""
        self._sent_today = 0
        self._epochs: dict[str, int] = {}

    def inject(self, name: str) -> timedelta:
        """One round for one probe; return how long until more is due."""
        desk, probe = self._desk, self._probes[name]
        epoch, now = desk.line.instant()
        if self._epochs.setdefault(name, epoch) != epoch:
            self._epochs[name] = epoch
            probe.begin_again()
        answered = self._note_answers(probe)
        allowed = self._allowed(probe, now)
        posts = probe.make(now, allowed, desk.plan.times) if allowed else []
        made = [owed for _, post in posts for owed, _ in post]
        self._defer(probe, allowed - len(made), now)
        if not made and not answered:
            return max(probe.wait(now), BUSY) if allowed else probe.wait(now)
        if not desk.unsaved.flush(sending=made):
            self._unspend(len(made), now)
            self._not_sent(name, "ledger", len(made), now)
            return RETRY
        self._owe(name, made, now)
        for lane, post in posts:
            probe.courier.send([event for _, event in post], lane)
        return probe.wait(desk.line.now())

    def _note_answers(self, probe: Probe) -> bool:
        answers = probe.courier.collect()
        with self._desk.lock:
            for id_, answer in answers:
                if (entry := self._desk.book.entries.get(id_)) is not None:
                    entry.answer = answer
                    if answer.receipt is Receipt.REFUSED:
                        self._desk.book.dirty.add(id_)
                self._desk.metrics.counter("receipts_total", probe.name, answer.receipt).inc()
            self._desk.unsaved.answered(answers)
        return bool(answers)

    def _owe(self, name: str, made: list[Owed], now: datetime) -> None:
        with self._desk.lock:
            for owed in made:
                self._desk.book.add(owed)
            self._desk.minutes.sent(name, now, len(made))
        self._desk.metrics.counter("sent_total", name).inc(len(made))

    def _allowed(self, probe: Probe, now: datetime) -> int:
        if probe.done:
            return 0
        count, missed = probe.due(now)
        self._not_sent(probe.name, "behind", missed, now)
        limit = self._desk.plan.max_events_per_day
        if limit is None or not count:
            return count
        with self._desk.lock:
            known = self._begin_day(now)
            allowed = max(min(count, limit - self._sent_today), 0) if known else 0
            self._sent_today += allowed
        self._not_sent(probe.name, "budget" if known else "ledger", count - allowed, now)
        return allowed

    def _defer(self, probe: Probe, count: int, now: datetime) -> None:
        """What found no free lane stays due, and is not spent."""
        probe.defer(count)
        self._unspend(count, now)

    def _unspend(self, count: int, now: datetime) -> None:
        """Give back to the day that it was taken from, where no probe has begun another since."""
        with self._desk.lock:
            if self._day == _day(now):
                self._sent_today -= count

    def _begin_day(self, now: datetime) -> bool:
        """Count a new day from what the ledger knows of it: a restart does not begin it again, nor does a new
        name of a probe. False as long as it cannot be counted."""
        day = _day(now)
        if day != self._day:
            start = now.replace(hour=0, minute=0, second=0, microsecond=0)
            try:
                self._sent_today = self._desk.ledger.sent_since(start)
            except LedgerError as error:
                self._desk.uncounted = str(error)
                return False
            self._day, self._desk.uncounted = day, ""
        return True

    def _not_sent(self, name: str, reason: str, count: int, now: datetime) -> None:
        if count <= 0:
            return
        self._desk.metrics.counter("not_sent_total", name, reason).inc(count)
        with self._desk.lock:
            self._desk.minutes.count(name, now, due=count)
            key = (name, window_of(now, self._desk.plan.times.window))
            self._desk.missed[key] = self._desk.missed.get(key, 0) + count


def _day(now: datetime) -> str:
    return now.date().isoformat()
