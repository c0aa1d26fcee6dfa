"""The way into Kafka: windows that add up, that name what is missing, and that never guess."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from canary.audit.ingress import IngressAudit
from canary.counted import CounterTroubleError
from canary.metrics import Metrics
from canary.traffic import TrafficWindow
from reconcile.counters import Counters, Names
from tests.canary.audit.hearing import Heard

NAMES = Names(frozenset({"received"}), frozenset({"dropped"}))
WINDOW = timedelta(seconds=60)


@dataclass
class Replica:
    """A process of the ingress."""

    url: str
    received: int = 0
    dropped: int = 0
    born: float = 1.0
    down: bool = False

    def read(self) -> Counters:
        if self.down:
            raise CounterTroubleError(f"{self.url}: connection refused")
        values = {(self.url, "received", ""): float(self.received)}
        if self.dropped:
            values[(self.url, "dropped", "invalid")] = float(self.dropped)
        return Counters(values, self.born)


@dataclass
class Lab:
    """An ingress of two replicas, its topic, and a clock that only tests move."""

    now: datetime = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)
    one: Replica = field(default_factory=lambda: Replica("http://one", received=1000))
    two: Replica = field(default_factory=lambda: Replica("http://two", received=5))
    offsets: dict[tuple[str, int], int] = field(default_factory=lambda: {("raw", 0): 10, ("raw", 1): 20})
    heard: Heard = field(default_factory=Heard)
    blind: bool = False

    def __post_init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry())
        self.audit = IngressAudit(
            [self.one, self.two],
            self,
            NAMES,
            window=WINDOW,
            every=timedelta(seconds=15),
            under_way=timedelta(seconds=1),
            now=lambda: self.now,
            metrics=self.metrics,
            place="ingress->raw",
            hears=self.heard,
        )
        self.audit.step()

    @property
    def windows(self) -> list[TrafficWindow]:
        return self.heard.windows

    def ends(self) -> dict[tuple[str, int], int]:
        if self.blind:
            raise CounterTroubleError("broker away")
        return dict(self.offsets)

    def minute(self, *, received: int = 0, dropped: int = 0, appended: int = 0) -> None:
        """So many events through both replicas; four readings."""
        for quarter in range(4):
            if quarter == 1:
                self.one.received += received - received // 3
                self.two.received += received // 3
                self.one.dropped += dropped
                self.offsets["raw", 1] += appended
            self.now += timedelta(seconds=15)
            self.audit.step()

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"ingestion_canary_{name}", labels)


def test_a_window_adds_up_over_replicas() -> None:
    """Received is dropped and appended; nothing from before the first reading counts."""
    lab = Lab()

    lab.minute(received=600, dropped=20, appended=580)

    told = lab.windows[0].report
    assert (told["received"], told["dropped"], told["appended"], told["left"]) == (
        600,
        {"invalid": 20},
        580,
        0,
    )
    assert (told["state"], lab.windows[0].verdict) == ("adds up", "ok")
    assert lab.windows[0].end - lab.windows[0].start == WINDOW
    assert lab.value("ingress_received_total") == 600
    assert lab.value("ingress_dropped_total", cause="invalid") == 20


def test_what_is_in_neither_is_missing() -> None:
    """Beyond the error of the readings."""
    lab = Lab()

    lab.minute(received=600, appended=400)

    told = lab.windows[0].report
    assert (told["left"], told["state"], lab.windows[0].verdict) == (200, "missing", "degraded")
    assert "missing" in lab.heard.said[0]
    assert lab.value("ingress_left") == 200


def test_a_restart_in_mid_window_makes_no_loss_and_no_double_count() -> None:
    """The counter falls to 0 and grows again: what was counted since then is added."""
    lab = Lab()
    lab.minute(received=90, appended=90)

    lab.one.received, lab.one.born = 0, 2.0
    lab.minute(received=90, appended=90)

    told = lab.windows[1].report
    assert (told["received"], told["restarts"], told["state"]) == (90, 1, "adds up")


def test_a_replica_that_cannot_be_read_stretches_the_window() -> None:
    """Nothing is guessed: the window closes when all could be read again, and says what was wrong."""
    lab = Lab()

    lab.two.down = True
    lab.minute(received=300, appended=300)
    assert (lab.windows, lab.value("ingress_blind")) == ([], 1)
    lab.two.down = False
    lab.minute(received=300, appended=300)

    longer = lab.windows[0]
    assert longer.end - longer.start == WINDOW + timedelta(seconds=15)
    assert [(one.report["received"], one.report["left"]) for one in lab.windows] == [(300, 0), (300, 0)]
    assert longer.report["trouble"] == ["http://two: connection refused"]
    assert lab.value("ingress_blind") == 0


def test_a_broker_that_is_away_stretches_it_too() -> None:
    """Without ends there is nothing to hold the counters against."""
    lab = Lab()

    lab.blind = True
    lab.minute(received=30, appended=30)
    lab.blind = False
    lab.minute(received=30, appended=30)

    assert lab.windows[0].end - lab.windows[0].start == WINDOW + timedelta(seconds=15)
    assert [(one.report["received"], one.report["left"]) for one in lab.windows] == [(30, 0), (30, 0)]


def test_a_topic_made_again_and_new_partitions_count_from_0() -> None:
    """Their growth is what they hold."""
    lab = Lab()

    lab.offsets = {("raw", 0): 4, ("raw", 1): 20, ("raw", 2): 6}
    lab.minute(received=10)

    assert lab.windows[0].report["appended"] == 10


def test_readings_go_on_at_their_pace_and_at_each_windows_end() -> None:
    """The pause never reaches past the end of a window."""
    lab = Lab()
    lab.now += timedelta(seconds=50)

    assert lab.audit.step() == timedelta(seconds=10)
