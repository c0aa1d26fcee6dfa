"""The pager: conditions in, and messages delivered one at a time, whether or not its store is there."""

import logging
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

from alerts.condition import Condition, Notice, Severity
from alerts.delivery import DeliveryError, Letter, Receipt, Sender
from alerts.orders import OrderBook
from alerts.policy import NOTHING, decide
from alerts.rules import Rule, Rules
from alerts.silence import Orders
from alerts.state import Incident, State
from alerts.store import Store, StoreError

STORE_KEY = "alerts/store"
STORE_RULE = Rule(repeat=timedelta(hours=1))
PACE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=10)
ORDERS_EVERY = timedelta(seconds=2)

_log = logging.getLogger(__name__)


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom the pager tells of what it did; each is called without its lock and must return at once."""

    on_decided: Callable[[Notice], None] = _ignore
    on_sent: Callable[[Notice], None] = _ignore
    on_failed: Callable[[Notice, DeliveryError], None] = _ignore


class Pager:
    """Decides, writes down, then tells. `update` and `deliver` may be called from different threads."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        *,
        rules: Rules,
        hooks: Hooks | None = None,
        orders: OrderBook | None = None,
        store_key: str = STORE_KEY,
    ) -> None:
        """Takes up what the store holds; raises StoreError where it cannot be read.

        `store_key` is the key of the condition that the store is gone: one that the caller may find too.
        """
        self._store_key = store_key
        self._order_book, self._orders = orders, NOTHING
        self._orders_read_at: datetime | None = None
        self._store, self._sender = store, sender
        self._rules = rules.with_rule(store_key, STORE_RULE)
        self._hooks = hooks or Hooks()
        self._lock = Lock()
        kept = store.load()
        self._state = self._saved = kept.state
        self._queue: dict[str, Letter] = {letter.notice.id: letter for letter in kept.owed}
        self._threads: dict[int, Receipt] = dict(kept.threads)
        self._unsaved: dict[str, Letter] = {}
        self._outage = ""
        self._outage_told_at: datetime | None = None
        self._not_before: datetime | None = None
        self._failures = 0
        self._last_error = ""

    # What is true now, from the step that judges.

    def update(
        self, conditions: Iterable[Condition], *, now: datetime, unknown: Container[str] = ()
    ) -> tuple[Notice, ...]:
        """Decide what is owed and write it down; where that fails, it is kept and told from memory."""
        given = tuple(conditions)
        self._read_orders(now)
        with self._lock:
            if self._outage:
                self._flush()
            notices = self._decide(given, now=now, unknown=unknown)
        for notice in notices:
            self._hooks.on_decided(notice)
        return notices

    def _read_orders(self, now: datetime) -> None:
        """See what people asked for since; where that cannot be read, what they had asked still holds."""
        last = self._orders_read_at
        if self._order_book is None or (last is not None and abs(now - last) < ORDERS_EVERY):
            return
        self._orders_read_at = now
        try:
            self._orders = self._order_book.read(now)
        except StoreError as error:
            _log.warning("alerts: silences and acknowledgements cannot be read: %s", error)

    def _decide(
        self, given: tuple[Condition, ...], *, now: datetime, unknown: Container[str]
    ) -> tuple[Notice, ...]:
        before, waiting = self._state, dict(self._unsaved)
        was_out, told_at = bool(self._outage), self._outage_told_at
        notices = self._apply(before, given, now=now, unknown=unknown)
        if not self._flush() and not was_out:
            # The outage came to light with this very write, so it belongs to this decision.
            for notice in notices:
                del self._queue[notice.id]
            self._unsaved, self._outage_told_at = waiting, told_at
            notices = self._apply(before, given, now=now, unknown=unknown)
        return notices

    def _apply(
        self, before: State, given: tuple[Condition, ...], *, now: datetime, unknown: Container[str]
    ) -> tuple[Notice, ...]:
        if not self._outage_may_be_told(before, now):
            given = tuple(one for one in given if one.key != self._store_key)
        elif self._outage:
            given = (*given, _store_gone(self._store_key, self._outage))
        self._state, notices = decide(
            before, given, now=now, rules=self._rules, unknown=unknown, orders=self._orders
        )
        for notice in notices:
            if notice.key == self._store_key:
                self._outage_told_at = now
            self._put(Letter(notice))
        return notices

    def _outage_may_be_told(self, state: State, now: datetime) -> bool:
        """At most once an hour, even where the store comes and goes."""
        incident = state.incidents.get(self._store_key)
        if incident is not None and incident.open:
            return True
        return self._outage_told_at is None or abs(now - self._outage_told_at) >= timedelta(hours=1)

    # What is owed, from the step that delivers.

    def deliver(self, now: datetime) -> bool:
        """Try one owed notice; False when nothing may go now: nothing is owed, or a pause is on."""
        with self._lock:
            if self._unsaved:
                self._flush()
            letter = self._next(now)
            if letter is None:
                return False
            begun = replace(letter, attempts=letter.attempts + 1, uncertain=True)
            # Written before the send: after a crash in between, the next try knows that it may be a repeat.
            self._put(begun)
            self._flush()
            thread = self._threads.get(letter.notice.incident)
        try:
            receipt = self._sender.send(replace(letter.notice, repeat=letter.uncertain), thread)
        except DeliveryError as error:
            self._failed(letter, begun, error=error, now=now)
        else:
            self._delivered(begun, receipt, now=now)
        return True

    def _next(self, now: datetime) -> Letter | None:
        """The oldest that may go now; within an incident only the first that is not done."""
        if self._not_before is not None and now < self._not_before <= now + LONGEST_WAIT:
            return None
        seen: set[int] = set()
        for letter in self._queue.values():
            first = letter.notice.incident not in seen
            seen.add(letter.notice.incident)
            if first and _due(letter, now):
                return letter
        return None

    def _delivered(self, letter: Letter, receipt: Receipt, *, now: datetime) -> None:
        with self._lock:
            self._failures, self._last_error, self._not_before = 0, "", now + PACE
            self._threads.setdefault(letter.notice.incident, receipt)
            self._put(replace(letter, uncertain=False, sent_at=now, receipt=receipt, error=""))
            self._flush()
        self._hooks.on_sent(letter.notice)

    def _failed(self, before: Letter, letter: Letter, *, error: DeliveryError, now: datetime) -> None:
        wait = error.retry_after or _backoff(letter.attempts, LONGEST_WAIT)
        with self._lock:
            self._failures, self._last_error = self._failures + 1, error.reason
            pause = error.retry_after or _backoff(self._failures, LONGEST_PAUSE)
            self._not_before = now + (PACE if error.permanent else min(pause, LONGEST_WAIT))
            letter = replace(letter, uncertain=before.uncertain or error.uncertain, error=error.reason)
            if error.permanent:
                letter = replace(letter, given_up_at=now)
            self._put(replace(letter, next_try_at=now + min(wait, LONGEST_WAIT)))
            self._flush()
        _log.warning("alerts: notice %s was not delivered: %s", letter.notice.id, error.reason)
        self._hooks.on_failed(letter.notice, error)

    # Memory first, the store as soon as it takes it.

    def _put(self, letter: Letter) -> None:
        notice = letter.notice
        self._unsaved[notice.id] = letter
        if not letter.done:
            self._queue[notice.id] = letter
            return
        self._queue.pop(notice.id, None)
        live = {incident.number for incident in self._state.incidents.values()}
        live.update(waiting.notice.incident for waiting in self._queue.values())
        self._threads = {number: thread for number, thread in self._threads.items() if number in live}

    def _flush(self) -> bool:
        """Write down what is not yet written; False, and remembered, where the store does not take it."""
        letters = tuple(self._unsaved.values())
        if not letters and self._state.incidents == self._saved.incidents and not self._outage:
            return True
        try:
            self._store.save(self._state, letters, before=self._saved)
        except StoreError as error:
            if not self._outage:
                _log.error("alerts: the store is gone, going on from memory: %s", error)
            self._outage = str(error)
            return False
        self._saved, self._unsaved, self._outage = self._state, {}, ""
        return True

    def flush(self) -> bool:
        """Write down what is only in memory, as far as the store takes it; for the end of the process."""
        with self._lock:
            return self._flush()

    def prune(self, before: datetime) -> int:
        """Forget what was done before that time, a bite of it; how many rows went."""
        return self._store.prune(before)

    # What others may ask; answered from memory.

    def orders(self) -> Orders:
        """The silences and acknowledgements that were last read."""
        return self._orders

    def incidents(self) -> tuple[Incident, ...]:
        """Those that are open now, the oldest first."""
        with self._lock:
            found = [incident for incident in self._state.incidents.values() if incident.open]
        return tuple(sorted(found, key=lambda incident: incident.number))

    def owed(self) -> int:
        """How many notices wait for delivery."""
        with self._lock:
            return len(self._queue)

    def problems(self) -> tuple[str, ...]:
        """Why messages do not go out or are not written down, if so."""
        with self._lock:
            return tuple(reason for reason in (self._last_error, self._outage) if reason)

    def check(self) -> list[str]:
        """What is wrong with the way out; asks it, so this takes as long as its deadline."""
        return self._sender.check()


def _due(letter: Letter, now: datetime) -> bool:
    # A time further off than any wait we set means that the clock has stepped back.
    return letter.next_try_at is None or not now < letter.next_try_at <= now + LONGEST_WAIT


def _backoff(attempts: int, longest: timedelta) -> timedelta:
    return min(longest, timedelta(seconds=1 << min(max(0, attempts - 1), 20)))


def _store_gone(key: str, reason: str) -> Condition:
    return Condition(
        key=key,
        severity=Severity.PAGE,
        title=f"the ledger is gone: {reason}",
        facts=(("what goes on", "watching and paging, from memory; a restart now would forget"),),
    )
