"""A fault of the real traffic: a block of it is dropped, and the running audit finds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from alerts.condition import Amendment
from canary.audit.beside import Real
from canary.audit.calendar import Calendar
from canary.audit.report import Cost, Report
from canary.audit.work import Every
from canary.traffic import AuditWindow
from reconcile.traffic import Fate
from tests.canary.audit import world as audited
from tests.virtual.clock import STARTED
from tests.virtual.naming import Named
from tests.virtual.world import World

EVERY = Every(
    window=timedelta(seconds=30),
    delay=timedelta(seconds=5),
    slack=timedelta(seconds=5),
    grace=timedelta(seconds=10),
)
BLOCK = 10_000
AROUND = 5_000
EACH = 10
"""Real events of each partition in every round; in that of the fault there are many more."""


@dataclass(slots=True)
class BusyWorld(World):
    """A world with real traffic beside the canaries: it is consumed, and audited window by window."""

    traffic: audited.World = field(init=False)
    calendar: Calendar = field(init=False)
    gone: range = range(0)
    struck_at: float = 0.0
    found: dict[int, float] = field(default_factory=dict)
    """Lost offset -> when the audit first said so."""
    amended: list[Amendment] = field(default_factory=list)
    """What turned up: nothing does here."""

    def _start(self) -> None:
        super(BusyWorld, self)._start()
        if self.runs == 1:
            self.traffic = audited.World(now=self.clock.wall())
        self.calendar = Calendar(
            [self.traffic.auditor()],
            ledger=self.ledger,
            every=EVERY,
            now=lambda: self.traffic.now,
            on_report=Heard(self._hear),
            tell=self.amended.extend,
        )
        self.calendar.restore()
        self.watch.real = lambda: Real(audits=self.calendar.standing())

    @property
    def audit_due(self) -> float:
        """When the window in which the block went, and the pause after it, were over."""
        window = EVERY.window.total_seconds()
        return STARTED + ((self.struck_at - STARTED) // window + 1) * window + EVERY.delay.total_seconds()

    def round(self) -> None:
        self.traffic.now = max(self.clock.wall(), self.traffic.now)
        for partition in self.traffic.logs:
            self.traffic.append(partition, EACH)
            self.traffic.consume(partition)
        self.calendar.step()
        super(BusyWorld, self).round()

    def _hear(self, report: Report) -> None:
        for part in report.lost_ranges:
            for offset in range(part.start, part.end) if part.partition == 0 else ():
                self.found.setdefault(offset, self.clock.monotonic())


class Heard:
    """Hears of every audit."""

    def __init__(self, hear: Callable[[Report], None]) -> None:
        self._hear = hear

    def __call__(self, report: Report, before: AuditWindow | None, verdict: str) -> None:
        del before, verdict
        if report.counts.get(Fate.LOST, 0):
            self._hear(report)

    def looked_again(self, before: AuditWindow, after: AuditWindow, cost: Cost) -> None:
        """Nothing of what is lost here turns up."""
        assert before.counts == after.counts
        assert cost.messages_fetched

    def open(self, stage: str, counts: Mapping[str, int]) -> None:
        """Nobody here counts them."""

    def failed(self, stage: str) -> None:
        raise AssertionError(f"{stage} could not be audited")


def _drop_a_block(world: World) -> None:
    if not isinstance(world, BusyWorld):
        raise TypeError("needs a busy world. This is a bug.")
    offsets = world.traffic.append(0, AROUND + BLOCK + AROUND)
    world.gone, world.struck_at = offsets[AROUND:-AROUND], world.clock.monotonic()
    world.traffic.consume(0, without=frozenset(world.gone))


BUSY: Mapping[str, Named] = {
    fault.name: fault
    for fault in (
        Named(
            f"drop a block of {BLOCK:,} consecutive real events",
            "drop",
            _drop_a_block,
            lasts=45,
            hop="topic->table",
            pages=("audit_lost:table",),
        ),
    )
}
