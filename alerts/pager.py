"""The pager: conditions in, and messages delivered one at a time, whether or not its store is there."""

import logging
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

from alerts.amending import amend
from alerts.condition import Amendment, Condition, Notice
from alerts.delivery import DeliveryError, Letter, Receipt, Sender
from alerts.fallback import Choice, Ways, alone
from alerts.merging import given_up, merged, to_merge
from alerts.orders import Asked, OrderBook
from alerts.policy import decide
from alerts.rules import Rule, Rules
from alerts.sending import STORE_KEY, at_once, due, in_turn, live, sent, store_gone
from alerts.silence import Orders
from alerts.state import Incident, State
from alerts.store import Store, StoreError

SILENT_AFTER = timedelta(minutes=10)
STORE_RULE = Rule(repeat=timedelta(hours=1))

_log = logging.getLogger(__name__)


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom the pager tells of what it did; each is called without its lock and must return at once."""

    on_decided: Callable[[Notice], None] = _ignore
    on_sent: Callable[[Notice], None] = _ignore
    on_failed: Callable[[Notice, DeliveryError], None] = _ignore
    on_way: Callable[[str, DeliveryError | None], None] = _ignore
    """After each try of a way out and each check of it: its name, and what was wrong."""


class Pager:
    """Decides, writes down, then tells. `update` and `deliver` may be called from different threads."""

    def __init__(
        self,
        store: Store,
        ways: Ways | Sender,
        *,
        rules: Rules,
        hooks: Hooks | None = None,
        orders: OrderBook | None = None,
        keep: timedelta = timedelta(days=30),
        store_key: str = STORE_KEY,
    ) -> None:
        """Takes up what the store holds; raises StoreError where it cannot be read. `store_key` is what tells
        that the store is gone: the caller may find it too."""
        self._store, self._store_key, self._kept_for = store, store_key, keep
        self._asked = Asked(orders)
        self._ways = ways if isinstance(ways, Ways) else alone(ways)
        self._rules = rules.with_rule(store_key, STORE_RULE)
        self._hooks = hooks or Hooks()
        self._lock = Lock()
        kept = store.load()
        self._state = self._saved = kept.state
        self._queue: dict[str, Letter] = {letter.notice.id: letter for letter in kept.owed}
        self._threads: dict[tuple[int, str], Receipt] = dict(kept.threads)
        self._unsaved: dict[str, Letter] = {}
        self._outage = ""
        self._outage_told_at: datetime | None = None

    # What is true now, from the step that judges.

    def update(
        self, conditions: Iterable[Condition], *, now: datetime, unknown: Container[str] = ()
    ) -> tuple[Notice, ...]:
        """Decide what is owed and write it down; where that fails, it is kept and told from memory."""
        given = tuple(conditions)
        self._asked.read(now)
        with self._lock:
            if self._outage:
                self._flush()
            notices = self._decide(given, now=now, unknown=unknown)
        for notice in notices:
            self._hooks.on_decided(notice)
        return notices

    def amend(self, amendments: Sequence[Amendment], *, now: datetime) -> None:
        """Note what turned out otherwise than was told; a later `update` tells it. Twice does no harm."""
        if amendments:
            with self._lock:
                self._state = amend(self._state, amendments, now=now)
                self._flush()

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
            given = (*given, store_gone(self._store_key, self._outage))
        self._state, notices = decide(
            before, given, now=now, rules=self._rules, unknown=unknown, orders=self._asked.orders
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
        self._keep(now)
        with self._lock:
            self._merge(now)
            if self._unsaved:
                self._flush()
            if (found := self._next(now)) is None:
                return False
            letter, choice = found
            begun = replace(letter, attempts=letter.attempts + 1, uncertain=True)
            # Written before the send: after a crash in between, the next try knows that it may be a repeat.
            self._put(begun)
            self._flush()
            thread = self._threads.get((letter.notice.incident, choice.way.name))
        try:
            receipt = sent(letter, choice, thread)
        except DeliveryError as error:
            self._failed(letter, begun, way=choice.way.name, error=error, now=now)
        else:
            self._delivered(replace(begun, way=choice.way.name), receipt, now=now)
        return True

    def _next(self, now: datetime) -> tuple[Letter, Choice] | None:
        """The oldest that may go; where none may, one that waits finds out whether a failing way is back."""
        for letter in in_turn(self._queue.values(), now):
            choice = self._ways.choose(letter, now)
            if choice is not None and (due(letter, now) or self._ways.failing(choice.way.name)):
                return letter, choice
        return None

    def _merge(self, now: datetime) -> None:
        """Put what has waited too long, or is too much, into one message."""
        letters = tuple(self._queue.values())
        if not to_merge(letters, now):
            return
        one = merged(letters, number=self._state.next_number, now=now)
        self._state = replace(self._state, next_number=self._state.next_number + 1)
        for letter in letters:
            self._put(given_up(letter, one, now))
        self._put(one)

    def _keep(self, now: datetime) -> None:
        """Tell those ways out that would forget them which incidents are still open."""
        with self._lock:
            keepers = self._ways.keepers(now)
            there = [
                (name, keeper, live(self._state, self._threads, way=name, now=now))
                for name, keeper in keepers
            ]
        for name, keeper, notices in there:
            try:
                keeper.keep(notices)
            except DeliveryError as error:
                _log.warning("alerts: %s could not be told what is still open: %s", name, error.reason)
                self._hooks.on_way(name, error)

    def _delivered(self, letter: Letter, receipt: Receipt, *, now: datetime) -> None:
        with self._lock:
            if self._ways.delivered(letter.way, now):
                self._queue = at_once(self._queue)
            # The latest place counts: where a thread is gone, the message that replaced it begins a new one.
            self._threads[letter.notice.incident, letter.way] = receipt
            self._threads = {**self._ways.covered(letter, receipt), **self._threads}
            self._put(replace(letter, uncertain=False, sent_at=now, receipt=receipt, error=""))
            self._flush()
        self._hooks.on_way(letter.way, None)
        self._hooks.on_sent(letter.notice)

    def _failed(
        self, before: Letter, letter: Letter, *, way: str, error: DeliveryError, now: datetime
    ) -> None:
        with self._lock:
            self._ways.failed(way, error, now)
            letter = replace(letter, uncertain=before.uncertain or error.uncertain, error=error.reason)
            if error.permanent:
                letter = replace(letter, refused=(*letter.refused, way))
            if self._ways.exhausted(letter.refused):
                letter = replace(letter, given_up_at=now)
            self._put(replace(letter, next_try_at=self._ways.next_try(way, letter.attempts, now)))
            self._flush()
        _log.warning("alerts: notice %s was not delivered by %s: %s", letter.notice.id, way, error.reason)
        self._hooks.on_way(way, error)
        self._hooks.on_failed(letter.notice, error)

    # Memory first, the store as soon as it takes it.

    def _put(self, letter: Letter) -> None:
        notice = letter.notice
        self._unsaved[notice.id] = letter
        if not letter.done:
            self._queue[notice.id] = letter
            return
        self._queue.pop(notice.id, None)
        wanted = {incident.number for incident in self._state.incidents.values()} | {*self._state.past}
        wanted.update(waiting.notice.incident for waiting in self._queue.values())
        self._threads = {key: thread for key, thread in self._threads.items() if key[0] in wanted}

    def _flush(self) -> bool:
        """Write down what is not yet written; False, and remembered, where the store does not take it."""
        letters = tuple(self._unsaved.values())
        known = self._state.incidents == self._saved.incidents and self._state.past == self._saved.past
        if not letters and known and not self._outage:
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

    def prune(self, now: datetime) -> int:
        """Forget what was done long ago, a bite of it; how many rows went. Raises StoreError."""
        return self._store.prune(now - self._kept_for)

    # What others may ask; answered from memory.

    def orders(self) -> Orders:
        """The silences and acknowledgements that were last read."""
        return self._asked.orders

    def incidents(self) -> tuple[Incident, ...]:
        """Those that are open now, the oldest first."""
        with self._lock:
            found = [incident for incident in self._state.incidents.values() if incident.open]
        return tuple(sorted(found, key=lambda incident: incident.number))

    def owed(self) -> int:
        """How many notices wait for delivery."""
        with self._lock:
            return len(self._queue)

    def silence(self, now: datetime) -> str:
        """Why nobody has been told for long what they are owed; "" where they have."""
        with self._lock:
            oldest = min((letter.notice.made_at for letter in self._queue.values()), default=now)
        if now - oldest < SILENT_AFTER:
            return ""
        return f"messages do not go out since {oldest:%Y-%m-%d %H:%M:%S} UTC: {'; '.join(self.problems())}"

    def problems(self) -> tuple[str, ...]:
        """Why messages do not go out or are not written down, if so."""
        with self._lock:
            return tuple(reason for reason in (*self._ways.problems(), self._outage) if reason)

    def check(self) -> list[str]:
        """What is wrong with the ways out; asks each, so this takes as long as their deadlines."""
        found = []
        for way in self._ways.ways:
            problems = way.sender.check()
            self._hooks.on_way(way.name, DeliveryError(problems[0]) if problems else None)
            found += [f"{way.name}: {problem}" for problem in problems]
        return found
