"""Two topics by a sample: losses named, backlogs and blindness never taken for one, budgets kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prometheus_client import CollectorRegistry

from alerts.condition import Amendment
from canary.audit.between import BetweenAudit, Pace
from canary.metrics import Metrics
from canary.sampled import Place, Sample, TopicTroubleError
from canary.traffic import TrafficWindow
from reconcile.sampling import OUTCOMES, chosen
from tests.canary.audit.hearing import Heard

PACE = Pace(timedelta(seconds=60), timedelta(seconds=2), timedelta(minutes=30), messages=3000)


@dataclass
class Topic:
    """Two partitions and dead letters in memory; its consumer is `behind` so many records of each."""

    name: str
    logs: dict[Place, list[UUID]] = field(default_factory=dict)
    letters: list[UUID] = field(default_factory=list)
    behind: int = 0
    known: bool = True
    down: bool = False
    read: int = 0

    def __post_init__(self) -> None:
        self.logs = {(self.name, 0): [], (self.name, 1): []}

    def put(self, id_: UUID) -> None:
        self.logs[self.name, id_.int % 2].append(id_)

    def ends(self, *, letters: bool = False) -> Mapping[Place, int]:
        if self.down:
            raise TopicTroubleError("away")
        return {place: len(log) for place, log in self._of(letters).items()}

    def positions(self) -> Mapping[Place, int | None]:
        return (
            {place: max(0, len(log) - self.behind) for place, log in self.logs.items()} if self.known else {}
        )

    def sample(
        self, starts: Mapping[Place, int], ends: Mapping[Place, int], *, share: float, budget: int
    ) -> Sample:
        ids: dict[UUID, dict[Place, int]] = {}
        following, left, gap = dict(starts), budget, ""
        logs = {**self.logs, **self._of(True)}
        for place, end in ends.items():
            for offset in range(starts.get(place, 0), end):
                if not left:
                    gap = "budget"
                    break
                left -= 1
                following[place] = offset + 1
                if chosen(logs[place][offset].bytes, share):
                    ids.setdefault(logs[place][offset], {})[place] = offset
        self.read += budget - left
        return Sample(ids, following, budget - left, gap=gap)

    def _of(self, letters: bool) -> dict[Place, list[UUID]]:
        return {(f"{self.name}_dlq", 0): self.letters} if letters else self.logs


@dataclass
class Lab:
    """A clock that only tests move."""

    now: datetime = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)
    pace: Pace = PACE
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.raw, self.processed = Topic("raw"), Topic("processed")
        self.metrics = Metrics(CollectorRegistry(), stages=["raw", "processed"])
        self.amendments: list[Amendment] = []
        self.start()

    def start(self, earlier: Sequence[TrafficWindow] = ()) -> None:
        """The daemon is started, perhaps anew."""
        self.audit = BetweenAudit(
            self.raw,
            self.processed,
            self.pace,
            now=lambda: self.now,
            metrics=self.metrics,
            hears=self.heard,
            tell=self.amendments.extend,
            earlier=earlier,
        )
        self.audit.step()

    def run(self, span: timedelta) -> None:
        until = self.now + span
        while self.now < until:
            self.now += max(self.audit.step(), timedelta(milliseconds=1))

    def put(self, first: int, count: int, lose: tuple[int, ...] = ()) -> None:
        for number in range(first, first + count):
            self.raw.put(UUID(int=number))
            if number not in lose:
                self.processed.put(UUID(int=number))

    def value(self, outcome: str) -> float:
        labels = {"hop": "raw->processed", "outcome": outcome}
        name = "ingestion_canary_between_sampled_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def test_all_that_arrives_is_told_with_what_the_sample_could_miss() -> None:
    """300 events and no loss: at most 1 %, by the rule of three."""
    lab = Lab()

    lab.put(0, 300)
    lab.run(timedelta(seconds=10))

    assert (lab.value("arrived"), lab.value("lost")) == (300, 0)
    assert re.search(r"300 sampled \(100\.0%\), 300 arrived; at most 0\.99\d% lost", lab.heard.said[0])


def test_a_lost_event_is_named_after_a_second_look() -> None:
    """By its id; the counts keep the sum law."""
    lab = Lab()

    lab.put(0, 300, lose=(7, 8))
    lab.run(timedelta(seconds=3))
    assert lab.heard.said == []
    lab.run(timedelta(seconds=7))

    assert (lab.value("arrived"), lab.value("lost")) == (298, 2)
    [window] = lab.heard.windows
    assert (window.kind, window.place, window.verdict) == ("between", "raw->processed", "fault")
    assert window.report["first_ids"] == [str(UUID(int=7)), str(UUID(int=8))]
    assert sum(window.report[name] for name in OUTCOMES) == window.report["sampled"] == 300
    assert str(UUID(int=7)) in lab.heard.said[0]


def test_what_comes_between_the_looks_is_not_lost() -> None:
    """Late is not lost."""
    lab = Lab()

    lab.put(0, 10, lose=(3,))
    lab.run(timedelta(seconds=3))
    lab.processed.put(UUID(int=3))
    lab.run(timedelta(seconds=7))

    assert (lab.value("arrived"), lab.value("lost")) == (10, 0)


def test_a_dead_letter_is_no_loss() -> None:
    """It was set aside, and is counted so."""
    lab = Lab()

    lab.put(0, 10, lose=(3,))
    lab.raw.letters.append(UUID(int=3))
    lab.run(timedelta(seconds=10))

    assert (lab.value("dead_lettered"), lab.value("lost")) == (1, 0)


def test_a_backlog_is_waited_for_and_never_lost() -> None:
    """However long: after `lost_after` it is told as waiting."""
    lab = Lab()
    lab.raw.behind = 5

    lab.put(0, 10, lose=tuple(range(10)))
    lab.run(timedelta(minutes=29))
    assert lab.heard.said == []
    lab.run(timedelta(minutes=2))

    assert lab.value("lost") == 0
    assert lab.value("waiting") == 10


def test_without_positions_nothing_is_lost_only_unread() -> None:
    """Nobody can tell a loss from a backlog then."""
    lab = Lab()
    lab.raw.known = False

    lab.put(0, 10, lose=(3,))
    lab.run(timedelta(minutes=31))

    assert (lab.value("unread"), lab.value("lost"), lab.value("arrived")) == (1, 0, 9)


def test_the_budget_is_kept_and_what_it_cuts_off_is_no_loss() -> None:
    """Of a topic busier than it, a share; if the later one cannot be read to its end, unread."""
    lab = Lab(pace=Pace(timedelta(seconds=60), timedelta(seconds=2), timedelta(minutes=30), messages=90))

    lab.put(0, 1000)
    lab.run(timedelta(seconds=30))

    assert lab.raw.read + lab.processed.read <= 90
    assert lab.value("lost") == 0
    assert "(3.0%)" in lab.heard.said[0]


def test_a_topic_that_is_away_is_told_once_and_tried_again() -> None:
    """And no loss comes of it."""
    lab = Lab()

    lab.put(0, 10)
    lab.processed.down = True
    lab.run(timedelta(seconds=20))
    assert lab.heard.said == ["away"]
    lab.processed.down = False
    lab.run(timedelta(seconds=20))

    assert (lab.value("arrived"), lab.value("lost")) == (10, 0)


def test_a_later_topic_that_is_made_again_in_mid_sample_loses_nothing() -> None:
    """Its copies begin at 0 again, before the place from which on they were looked for: unread."""
    lab = Lab()
    lab.put(0, 100)
    lab.run(timedelta(seconds=61))

    lab.processed.logs = {place: [] for place in lab.processed.logs}
    lab.put(100, 10)
    lab.run(timedelta(seconds=60))
    lab.put(110, 10, lose=(113,))
    lab.run(timedelta(seconds=60))

    assert (lab.value("arrived"), lab.value("unread"), lab.value("lost")) == (109, 10, 1)


def test_a_loss_that_turns_up_amends_its_sample() -> None:
    """In the next topic, or among the dead letters: once each, the sum as it was, after a restart too."""
    lab = Lab()
    lab.put(0, 300, lose=(7, 8, 9))
    lab.run(timedelta(seconds=10))
    lab.processed.put(UUID(int=7))
    lab.run(timedelta(seconds=70))
    lab.start(lab.heard.windows[-1:])
    lab.run(timedelta(seconds=70))
    first = [window for window in lab.heard.windows if window.report["lost"]]
    assert [window.report["lost"] for window in first] == [3, 2]
    lab.start(first[-1:])
    lab.raw.letters.append(UUID(int=9))
    lab.processed.put(UUID(int=8))
    lab.run(timedelta(minutes=5))
    after = [window for window in lab.heard.windows if window.start == first[0].start]

    assert [(one.report["lost"], one.verdict) for one in after] == [
        (3, "fault"),
        (2, "fault"),
        (0, "degraded"),
    ]
    assert {one.told_at for one in after} == {first[0].told_at}
    assert [(w.report["arrived"], w.report["dead_lettered"]) for w in after] == [(297, 0), (298, 0), (299, 1)]
    assert after[1].report["first_ids"] == [str(UUID(int=8)), str(UUID(int=9))]
    assert after[2].report["first_ids"] == []
    assert [(one.key, one.id, one.words) for one in lab.amendments] == [
        ("audit_lost:raw->processed", str(UUID(int=7)), "arrived after all"),
        ("audit_lost:raw->processed", str(UUID(int=8)), "arrived after all"),
        ("audit_lost:raw->processed", str(UUID(int=9)), "dead-lettered after all"),
    ]
    assert (lab.value("arrived"), lab.value("dead_lettered"), lab.value("lost")) == (299, 1, 3)


def test_what_is_looked_for_again_stays_within_the_budget_and_a_day() -> None:
    """A topic that is away amends nothing; after `again_for` nobody looks."""
    lab = Lab(pace=replace(PACE, messages=90, again_for=timedelta(minutes=10)))
    lab.put(0, 12, lose=(3,))
    lab.run(timedelta(seconds=10))
    assert lab.value("lost") == 1
    before = lab.raw.read + lab.processed.read
    for minute in range(9):
        lab.put(100 * (minute + 1), 30)
        lab.processed.down = minute == 4
        lab.run(timedelta(minutes=1))
    assert lab.raw.read + lab.processed.read - before <= 10 * 90
    assert lab.amendments == []
    lab.run(timedelta(minutes=3))
    lab.processed.put(UUID(int=3))
    lab.run(timedelta(minutes=5))

    assert lab.amendments == []
