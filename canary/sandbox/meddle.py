"""Lets faults act on events on their way into a stage, and writes down for each what was done to it."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from canary.sandbox.body import Body, corrupted, moved
from canary.sandbox.faults import POST_KINDS, Active, Fault, Subject, activate, strike

_HELD_AT_MOST = 3.0


@dataclass(frozen=True, slots=True)
class Item:
    """An event on its way into a stage; `lane` is where it will land, `source` where it was read."""

    uuid: str
    canary: bool
    lane: int
    body: Body
    source: tuple[int, int] | None = None
    copy: bool = False
    context: Any = None


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of one event: what goes on at once, what later, and what is held back for another."""

    now: tuple[Item, ...] = ()
    later: tuple[tuple[timedelta, Item], ...] = ()
    held: bool = False


class Truth:
    """Appends to the file an oracle reads: one JSON line per event that a fault acted on."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def write(self, fault: Fault, uuid: str, detail: str) -> None:
        entry = {
            "time": datetime.now(UTC).isoformat(),
            "kind": fault.kind,
            "at": fault.at,
            "uuid": uuid,
            "detail": detail,
        }
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


class Plan:
    """The faults that are on; shared by all parts, so that each count is used up once."""

    def __init__(self, truth: Truth) -> None:
        self._truth, self._lock = truth, threading.Lock()
        self._active: list[Active] = []
        self._healings = 0

    @property
    def healings(self) -> int:
        """How often all faults were taken off: what one of them held back before that goes on at once."""
        return self._healings

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._active.append(activate(fault, datetime.now(UTC)))

    def clear(self) -> None:
        with self._lock:
            self._active.clear()
            self._healings += 1

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._active = [each for each in self._active if each.fault is not fault]

    def active(self) -> tuple[Active, ...]:
        """What is on now; expired and used up faults are forgotten on the way."""
        now = datetime.now(UTC)
        with self._lock:
            self._active = [each for each in self._active if each.left != 0 and not each.expired(now)]
            return tuple(self._active)

    def stopped(self, at: str) -> bool:
        return any(each.fault.kind == "stop" and each.fault.at == at for each in self.active())

    def skew(self, at: str) -> timedelta:
        shifts = (
            each.fault.by for each in self.active() if each.fault.kind == "skew" and each.fault.at == at
        )
        return sum(shifts, timedelta())

    def post(self, subject: Subject) -> Fault | None:
        """The fault that takes this post, if any; it is for the ingress to carry it out and record it."""
        return self._strike(subject, lambda fault: fault.at == "ingress" and fault.kind in POST_KINDS)

    def event(self, at: str, subject: Subject, fits: Callable[[Fault], bool]) -> Fault | None:
        kinds = ("drop", "duplicate", "delay", "reorder", "corrupt")
        return self._strike(subject, lambda fault: fault.at == at and fault.kind in kinds and fits(fault))

    def record(self, fault: Fault, uuid: str, detail: str) -> None:
        self._truth.write(fault, uuid, detail)

    def _strike(self, subject: Subject, wanted: Callable[[Fault], bool]) -> Fault | None:
        if not self._active:
            return None
        now = datetime.now(UTC)
        with self._lock:
            for place, each in enumerate(self._active):
                after = strike(each, subject, now) if wanted(each.fault) else None
                if after is not None:
                    self._active[place] = after
                    return each.fault
        return None


class Meddler:
    """Stands before one stage; events pass through it, and what it held for reordering comes out later."""

    def __init__(self, plan: Plan, at: str) -> None:
        self._plan, self._at = plan, at
        self._held: dict[int, tuple[float, int, Item]] = {}
        self._lock = threading.Lock()

    def meddle(self, item: Item) -> Passage:
        subject = Subject(item.uuid, item.canary, item.lane)
        healings = self._plan.healings
        fault = self._plan.event(self._at, subject, lambda fault: self._fits(fault, item))
        if fault is None:
            return Passage(now=(item, *self._released(item.lane)))
        passage, detail = self._apply(fault, item, healings)
        self._plan.record(fault, item.uuid, detail)
        if passage.held:
            return passage
        return replace(passage, now=(*passage.now, *self._released(item.lane))) if passage.now else passage

    def overdue(self) -> Sequence[Item]:
        """Those held so long that nothing came to overtake them; all that was held before a healing."""
        now, healings = time.monotonic(), self._plan.healings
        with self._lock:
            lanes = [
                lane
                for lane, (since, held_at, _) in self._held.items()
                if now - since >= _HELD_AT_MOST or held_at != healings
            ]
            return [self._held.pop(lane)[2] for lane in lanes]

    def _fits(self, fault: Fault, item: Item) -> bool:
        if fault.kind == "reorder":
            return item.lane not in self._held
        return fault.kind != "corrupt" or corrupted(item.body, item.uuid, fault.field) is not None

    def _apply(self, fault: Fault, item: Item, healings: int) -> tuple[Passage, str]:
        if fault.kind == "drop":
            return Passage(), "dropped"
        if fault.kind == "duplicate":
            body = moved(item.body, timedelta(days=-1)) if fault.how == "another-day" else item.body
            return Passage(now=(item, replace(item, body=body, copy=True))), f"copied: {fault.how}"
        if fault.kind == "delay":
            return Passage(later=((fault.by, item),)), f"delayed by {fault.by.total_seconds():g} s"
        if fault.kind == "reorder":
            with self._lock:
                self._held[item.lane] = (time.monotonic(), healings, item)
            return Passage(held=True), "held until another has passed"
        changed = corrupted(item.body, item.uuid, fault.field)
        assert changed is not None, "a fault was chosen that does not fit. This is a bug."
        body, detail = changed
        return Passage(now=(replace(item, body=body),)), detail

    def _released(self, lane: int) -> tuple[Item, ...]:
        if not self._held:
            return ()
        with self._lock:
            found = self._held.pop(lane, None)
        return () if found is None else (found[2],)
