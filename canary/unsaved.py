"""What was learned and is not yet in the ledger: written in one transaction, kept when that fails."""

import threading
from collections.abc import Iterable, Mapping
from typing import Protocol
from uuid import UUID

from canary.ledger import Ledger, LedgerError
from canary.minutes import of_sent
from canary.values import Answer, Coverage, Judged, Minute, Owed, Position, Seen, WindowReport

MAX_POSITIONS = 10_000
"""How many position readings wait for a ledger that is gone; the newest matter most."""


class OnFailure(Protocol):
    """Hears that the ledger failed (why), or (None) that it works again."""

    def __call__(self, reason: str | None) -> None: ...


class Unsaved:
    """Collects what the steps learn; `flush` writes it. Any thread may call it."""

    def __init__(self, ledger: Ledger, *, on_failure: OnFailure) -> None:
        self._ledger = ledger
        self._on_failure = on_failure
        self._lock = threading.RLock()
        self.answers: dict[UUID, Answer] = {}
        self.seen: dict[tuple[UUID, str], Seen] = {}
        self.judged: dict[UUID, Judged] = {}
        self.reports: dict[tuple[str, object], WindowReport] = {}
        self._coverage: dict[tuple[str, str, int], list[Coverage]] = {}
        self._positions: list[tuple[str, Position]] = []
        self._minutes: list[Minute] = []
        self._counted: dict[UUID, str] = {}

    def learned(
        self, stage: str, *, seen: Iterable[Seen], coverage: Iterable[Coverage], positions: Iterable[Position]
    ) -> None:
        """What a look brought."""
        with self._lock:
            self.seen.update(((item.id, item.stage), item) for item in seen)
            for item in coverage:
                _join(self._coverage.setdefault((stage, item.place, item.partition), []), item)
            self._positions.extend((stage, item) for item in positions)
            del self._positions[:-MAX_POSITIONS]

    def settled(
        self,
        *,
        judged: Iterable[Judged],
        reports: Iterable[WindowReport],
        minutes: Iterable[Minute],
        counted: Mapping[UUID, str],
    ) -> None:
        """What settling decided."""
        with self._lock:
            self.judged.update((item.id, item) for item in judged)
            self.reports.update(((item.probe, item.start), item) for item in reports)
            self._minutes.extend(minutes)
            self._counted.update(counted)

    def answered(self, answers: Iterable[tuple[UUID, Answer]]) -> None:
        """What the ingress said."""
        with self._lock:
            self.answers.update(answers)

    @property
    def pressing(self) -> bool:
        """Whether more waits than what would only be read again: sightings go with the coverage that they
        are from, so after a crash reading starts before them."""
        return bool(self.answers or self.judged or self.reports)

    def flush(self, *, sending: Iterable[Owed] = ()) -> bool:
        """Write all of it, with the canaries about to be sent, or keep all of it; say which."""
        owed = list(sending)
        with self._lock:
            try:
                self._write(owed)
            except LedgerError as error:
                self._on_failure(str(error))
                return False
            self._clear()
        self._on_failure(None)
        return True

    def _write(self, owed: list[Owed]) -> None:
        with self._ledger.step() as step:
            if owed:
                step.record_sent(owed)
                step.add_minutes(of_sent(owed))
            if self.answers:
                step.record_answers(list(self.answers.items()))
            for stage in {key[0] for key in self._coverage} | {s for s, _ in self._positions}:
                step.record_look(
                    stage,
                    seen=(),
                    coverage=[c for key, items in self._coverage.items() if key[0] == stage for c in items],
                    positions=[position for name, position in self._positions if name == stage],
                )
            if self.seen:
                step.record_look("", seen=list(self.seen.values()), coverage=(), positions=())
            if self.judged:
                step.record_judged(list(self.judged.values()))
            if self.reports:
                step.record_windows(list(self.reports.values()))
            if self._minutes:
                step.add_minutes(self._minutes, self._counted)

    def _clear(self) -> None:
        for kept in (self.answers, self.seen, self.judged, self.reports, self._coverage, self._counted):
            kept.clear()
        self._positions.clear()
        self._minutes.clear()


def _join(items: list[Coverage], new: Coverage) -> None:
    """Keep touching intervals as one, and breaks as breaks."""
    last = items[-1] if items else None
    if last is not None and last.since <= new.since <= last.until:
        new = Coverage(
            new.place,
            new.partition,
            last.since,
            max(last.until, new.until),
            new.next_offset,
            last.expired + new.expired,
        )
        items.pop()
    items.append(new)
