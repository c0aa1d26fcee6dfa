"""The delay of the real traffic: one question a window, told beside the canaries', troubles told once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from canary.audit.delay import DelayAudit, line
from canary.compared import TableTroubleError
from canary.delays import Delay
from canary.metrics import Metrics
from tests.canary.audit.hearing import Heard

START = datetime(2026, 1, 2, 3, 0, 20, tzinfo=UTC)
WINDOW, AFTER = timedelta(seconds=60), timedelta(seconds=30)
TOLD = {"p50": 1.0, "p90": 2.0, "p99": 3.0, "max": 4.0}


@dataclass
class Table:
    """A table with the same delay in every window."""

    name: str = "events"
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    trouble: str = ""

    def measure(self, start: datetime, end: datetime) -> Delay:
        self.asked.append((start, end))
        if self.trouble:
            raise TableTroubleError(self.trouble)
        return Delay(start, end, 10, 1, 2, TOLD, 3, timedelta(seconds=2))


@dataclass
class Lab:
    """A clock that only tests move."""

    now: datetime = START
    table: Table = field(default_factory=Table)
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry(), stages=["events"])
        self.audit = DelayAudit(
            self.table,
            window=WINDOW,
            after=AFTER,
            now=lambda: self.now,
            metrics=self.metrics,
            canaries=self.canaries,
            hears=self.heard,
        )

    def canaries(self, start: datetime) -> Mapping[str, float]:
        return {"p50": 0.5} if start.minute == 0 else {}

    def run(self, span: timedelta) -> None:
        until = self.now + span
        while self.now < until:
            self.now += max(self.audit.step(), timedelta(milliseconds=1))

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"ingestion_canary_{name}", labels)


def test_every_window_is_asked_once_and_none_is_left_out() -> None:
    """Window after window without a gap, each after the canaries' deadline."""
    lab = Lab()

    lab.run(timedelta(minutes=5))

    starts = [start for start, _ in lab.table.asked]
    assert starts == [datetime(2026, 1, 2, 3, minute, tzinfo=UTC) for minute in range(len(starts))]
    assert len(starts) == 4
    assert all(end - start == WINDOW for start, end in lab.table.asked)
    assert lab.value("delay_seconds", stage="events", quantile="p99") == 3.0
    assert lab.value("delay_rows_total", stage="events") == 40
    assert lab.value("delay_late_rows_total", stage="events") == 12
    assert [(one.start, one.verdict, one.report["late"]) for one in lab.heard.windows] == [
        (start, "degraded", 3) for start in starts
    ]


def test_after_a_long_stop_the_newest_window_is_asked_and_not_a_storm_of_old_ones() -> None:
    """A table is a host: it is not made to pay for our absence."""
    lab = Lab()

    lab.now += timedelta(hours=3)
    lab.run(timedelta(seconds=5))

    assert len(lab.table.asked) == 1


def test_a_trouble_is_told_once_and_seen_in_the_metrics() -> None:
    """Until it is over."""
    lab = Lab(table=Table(trouble="events: no column captured_at"))

    lab.run(timedelta(minutes=5))

    assert lab.heard.said == ["events: no column captured_at"]
    assert lab.value("delay_blind", stage="events") == 1
    lab.table.trouble = ""
    lab.run(timedelta(minutes=2))
    assert lab.value("delay_blind", stage="events") == 0


def test_the_line_shows_both_and_what_is_odd() -> None:
    """Real rows first, canaries beside them."""
    told = line("events", Delay(START, START + WINDOW, 10, 1, 2, TOLD), {"p50": 0.5, "max": 0.9})

    assert told == (
        "delay into events 03:00:20: 10 rows (1 without a time, 2 before they were sent (clocks differ)), "
        "p50 1.00 s, p99 3.00 s, max 4.00 s; canaries p50 0.50 s, max 0.90 s"
    )
    assert line("events", Delay(START, START, 0, 0, 0, {}), {}) == "delay into events 03:00:20: 0 rows"
