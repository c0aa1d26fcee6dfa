"""The story: inject, follow, settle, page. Each step does one round of work and returns.

A canary is minted and written to the ledger, posted, and its receipt noted (`inject`). Every stage is
read for it (`follow`). When its window is due, one pure function gives it its outcome (`settle`), and
what is wrong becomes conditions, which the pager turns into messages (`page`). Steps may run in threads
of their own; what they share lies on the desk, and no lock is held while an edge is asked.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from alerts.condition import Condition
from alerts.store import StoreError
from canary.ask import SOON, Aim, Asker, Seeker, Stage, Table, sought
from canary.audit.beside import Real
from canary.background import Background
from canary.desk import Desk
from canary.event import EVENT_NAME
from canary.follow import Follower
from canary.gauges import measure
from canary.identity import Verifier
from canary.inject import Injector
from canary.ledger import LedgerError
from canary.minutes import KEPT
from canary.objectives import Objectives
from canary.pager import Pager
from canary.probe import Probe
from canary.rules import conditions
from canary.scene import Scene
from canary.settle import MAX_GONE, Settled, Settler
from canary.values import Look, Track, WindowReport

FLUSH_EVERY = timedelta(seconds=1)
BLIND_PAUSE = timedelta(seconds=1)
FIRST_READING = timedelta(seconds=3)
PRUNE_BITES = 5

Relane = Callable[[Probe, int], None]
"""Gives a probe the lanes that fit so many partitions of the first topic."""


class Watch:
    """All that is watched, and the four steps."""

    def __init__(
        self,
        desk: Desk,
        *,
        probes: Sequence[Probe],
        stages: Mapping[str, Stage],
        verifier: Verifier,
        pager: Pager,
        relane: Relane,
        aim: Aim,
        retention: tuple[timedelta, timedelta, timedelta],
    ) -> None:
        self.desk = desk
        self.probes = {probe.name: probe for probe in probes}
        self.stages = stages
        self.settler = Settler(desk)
        self.open_conditions: Sequence[Condition] = ()
        self.notes: dict[str, str] = {}
        self.objectives = Objectives(
            desk.plan.objectives,
            window=desk.plan.times.window,
            down_after=desk.plan.down_after,
            ledger=desk.ledger,
            metrics=desk.metrics,
        )
        self.real: Callable[[], Real] = Real
        self.background: Callable[[], Background] = Background
        self._injector = Injector(desk, self.probes)
        self._follower = Follower(desk.book, probes=self.probes, verifier=verifier, metrics=desk.metrics)
        self._askers = {
            name: Asker(desk, self.settler, name=name, table=stage, event=EVENT_NAME)
            for name, stage in stages.items()
            if isinstance(stage, Table)
        }
        self._seekers = {name: stage for name, stage in stages.items() if isinstance(stage, Seeker)}
        self._pager = pager
        self._relane = relane
        self._aim = aim
        self._retention = retention
        self._flushed_at = self._started_at = desk.line.now()
        self._begun = False
        for name in stages:
            desk.metrics.gauge("coverage_age_seconds", name).set_function(partial(self._age, name))

    def _age(self, name: str) -> float:
        """Seconds since the stage was last read to its end; since the start where it never was."""
        now = self.desk.line.now()
        return (self.desk.book.readings[name].age(now) or now - self._started_at).total_seconds()

    def restore(self) -> int:
        """Take up what an earlier run left open; return how many canaries."""
        ledger, now = self.desk.ledger, self.desk.line.now()
        count = self.desk.restore()
        starts = [(probe, ledger.last_settled(probe)) for probe in self.probes]
        latest = [r for probe, start in starts if start for r in self._reports(probe, start)]
        self.settler.recall(ledger.unclean_tracks(now - self.desk.plan.limits.horizon, MAX_GONE), latest, now)
        self.desk.minutes.restore(ledger.minutes(now - KEPT, now))
        self._load_reports(self.desk.book.settled)
        self.objectives.restore(now)
        return count

    def _reports(self, probe: str, start: datetime) -> Sequence[WindowReport]:
        return self.desk.ledger.windows(start, start + timedelta.resolution, probe=probe)

    def _load_reports(self, windows: Iterable[tuple[str, datetime]]) -> None:
        """The reports of windows that may be amended, where they are not in mind any more."""
        absent = [key for key in windows if key not in self.settler.reports]
        self.settler.reports |= {key: report for key in absent for report in self._reports(*key)}

    def inject(self, probe: str) -> timedelta:
        """Note the receipts that came, send what is due; return how long until more is due.

        The first canaries wait a moment for every stage's first reading: what is sent before it could
        not be proven absent. Sending never waits longer for a stage that cannot be read.
        """
        if not self._begun and self.desk.line.now() - self._started_at < FIRST_READING:
            self._begun = all(reading.begun for reading in self.desk.book.readings.values())
            if not self._begun:
                return SOON
        return self._injector.inject(probe)

    def follow(self, name: str) -> timedelta:
        """Look at one stage once and learn what it shows; return how long to leave it alone."""
        asker = self._askers.get(name)
        look, pause = asker.ask() if asker else (self._look(name), timedelta(0))
        if look is None:
            return pause
        known = self._known(self._strangers(look))
        with self.desk.lock:
            self._covered(name, look)
            positions = self.desk.book.readings[name].learn(look)
            seen = self._follower.absorb(look, known)
            self.desk.unsaved.learned(name, seen=seen, coverage=look.coverage, positions=positions)
        self.notes.update((name, note) for note in look.notes)
        measure(self.desk, name, look)
        if self._follower.off_lane:
            self.notes["lanes"] = self._follower.off_lane
        if look.partitions is not None and name == next(iter(self.stages)):
            for probe in self.probes.values():
                self._relane(probe, look.partitions)
        return max(pause, BLIND_PAUSE) if look.blind else pause

    def _look(self, name: str) -> Look:
        """Read a topic on, which may have to know for whom."""
        seeker = self._seekers.get(name)  # asked for once: a protocol's isinstance costs as much as a fetch
        if seeker is None or not seeker.seeks:
            return self.stages[name].look(())
        with self.desk.lock:
            wanted = sought(self.desk.book, name, self._aim, self.desk.line.now())
        return seeker.look(wanted)

    def settle(self) -> Settled:
        """Give outcomes to what is due or has changed, and tell the pager what is true now."""
        desk = self.desk
        if step := desk.line.check():
            desk.metrics.counter("clock_steps_total").inc()
            self.notes["clock"] = f"the wall clock stepped by {step.total_seconds():+.1f} s"
            with desk.lock:
                desk.book.new_epoch(desk.line.epoch_started_at, desk.line.jumped)
        now = desk.line.now()
        minutes = self.objectives.refresh(now)
        with desk.lock:
            settled = self.settler.settle(now)
            self.objectives.learn(settled.reports.values(), minutes, now)
            desk.unsaved.settled(
                judged=settled.judged,
                reports=settled.reports.values(),
                minutes=settled.minutes,
                counted=settled.counted,
            )
            self.open_conditions, unknown = conditions(self._scene(now))
        # Before the ledger knows: killed in between we find them again, and the pager knows them.
        self._pager.amend(settled.amendments, now=now)
        self._save()
        self._pager.update(self.open_conditions, now=now, unknown=unknown)
        return settled

    def settles_in(self) -> timedelta | None:
        """How long until the next window is due; None where none is open."""
        with self.desk.lock:
            due = self.desk.book.next_due()
        return None if due is None else due - self.desk.line.now()

    def page(self) -> bool:
        """Deliver one message that somebody is owed; say whether there may be more."""
        more = self._pager.deliver(self.desk.line.now())
        self.desk.metrics.gauge("notices_owed").set(self._pager.owed())
        return more

    def prune(self) -> None:
        """Let the ledger forget what nobody will ask for, a bite at a time."""
        clean, unclean, windows = self._retention
        now = self.desk.line.now()
        try:
            for _ in range(PRUNE_BITES):
                if not self.desk.ledger.prune(now, clean=clean, unclean=unclean, windows=windows):
                    break
            self._pager.prune(now)
        except (LedgerError, StoreError) as error:
            self.notes["ledger"] = f"old rows could not be removed: {error}"

    def save(self) -> None:
        """Note what came last and write it down."""
        for probe in self.probes.values():
            self.desk.unsaved.answered(probe.courier.collect())
        self.desk.unsaved.flush()

    def close(self) -> None:
        """Let go of the edges."""
        for probe in self.probes.values():
            probe.courier.close()
        for stage in self.stages.values():
            stage.close()

    def close_soon(self, within: timedelta = timedelta(seconds=1)) -> None:
        """Close, but do not wait for an edge that hangs."""
        closing = threading.Thread(target=self.close, name="close", daemon=True)
        closing.start()
        closing.join(within.total_seconds())

    def _covered(self, name: str, look: Look) -> None:
        for id_ in () if look.blind else look.asked:
            if (entry := self.desk.book.entries.get(id_)) is not None:
                entry.asked[name] = max(look.started_at, entry.asked.get(name, look.started_at))

    def _strangers(self, look: Look) -> Sequence[UUID]:
        with self.desk.lock:
            return self._follower.strangers(look) if look.sightings else ()

    def _known(self, ids: Sequence[UUID]) -> Mapping[UUID, Track]:
        """What the ledger knows of canaries that are no longer in mind."""
        try:
            known = self.desk.ledger.known(ids) if ids else {}
            with self.desk.lock:
                self._load_reports({(track.owed.probe, track.owed.window) for track in known.values()})
            return known
        except LedgerError:
            return {}  # they count as unexpected; what the ledger lacks is told by whoever writes to it

    def _save(self) -> None:
        """Write now what would be missed after a crash; readings alone can wait a second."""
        now = self.desk.line.now()
        if self.desk.unsaved.pressing or now - self._flushed_at >= FLUSH_EVERY:
            self._flushed_at = now
            self.desk.unsaved.flush()

    def _scene(self, now: datetime) -> Scene:
        return Scene(
            now=now,
            book=self.desk.book,
            latest=dict(self.settler.latest),
            recent=self.settler.told(),
            down={name: self.desk.minutes.down(name, now) for name in self.probes},
            down_after=self.desk.plan.down_after,
            waited_since=self.desk.line.epoch_started_at,
            ledger_problem=self.desk.ledger_problem,
            uncounted=self.desk.uncounted,
            patience=self.desk.plan.limits.patience,
            notes=dict(self.notes),
            instance=self.desk.plan.instance,
            accounts=self.desk.plan.accounts,
            objectives=self.objectives.conditions(),
            unjudged=self.objectives.unjudged(now),
            real=self.real(),
            grace=self.desk.plan.times.grace,
            background=self.background(),
        )
