"""The world in memory whose monitor dies at named points, and a story that passes all of them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from alerts.condition import Kind
from alerts.delivery import Sender
from canary.ask import Stage
from canary.clock import Line
from canary.courier import Ingress
from tests.chaos.points import PointedIngress, PointedSender, pointed
from tests.virtual.failing import Died
from tests.virtual.oracle import faults
from tests.virtual.pipeline import EVENTS, PROCESSED, RAW
from tests.virtual.schedule import Fault, apply
from tests.virtual.world import World

Passing = tuple[str, int]
"""A point, and for the how manieth time it is passed."""

STORY: tuple[tuple[float, Fault], ...] = (
    (8, ("drop", RAW)),
    (3, ("drop", PROCESSED)),
    (2, ("duplicate", EVENTS)),
    (2, ("answer", "refuse")),
    (4, ("drop", EVENTS)),
    (3, ("answer", "timeout_stored")),
    (2, ("answer", "timeout_lost")),
    (6, ("corrupt", PROCESSED)),
    (3, ("stop", EVENTS)),
    (14, ("start", EVENTS)),
    (9, ("dead", PROCESSED)),
    (5, ("detour", RAW)),
    (12, ("drop", PROCESSED)),
)
"""What happens, each so many seconds after the one before."""


@dataclass(slots=True)
class Deaths:
    """Counts how often each point is passed; the monitor dies in the passings that are listed."""

    at: Collection[Passing] = ()
    passed: Counter[str] = field(default_factory=Counter)
    died: list[Passing] = field(default_factory=list)

    def __call__(self, point: str) -> None:
        self.passed[point] += 1
        passing = (point, self.passed[point])
        if passing in self.at:
            self.died.append(passing)
            raise Died


@dataclass(slots=True)
class MortalWorld(World):
    """The real monitor with a fuse at every point."""

    deaths: Deaths = field(default_factory=Deaths)

    def _start(self) -> None:
        World._start(self)
        self.ledger.fuse = self.deaths

    def _sender(self) -> Sender:
        return PointedSender(self.inbox, self.deaths)

    def _ingress(self, line: Line) -> Ingress:
        return PointedIngress(World._ingress(self, line), self.deaths)

    def _stage(self, name: str, line: Line) -> Stage:
        return pointed(World._stage(self, name, line), name, self.deaths)

    def come_to_rest(self) -> None:
        """Heal everything; go on until nothing from before is open, and long enough for pages to end."""
        self.pipeline.heal()
        before = set(self.mine)
        for _ in range(30):
            self.run(10)
            if not self._open(before):
                break
        self.run(40)
        self.sending = False
        self.run(30)

    def _steps(self) -> list[tuple[str, Callable[[], object]]]:
        return [*World._steps(self), ("prune", self.watch.prune)]


def played(folder: Path, deaths: Deaths) -> list[str]:
    """The story with these deaths in it; all that was said wrongly, forgotten or told twice."""
    world = MortalWorld(folder / "ledger.db", deaths=deaths)
    try:
        for wait, fault in STORY:
            world.run(wait)
            apply(world, fault)
        world.run(15)
        world.come_to_rest()
        return [*faults(world), *_told_wrongly(world), *_never_died(deaths)]
    finally:
        world.close()


def _told_wrongly(world: MortalWorld) -> Iterator[str]:
    """A message comes once; again only where its answer was lost, and then it says that it is a repeat."""
    died = [point for point, _ in world.deaths.died]
    times: Counter[str] = Counter()
    doubted = 0
    for notice in world.inbox.notices:
        times[notice.id] += 1
        doubted += notice.repeat and times[notice.id] == 1
        if times[notice.id] > 1 and not notice.repeat:
            yield f"{notice.id} {notice.kind} {notice.key}: came again and does not say so"
    if (again := sum(times.values()) - len(times)) > sum(point in UNANSWERED for point in died):
        yield f"{again} messages came again (deaths: {died})"
    if doubted > sum(point in UNSENT for point in died):
        yield f"{doubted} messages were called repeats and were none (deaths: {died})"
    told = {(notice.id, notice.key, notice.kind) for notice in world.inbox.notices}
    open_ = Counter(key for _, key, kind in told if kind is Kind.OPENED)
    open_ -= Counter(key for _, key, kind in told if kind is Kind.RESOLVED)
    if open_:
        yield f"never resolved: {dict(open_)}"


UNANSWERED = ("page: after the send", "transaction: amid notices")
"""Deaths after which a message may come again: it went out, and that was not written down."""

UNSENT = ("page: before the send", "transaction: after notices")
"""Deaths after which a message may be called a repeat that is none: nobody knows whether it went out."""


def _never_died(deaths: Deaths) -> Iterator[str]:
    yield from (f"never came by {passing}" for passing in deaths.at if passing not in deaths.died)
