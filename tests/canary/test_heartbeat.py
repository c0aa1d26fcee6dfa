"""The sign of life goes out while windows settle, stays out when they do not, and says why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from alerts.beat import Ping
from alerts.delivery import DeliveryError
from alerts.posting import Call
from canary.heartbeat import Heartbeat, unsettled
from canary.metrics import PREFIX, Metrics
from canary.sandbox.httpd import Response
from canary.values import WindowReport
from tests.alerts import ways

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
REPORT = WindowReport(
    "main", T0, T0 + MINUTE, T0 + 2 * MINUTE, due=0, sent=0, outcomes={}, flags={}, hops={}, latency={}
)


def reasons(latest: dict[str, WindowReport], minutes: float, *, since: datetime = T0) -> list[str]:
    """What is said so many minutes after the start, with windows and grace of a minute."""
    return unsettled(["main"], latest, now=T0 + minutes * MINUTE, since=since, window=MINUTE, grace=MINUTE)


def test_a_window_has_its_length_and_its_grace_and_a_little() -> None:
    """After a start the first window may take its time, and so may the one after the last."""
    assert reasons({}, 4) == []
    assert reasons({}, 4.1)[0].startswith("probe main: no window has settled")
    assert reasons({"main": REPORT}, 4) == []
    assert "2026-01-01 00:00:00 UTC" in reasons({"main": REPORT}, 4.1)[0]


def test_a_probe_that_settles_does_not_hide_one_that_does_not() -> None:
    """Every probe is asked for."""
    latest = {"main": replace(REPORT, end=T0 + timedelta(hours=1))}
    told = unsettled(
        ["main", "eu"], latest, now=T0 + timedelta(hours=1), since=T0, window=MINUTE, grace=MINUTE
    )
    assert len(told) == 1
    assert told[0].startswith("probe eu:")


def test_a_step_of_the_clock_starts_anew() -> None:
    """What was settled before a sleep of the machine says nothing of the time after it."""
    since = T0 + timedelta(hours=8)
    assert reasons({"main": REPORT}, 8 * 60 + 2, since=since) == []
    assert reasons({"main": REPORT}, 8 * 60 + 4, since=since) != []


@given(st.integers(1, 3600), st.integers(0, 3600), st.integers(0, 3))
def test_windows_that_settle_in_time_are_never_called_late(window: int, grace: int, delay: int) -> None:
    """Right up to the moment at which the next one settles, a few seconds late, nothing is said."""
    width, wait = timedelta(seconds=window), timedelta(seconds=grace)
    report = replace(REPORT, end=T0 + width)
    settles = report.end + width + wait + timedelta(seconds=delay)
    told = unsettled(["main"], {"main": report}, now=settles, since=T0, window=width, grace=wait)
    assert told == []


@dataclass
class Clock:
    """Stands until it is moved."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    def wall(self) -> datetime:
        """The time."""
        return T0 + timedelta(seconds=self.seconds)


@dataclass
class Listener:
    """Writes down what it hears."""

    heard: list[str] = field(default_factory=list)
    deaf: bool = False

    def _hear(self, what: str) -> None:
        if self.deaf:
            raise DeliveryError("nobody there")
        self.heard.append(what)

    def start(self) -> None:
        """The beginning."""
        self._hear("start")

    def success(self) -> None:
        """A beat."""
        self._hear("beat")

    def fail(self, reasons: Sequence[str]) -> None:
        """A failure."""
        self._hear(f"fail {'; '.join(reasons)}")


def test_beats_as_often_as_it_should_and_only_while_well() -> None:
    """A minute apart; what is wrong is told instead; one deaf listener does not silence the others."""
    clock, wrong = Clock(), list[str]()
    good, deaf = Listener(), Listener(deaf=True)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.add(beats=["good", "deaf"])
    heartbeat = Heartbeat(
        {"deaf": deaf, "good": good}, unwell=lambda: list(wrong), every=MINUTE, clock=clock, metrics=metrics
    )
    assert heartbeat.step() == MINUTE
    clock.seconds = 59
    assert heartbeat.step() == timedelta(seconds=1)
    assert good.heard == ["start", "beat"]
    wrong.append("nothing settles")
    clock.seconds = 60
    heartbeat.step()
    wrong.clear()
    clock.seconds = 121
    heartbeat.step()
    assert good.heard == ["start", "beat", "fail nothing settles", "beat"]

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"{PREFIX}_{name}", labels)

    assert value("heartbeats_total", to="good", result="sent") == 2
    assert value("heartbeats_total", to="good", result="withheld") == 1
    assert value("heartbeats_total", to="deaf", result="failed") == 4
    assert (
        value("heartbeat_last_sent_timestamp_seconds", to="good") == (T0 + timedelta(seconds=121)).timestamp()
    )
    assert value("heartbeat_last_sent_timestamp_seconds", to="deaf") == 0


def test_after_a_long_hang_it_beats_once_and_not_for_all_it_missed() -> None:
    """No storm of pings when the machine wakes up."""
    clock, good = Clock(), Listener()
    metrics = Metrics(CollectorRegistry())
    metrics.add(beats=["good"])
    heartbeat = Heartbeat({"good": good}, unwell=list, every=MINUTE, clock=clock, metrics=metrics)
    heartbeat.step()
    clock.seconds = 3600
    for _ in range(5):
        heartbeat.step()
    assert good.heard.count("beat") == 2


@pytest.fixture
def served() -> Iterator[tuple[ways.Front, str]]:
    """A server that takes pings."""
    with ways.served(lambda _: Response(200, b"OK")) as found:
        yield found


def paths(front: ways.Front) -> list[str]:
    """What was called."""
    return [f"{request.method} {request.path}" for request in front.passed]


def test_pings_as_healthchecks_has_it(served: tuple[ways.Front, str]) -> None:
    """Start, success and fail, the last with its reasons."""
    front, url = served
    ping = Ping(lambda: f"{url}/uuid/", call=Call("heartbeat"), signals=True)
    ping.start()
    ping.success()
    ping.fail(["nothing settles", "\ud800"])
    assert paths(front) == ["GET /uuid/start", "GET /uuid/", "POST /uuid/fail"]
    assert front.passed[-1].body == b"nothing settles\n\\ud800"


def test_a_plain_address_hears_success_alone(served: tuple[ways.Front, str]) -> None:
    """Whoever does not know /fail would take it for a sign of life."""
    front, url = served
    ping = Ping(lambda: f"{url}/push?token=1", call=Call("heartbeat"), signals=False)
    ping.start()
    ping.fail(["x"])
    ping.success()
    assert paths(front) == ["GET /push"]
    assert front.passed[0].args == {"token": "1"}


def test_a_refused_ping_is_an_error_that_hides_the_address(served: tuple[ways.Front, str]) -> None:
    """The address is the secret."""
    front, url = served
    front.kind = "broken"
    with pytest.raises(DeliveryError, match="heartbeat: refused") as caught:
        Ping(lambda: f"{url}/very-secret", call=Call("heartbeat"), signals=True).success()
    assert "very-secret" not in caught.value.reason
    with pytest.raises(DeliveryError, match=r"heartbeat\.url: is not"):
        Ping(lambda: "very-secret", call=Call("heartbeat"), signals=True).success()
