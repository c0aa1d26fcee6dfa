"""A pipeline in memory: an ingress, two topics with partitions, their consumers, a table, and its faults.

It notes what really became of every canary, in its own time, without a word from the monitor.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from canary.values import Event
from tests.virtual.clock import VirtualClock
from tests.virtual.mangle import LAWFUL

RAW, PROCESSED, EVENTS = "raw", "processed", "events"
OVERFLOW, DEAD = "overflow", "dead"
STAGES = (RAW, PROCESSED, EVENTS)
PARTITIONS = 4
HOP_BEFORE = {RAW: ("ingress", RAW), PROCESSED: (RAW, PROCESSED), EVENTS: (PROCESSED, EVENTS)}


@dataclass(slots=True)
class Fate:
    """What was really done to one canary. Times are the machine's monotonic seconds."""

    event: Event
    sent_at: float
    receipt: str
    appended: dict[str, float] = field(default_factory=dict)
    arrived_at: float | None = None
    gone_at: float | None = None
    gone_into: str = ""
    gone_hops: set[tuple[str, str]] = field(default_factory=set)
    """The hop where it went, as the monitor's stages were then and each time when they were changed since."""
    copied_at: set[str] = field(default_factory=set)
    replayed: bool = False
    corrupted: bool = False
    spoilt_into: str = ""
    copy_corrupted: bool = False
    detoured: bool = False
    done: list[str] = field(default_factory=list)
    partition: int = 0
    broke_promise: bool = False
    overtaken: bool = False
    unread: set[str] = field(default_factory=set)
    """Stages of which retention removed a record of it before the monitor came to read it: what those showed,
    nobody can know."""


@dataclass(slots=True)
class Record:
    """One record of a topic, or one row."""

    id: UUID
    at: float
    mangled: str = ""
    reason: str = ""
    elsewhere: bool = False


@dataclass(slots=True)
class Log:
    """One partition; `start` is the oldest offset that is kept, `committed` the consumer's."""

    records: list[Record] = field(default_factory=list)
    start: int = 0
    committed: int = 0


def hop_into(stage: str, watched: Sequence[str]) -> tuple[str, str]:
    """The hop on which something happened, as far as the monitor was told to watch."""
    at = STAGES.index(stage)
    before = [name for name in STAGES[:at] if name in watched]
    return (before[-1] if before else "ingress", next(n for n in STAGES[at:] if n in watched))


class Pipeline:
    """All of it. `tick` lets everything happen that is due by now."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.topics = {name: [Log() for _ in range(PARTITIONS)] for name in (RAW, PROCESSED, OVERFLOW, DEAD)}
        self.rows: dict[UUID, list[Record]] = {}
        self.fates: dict[UUID, Fate] = {}
        self.stopped: set[str] = set()
        self.hold: dict[str, float] = {}
        self.todo: dict[tuple[str, str], int] = Counter()
        self.orders: dict[tuple[str, str], Callable[[Fate], bool]] = {}
        self.mangle = "text"
        self.elsewhere = False
        self.appends_after = 0.1
        self.promised_within = float("inf")
        self.answers: list[str] = []
        self.always = "accept"
        self.watched: tuple[tuple[str, ...], ...] = (STAGES,)
        """The stages that the monitor was told of, the newest last."""
        self._later: list[tuple[float, int, UUID]] = []
        self._order = count()

    def tick(self) -> None:
        """Let happen what is due."""
        now = self.clock.monotonic()
        while self._later and self._later[0][0] <= now:
            at, _, id_ = heapq.heappop(self._later)
            self._into(RAW, Record(id_, at))
        self._move(RAW, PROCESSED)
        self._move(OVERFLOW, PROCESSED)
        self._move(PROCESSED, EVENTS)

    def holds(self, ids: Collection[UUID], *, held_for: float = 0) -> bool:
        """Whether the ingress still holds one of these, for so many seconds at least, and will append it."""
        sent_by = self.clock.monotonic() - held_for
        return any(id_ in ids and self.fates[id_].sent_at <= sent_by for _, _, id_ in self._later)

    def watch(self, names: tuple[str, ...]) -> None:
        """The monitor's stages are changed: what went before lies on another of its hops from now on."""
        self.watched = (*self.watched, names)
        for fate in self.fates.values():
            if fate.gone_into:
                fate.gone_hops.add(hop_into(fate.gone_into, names))

    # -- the ingress ------------------------------------------------------------------------------

    def post(self, event: Event) -> str:
        """Take one event as the next order for the ingress says; return the receipt."""
        mode = self.answers.pop(0) if self.answers else self.always
        receipt = {"accept": "accepted", "accept_and_drop": "accepted", "refuse": "refused"}.get(
            mode, "unknown"
        )
        fate = self.fates[event.id] = Fate(event, self.clock.monotonic(), receipt)
        fate.partition = (len(self.fates) - 1) % PARTITIONS
        fate.done.append(mode)
        if mode == "accept_and_drop":
            self._gone(event.id, RAW)
        elif mode in ("accept", "timeout_stored"):
            self._soon(self.appends_after, event.id)
        elif mode == "error_stored":
            self._soon(3.0, event.id)
        return receipt

    def _soon(self, seconds: float, id_: UUID) -> None:
        at = self.clock.monotonic() + seconds
        self.fates[id_].broke_promise = seconds > self.promised_within
        heapq.heappush(self._later, (at, next(self._order), id_))

    # -- the way ----------------------------------------------------------------------------------

    def _ordered(self, kind: str, stage: str, fate: Fate) -> bool:
        if (order := self.orders.get((kind, stage))) is not None and order(fate):
            return True
        if self.todo[kind, stage] <= 0:
            return False
        self.todo[kind, stage] -= 1
        return True

    def _into(self, stage: str, record: Record) -> None:
        """Bring one event into a stage, or do to it what is ordered there."""
        fate, now = self.fates[record.id], self.clock.monotonic()
        if self._ordered("drop", stage, fate):
            fate.done.append(f"dropped on its way into {stage}")
            self._gone(record.id, stage)
            return
        if stage == PROCESSED and self._ordered("dead", stage, fate):
            fate.done.append("dead-lettered")
            self.topics[DEAD][self._partition(record.id)].records.append(
                Record(record.id, now, reason="too large")
            )
            self._gone(record.id, stage)
            return
        again = stage in fate.appended  # a copy may come when its window has long been settled
        mangled = self.mangle if self._ordered("corrupt", stage, fate) else record.mangled
        if mangled not in LAWFUL:
            fate.corrupted |= not again
            fate.spoilt_into = fate.spoilt_into or stage
            fate.copy_corrupted |= again
        if mangled:
            fate.done.append(f"mangled ({mangled})")
        name = stage
        if stage == RAW and self._ordered("detour", stage, fate):
            name, fate.detoured = OVERFLOW, True
        self._append(name, stage, Record(record.id, now, mangled))
        if self._ordered("duplicate", stage, fate):
            if again:
                fate.replayed = True
            else:
                fate.copied_at.add(stage)
            self._append(name, stage, Record(record.id, now, mangled, elsewhere=self.elsewhere))

    def _append(self, place: str, stage: str, record: Record) -> None:
        fate = self.fates[record.id]
        fate.appended.setdefault(stage, record.at)
        fate.done.append(f"{place} at {record.at:.1f}")
        if place == EVENTS:
            self.rows.setdefault(record.id, []).append(record)
            fate.arrived_at = min(fate.arrived_at or record.at, record.at)
        else:
            log = self.topics[place][fate.partition]
            if place == RAW:  # what was sent after this was answered lies before it
                for earlier in reversed(log.records):
                    if earlier.at < fate.sent_at:
                        break  # appended before this one was sent, and so sent before it
                    other = self.fates[earlier.id]
                    other.overtaken |= other.sent_at > fate.sent_at
            log.records.append(record)

    def _move(self, source: str, target: str) -> None:
        if target in self.stopped:
            return
        ready = self.clock.monotonic() - self.hold.get(target, 0.0)
        for log in self.topics[source]:
            while log.committed < len(log.records):
                log.committed = max(log.committed, log.start)  # retention came first
                if log.committed >= len(log.records) or log.records[log.committed].at > ready:
                    break
                record = log.records[log.committed]
                self._into(target, record)
                log.committed += 1

    def replay(self, stage: str, by: int) -> None:
        """Set the consumer of a topic back, as a deployment that lost its commits does."""
        for log in self.topics[stage]:
            old = max(log.committed - by, log.start)
            for record in log.records[old : log.committed]:
                self.fates[record.id].replayed = True
            log.committed = min(log.committed, old)

    def expire(self, stage: str) -> None:
        """Retention removes everything from a topic, read or not."""
        target = EVENTS if stage == PROCESSED else PROCESSED
        for log in self.topics[stage]:
            for record in log.records[max(log.committed, log.start) :]:
                fate = self.fates[record.id]
                fate.done.append(f"removed from {stage} by retention")
                if target not in fate.appended:
                    self._gone(record.id, target)
            log.start = len(log.records)

    def heal(self) -> None:
        """No fault any more; what was held back goes on."""
        self.stopped.clear()
        self.hold.clear()
        self.todo.clear()
        self.answers.clear()
        self.orders.clear()
        self.mangle, self.elsewhere, self.always = "text", False, "accept"
        self.appends_after = 0.1

    def _gone(self, id_: UUID, into: str) -> None:
        fate = self.fates[id_]
        if fate.gone_at is None:
            fate.gone_at, fate.gone_into = self.clock.monotonic(), into
            fate.gone_hops.add(hop_into(into, self.watched[-1]))

    def _partition(self, id_: UUID) -> int:
        return self.fates[id_].partition

    def ids(self) -> Sequence[UUID]:
        return list(self.fates)
