"""The real watch, ledger and pager over the pipeline in memory, step by step in virtual time."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from uuid import UUID

from prometheus_client import CollectorRegistry
from sqlalchemy import select

from alerts.condition import Kind, Notice
from alerts.delivery import Sender
from alerts.orders import OrderBook
from alerts.pager import Pager
from alerts.rules import Rule, Rules
from alerts.store import Store
from canary.ask import Stage
from canary.clock import Line
from canary.content import HABITS
from canary.courier import Courier, Ingress
from canary.desk import Desk, Plan
from canary.event import Payload
from canary.identity import Mint, Verifier
from canary.lanes import Lane
from canary.ledger.tables import canary
from canary.metrics import Metrics
from canary.paging_rules import LEDGER_KEY
from canary.probe import Pace, Probe, Schedule
from canary.readings import StageSpec
from canary.settle import Settled
from canary.values import Judged, Owed, Track, WindowReport
from canary.watch import Watch
from reconcile.outcome import Outcome
from tests.virtual.clock import START, VirtualClock
from tests.virtual.edges import Eyes, VirtualIngress, VirtualTable, VirtualTopic
from tests.virtual.failing import Died, FailingLedger, new_ledger
from tests.virtual.inbox import Inbox
from tests.virtual.limits import limits
from tests.virtual.pipeline import EVENTS, PARTITIONS, STAGES, Pipeline
from tests.virtual.seeking import Reads, SeekingTopic
from tests.virtual.terms import Terms

PROBE = "p"
SECRET = b"a secret of at least thirty-two bytes"
TICK = 1.0
WINDOW = timedelta(seconds=10)
GRACE = timedelta(seconds=10)
DOWN_LAGS = timedelta(minutes=10)
TERMS = Terms(objective=5, patience=8, lost_after=600)


@dataclass(slots=True)
class World:
    """Everything, and what the monitor said so far: `said` holds each canary's verdicts in order, `said_at`
    when the first that was final came; `names` are the probe's so far."""

    path: Path
    clock: VirtualClock = field(default_factory=VirtualClock)
    eyes: Eyes = field(default_factory=Eyes)
    said: dict[UUID, list[Judged]] = field(default_factory=dict)
    said_at: dict[UUID, float] = field(default_factory=dict)
    lanes: int = 4
    times: Schedule = field(default_factory=lambda: Schedule(WINDOW, GRACE))
    terms: Terms = TERMS
    sending: bool = True
    rate: float = 1.0
    probe: str = PROBE
    stages: tuple[str, ...] = STAGES
    dies_before: str = ""
    opens: Callable[[Path], FailingLedger] = FailingLedger.at
    runs: int = 0
    reads: Reads = field(default_factory=Reads)
    shared: Pipeline | None = None
    others: list["World"] = field(default_factory=list)
    mine: set[UUID] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    seekers: dict[str, SeekingTopic] = field(default_factory=dict)
    inbox: Inbox = field(init=False)
    pipeline: Pipeline = field(init=False)
    ledger: FailingLedger = field(init=False)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.inbox = Inbox(self.clock)
        self.pipeline = self.shared or Pipeline(self.clock)
        self.pipeline.promised_within = self.terms.patience
        self._start()

    def _start(self) -> None:
        self.runs += 1
        self.names.add(self.probe)
        if not self.path.exists():
            self.path.write_bytes(new_ledger())
        self.ledger = self.opens(self.path)
        line = Line(self.clock, not_before=self.ledger.last_instant())
        metrics = Metrics(CollectorRegistry(), probes=[self.probe], stages=self.stages)
        desk = Desk(
            plan=Plan(times=self.times, limits=limits(self.terms)),
            stages=[StageSpec(name, topic=name != EVENTS, place=name) for name in self.stages],
            ledger=self.ledger,
            line=line,
            metrics=metrics,
        )
        default = Rule(resolve_delay=WINDOW, repeat=None, after_cause=3 * WINDOW)
        gone = replace(default, amendable=timedelta(days=1), amend_delay=WINDOW)
        families = dict.fromkeys(("lost:", "undelivered:", "rejected:"), gone)
        down = replace(default, after_cause=DOWN_LAGS)
        rules = Rules(default=default, by_prefix={**families, "down:": down})
        self.watch = Watch(
            desk,
            probes=[self._probe(line)],
            stages={name: self._stage(name, line) for name in self.stages},
            verifier=Verifier(SECRET, [self.probe]),
            pager=Pager(
                Store(self.ledger.engine, begin=self.ledger.begin),
                self._sender(),
                rules=rules,
                orders=OrderBook(self.ledger.engine, begin=self.ledger.begin),
                store_key=LEDGER_KEY,
            ),
            relane=lambda _probe, _partitions: None,
            aim=self._aim,
            retention=(timedelta(days=1), timedelta(days=30), timedelta(days=400)),
        )
        self.watch.restore()

    def _probe(self, line: Line) -> Probe:
        return Probe(
            self.probe,
            pace=Pace(rate=self.rate),
            mint=Mint(SECRET, self.probe),
            payload=Payload(SECRET, self.probe),
            habits=HABITS["posthog"],
            courier=Courier(self._ingress(line), workers=0),
            lanes=[Lane(n, n % PARTITIONS, (f"canary-p-{n}",)) for n in range(self.lanes)],
        )

    def _sender(self) -> Sender:
        return self.inbox

    def _ingress(self, line: Line) -> Ingress:
        return VirtualIngress(self.pipeline, now=line.now)

    def _stage(self, name: str, line: Line) -> Stage:
        if name == EVENTS:
            return VirtualTable(self.pipeline, self.eyes, name=name, now=line.now)
        resume = self.ledger.resume(name)
        if self.reads.mode == "full":
            return VirtualTopic(self.pipeline, self.eyes, name=name, now=line.now, resume=resume)
        reads, pipeline = self.reads, self.pipeline
        made = SeekingTopic(pipeline, self.eyes, name=name, now=line.now, resume=resume, reads=reads)
        self.seekers[name] = made
        return made

    def _aim(self, stage: str, owed: Owed, partitions: int) -> int | None:
        """Where the key leads a canary, as the monitor believes."""
        del stage
        if (fate := self.pipeline.fates.get(owed.id)) is None or self.reads.keys == "unknown":
            return None
        return (fate.partition + (self.reads.keys == "wrong")) % partitions

    # -- time ---------------------------------------------------------------------------------------

    def run(self, seconds: float, tick: float = TICK) -> None:
        """Let the pipeline and the monitor work for so long."""
        for _ in range(round(seconds / tick)):
            self.clock.advance(tick)
            self.pipeline.tick()
            self.round()

    def round(self) -> None:
        """Every step of the monitor once; where it dies in one, it is started again."""
        for other in self.others:
            other.round()
        try:
            for name, step in self._steps():
                if name == self.dies_before:
                    raise Died
                step()
        except Died:
            self.dies_before = ""
            self.kill()

    def _steps(self) -> list[tuple[str, Callable[[], object]]]:
        """The table may be asked two things."""
        names = (*self.stages, EVENTS)
        return [
            ("inject", self._inject),
            *((f"follow {name}", partial(self.watch.follow, name)) for name in names),
            ("settle", lambda: self._note(self.watch.settle())),
            ("page", self._page),
        ]

    def _inject(self) -> None:
        known = len(self.pipeline.fates)
        try:
            if self.sending:
                self.watch.inject(self.probe)
        finally:
            self.mine.update(islice(reversed(self.pipeline.fates), len(self.pipeline.fates) - known))

    def _page(self) -> None:
        while self.watch.page():
            pass

    def sleep(self, seconds: float) -> None:
        """The monitor stands still, the pipeline does not."""
        for _ in range(round(seconds)):
            self.clock.advance(1.0)
            self.pipeline.tick()

    def suspend(self, seconds: float) -> None:
        """The monitor's machine sleeps: its monotonic clock stands, the wall clock does not."""
        self.clock.step_wall(seconds)

    def kill(self) -> None:
        """kill -9 and a restart on the same ledger. An answer that was not noted is known to nobody."""
        for id_, track in self.ledger.known(self.mine).items():
            if track.answer is None:
                self.pipeline.fates[id_].receipt = "unknown"
        self.ledger.close()
        self._start()

    def forget(self) -> None:
        """Start on a new ledger: what the old one knew is nobody's any more."""
        self.mine.clear()
        self.said.clear()
        self._start()

    def close(self) -> None:
        """Let go of every ledger."""
        for world in (*self.others, self):
            world.ledger.close()

    def heal(self) -> None:
        """No fault any more, in the pipeline, the eyes or the ledger."""
        self.pipeline.heal()
        self.eyes.open()
        self.ledger.full = self.ledger.locked = False

    def finish(self, at_most: float = 900, *, peace: float = 40, tick: float = 1.9, drain: float = 0) -> None:
        """Heal everything; go on until nothing from before is open, and long enough for pages to end.

        `drain`, if any, is the tick once nothing is sent any more and what was on its way has arrived; who
        gives one is in a hurry, and goes on no longer than it takes.
        """
        self.heal()
        before, pause = set(self.mine), tick if drain else 10
        waited = 0.0
        while waited < at_most and (self._open(before) or self.pipeline.holds(before)):
            if self.pipeline.holds(before, held_for=self.terms.patience):
                peace = max(peace, 45.0)  # it may have been given up: who was is asked for rarely
            self.run(pause, tick)
            waited += pause
        self.run(peace, (not self.sending and drain) or tick)
        self.sending = False
        self.run(5, tick)
        self.run(25, drain or tick)

    def _open(self, ids: Collection[UUID]) -> bool:
        entries = self.watch.desk.book.entries.values()
        return any(e.owed.id in ids and not (e.judged and e.judged.final) for e in entries)

    def _note(self, settled: Settled) -> None:
        for item in settled.judged:
            self.said.setdefault(item.id, []).append(item)
            if item.final:
                self.said_at.setdefault(item.id, self.clock.monotonic())
        for report in (*settled.windows, *settled.reports.values()):
            if sum(report.outcomes.values()) != report.sent:
                raise AssertionError(f"the sum law is broken: {report}")

    def track(self, id_: UUID) -> Track:
        """What the ledger says of one canary."""
        found = self.ledger.find(id_)
        if found is None:
            raise AssertionError(f"{id_}: not in the ledger")
        return found

    def outcome(self, id_: UUID) -> Outcome | None:
        judged = self.track(id_).judged
        return judged.outcome if judged else None

    def outcomes(self, ids: Sequence[UUID]) -> set[Outcome | None]:
        return {self.outcome(id_) for id_ in ids}

    def reports(self) -> list[WindowReport]:
        return self.ledger.windows(START - timedelta(days=400), START + timedelta(days=400))

    def tracks(self) -> Mapping[UUID, Track]:
        """What the ledger says of every id in it, posted or not."""
        with self.ledger.engine.connect() as connection:
            ids = connection.execute(select(canary.c.id)).scalars().all()
        return self.ledger.known(ids)

    def opened(self, prefix: str = "") -> list[Notice]:
        return [n for n in self.inbox.notices if n.kind is Kind.OPENED and n.key.startswith(prefix)]
