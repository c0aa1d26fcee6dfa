"""What was learned and is not yet in the ledger: written in one transaction, kept when that fails."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID

from canary.ledger import Ledger, LedgerError, Step
from canary.ledger.step import same_topic
from canary.minutes import of_sent
from canary.values import Answer, Coverage, Judged, Minute, Owed, Position, Seen, WindowReport

MAX_POSITIONS = 10_000
"""How many position readings wait for a ledger that is gone; the newest matter most."""


class OnFailure(Protocol):
    """Hears that the ledger failed (why), or (None) that it works again."""

    def __call__(self, reason: str | None, /) -> None: ...


@dataclass(slots=True)
class _Batch:
    """What one transaction writes. The newest of what was learned twice is kept."""

    answers: dict[UUID, Answer] = field(default_factory=dict)
    seen: dict[tuple[UUID, str], Seen] = field(default_factory=dict)
    judged: dict[UUID, Judged] = field(default_factory=dict)
    reports: dict[tuple[str, object], WindowReport] = field(default_factory=dict)
    coverage: dict[tuple[str, str, int], list[Coverage]] = field(default_factory=dict)
    positions: list[tuple[str, Position]] = field(default_factory=list)
    minutes: list[Minute] = field(default_factory=list)
    counted: dict[UUID, str] = field(default_factory=dict)

    def covered(self, key: tuple[str, str, int], items: Iterable[Coverage]) -> None:
        for item in items:
            _join(self.coverage.setdefault(key, []), item)

    def located(self, positions: Iterable[tuple[str, Position]]) -> None:
        self.positions.extend(positions)
        del self.positions[:-MAX_POSITIONS]

    def take(self, newer: "_Batch") -> None:
        """Add what was learned since."""
        self.answers.update(newer.answers)
        self.seen.update(newer.seen)
        self.judged.update(newer.judged)
        self.reports.update(newer.reports)
        for key, items in newer.coverage.items():
            self.covered(key, items)
        self.located(newer.positions)
        self.minutes.extend(newer.minutes)
        self.counted.update(newer.counted)

    def write(self, step: Step, sending: Sequence[Owed]) -> None:
        if sending:
            step.record_sent(sending)
            step.add_minutes(of_sent(sending))
        if self.answers:
            step.record_answers(list(self.answers.items()))
        for stage in {key[0] for key in self.coverage} | {name for name, _ in self.positions}:
            step.record_look(
                stage,
                seen=(),
                coverage=[c for key, items in self.coverage.items() if key[0] == stage for c in items],
                positions=[position for name, position in self.positions if name == stage],
            )
        if self.seen:
            step.record_look("", seen=list(self.seen.values()), coverage=(), positions=())
        if self.judged:
            step.record_judged(list(self.judged.values()))
        if self.reports:
            step.record_windows(list(self.reports.values()))
        if self.minutes:
            step.add_minutes(self.minutes, self.counted)


class Unsaved:
    """Collects what the steps learn; `flush` writes it. Any thread may call it.

    Who only brings something never waits for the disk.
    """

    def __init__(self, ledger: Ledger, *, on_failure: OnFailure) -> None:
        self._ledger = ledger
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._batch = _Batch()

    def learned(
        self, stage: str, *, seen: Iterable[Seen], coverage: Iterable[Coverage], positions: Iterable[Position]
    ) -> None:
        """What a look brought."""
        with self._lock:
            self._batch.seen.update(((item.id, item.stage), item) for item in seen)
            for item in coverage:
                self._batch.covered((stage, item.place, item.partition), [item])
            self._batch.located((stage, item) for item in positions)

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
            self._batch.judged.update((item.id, item) for item in judged)
            self._batch.reports.update(((item.probe, item.start), item) for item in reports)
            self._batch.minutes.extend(minutes)
            self._batch.counted.update(counted)

    def answered(self, answers: Iterable[tuple[UUID, Answer]]) -> None:
        """What the ingress said."""
        with self._lock:
            self._batch.answers.update(answers)

    @property
    def pressing(self) -> bool:
        """Whether more waits than what would only be read again: sightings go with the coverage that they
        are from, so after a crash reading starts before them."""
        return bool(self._batch.answers or self._batch.judged or self._batch.reports)

    def flush(self, *, sending: Iterable[Owed] = ()) -> bool:
        """Write all of it, or the canaries about to be sent and what was answered to others; say whether it
        was written. What is not, is kept."""
        owed = list(sending)
        with self._writing:
            with self._lock:
                batch = self._taken(only_answers=bool(owed))
            try:
                with self._ledger.step() as step:
                    batch.write(step, owed)
            except LedgerError as error:
                with self._lock:
                    batch.take(self._batch)
                    self._batch = batch
                self._on_failure(str(error))
                return False
        self._on_failure(None)
        return True

    def _taken(self, *, only_answers: bool) -> _Batch:
        """What to write now. Before a post, which waits for it, no more than it must: looks and verdicts come
        together with the next settling, in fewer and longer pieces."""
        taken = self._batch
        if only_answers:
            taken, self._batch.answers = _Batch(answers=self._batch.answers), {}
        else:
            self._batch = _Batch()
        return taken


def _join(items: list[Coverage], new: Coverage) -> None:
    """Keep touching intervals as one, and breaks as breaks."""
    last = items[-1] if items else None
    if last is not None and same_topic(last, new) and last.since <= new.since <= last.until:
        until, expired = max(last.until, new.until), last.expired + new.expired
        new = replace(new, since=last.since, until=until, expired=expired)
        items.pop()
    items.append(new)
