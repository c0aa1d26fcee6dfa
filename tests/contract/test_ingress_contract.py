"""What holds of posts to any ingress: told once, tried on a fake and on the sandbox's with its faults."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest

from canary.sandbox.broker import Tansu
from canary.sandbox.direct import DirectProducer
from canary.sandbox.doors import Doors
from canary.sandbox.faults import fault_from
from canary.sandbox.gate import Gate
from canary.sandbox.ingress import Ingress
from canary.sandbox.kafka_clients import DEAD_LETTERS, PROCESSED, RAW, make_topics
from canary.sandbox.meddle import Plan, Truth
from reconcile.outcome import Receipt
from tests.contract.fake_ingress import OK, Behaviour, FakeIngress, answer, fake_ingress, resets, says, silent
from tests.contract.ingress_kit import Maker, canary, making_ingresses, told

ingress = pytest.fixture(making_ingresses)

SCRIPTS: dict[str, Behaviour] = {
    "refuse": says(answer("400 Bad Request", b"failed to decode request")),
    "error": says(answer("500 Internal Server Error")),
    "error-stored": says(answer("503 Service Unavailable")),
    "throttle": says(answer("429 Too Many Requests", b"", "Retry-After: 1")),
    "timeout-stored": silent,
    "timeout-lost": silent,
    "accept-and-drop": says(OK),
    "down": resets,
}


class Lab(Protocol):
    """An ingress with faults on demand."""

    @property
    def url(self) -> str: ...
    def strike(self, kind: str, count: int) -> None: ...
    def heal(self) -> None: ...


@dataclass
class FakeLab:
    fake: FakeIngress

    @property
    def url(self) -> str:
        return self.fake.url

    def strike(self, kind: str, count: int) -> None:
        self.fake.script = [says(OK)] * len(self.fake.posted) + [SCRIPTS[kind]] * count + [says(OK)]

    def heal(self) -> None:
        self.fake.script = [says(OK)]


@dataclass
class SandboxLab:
    folder: Path
    stack: ExitStack
    gate: Gate = field(default_factory=Gate)

    def start(self) -> None:
        doors = Doors()
        self.stack.callback(doors.stop)
        broker = Tansu(self.folder, doors)
        self.stack.callback(broker.stop)
        broker.start()
        make_topics(broker.inside, broker.partitions)
        topics = {RAW: broker.partitions, PROCESSED: broker.partitions, DEAD_LETTERS: 1}
        producer = DirectProducer(
            broker.direct, "ingress", partitions=topics, one_by_one=True, expiry=timedelta(seconds=10)
        )
        self.stack.callback(producer.close)
        self.plan = Plan(Truth(self.folder / "faults.jsonl"))
        self.ingress = Ingress(producer, self.plan, gate=self.gate, partitions=producer.partitions(RAW))
        self.stack.callback(self.ingress.stop)
        self.ingress.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ingress.port}"

    def strike(self, kind: str, count: int) -> None:
        if kind == "down":
            self.gate.set("down")
        else:
            self.plan.add(fault_from({"kind": kind, "count": count}))

    def heal(self) -> None:
        self.gate.set("open")
        self.plan.clear()
        self.ingress.heal()


@pytest.fixture(scope="module", params=["fake", pytest.param("sandbox", marks=pytest.mark.sandbox)])
def any_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Started once: every test heals what it broke."""
    with ExitStack() as stack:
        if request.param == "fake":
            yield FakeLab(stack.enter_context(fake_ingress()))
        else:
            sandbox = SandboxLab(tmp_path_factory.mktemp("sandbox"), stack)
            sandbox.start()
            yield sandbox


@pytest.fixture
def lab(any_lab: Lab) -> Iterator[Lab]:
    yield any_lab
    any_lab.heal()


WITHIN = {"timeout": timedelta(seconds=10)}
"""For whoever answers, however busy the machine is."""
SILENT = {"timeout": timedelta(seconds=1)}


def test_single_events_and_batches_are_accepted(lab: Lab, ingress: Maker) -> None:
    """In both of PostHog's shapes, zipped or not."""
    for zipped in (True, False):
        one = ingress(lab.url, gzip=zipped, **WITHIN)
        for events in ([canary()], [canary() for _ in range(20)]):
            said = one.post(events)
            told(said)
            assert (said.receipt, said.status, said.detail, said.tries) == (
                Receipt.ACCEPTED,
                200,
                "200 OK",
                1,
            )


@pytest.mark.parametrize(
    ("kind", "receipt", "status"),
    [
        ("refuse", Receipt.REFUSED, 400),
        ("error", Receipt.UNKNOWN, 500),
        ("error-stored", Receipt.UNKNOWN, 503),
        ("timeout-stored", Receipt.UNKNOWN, None),
        ("timeout-lost", Receipt.UNKNOWN, None),
        ("accept-and-drop", Receipt.ACCEPTED, 200),
        ("down", Receipt.UNKNOWN, None),
    ],
)
def test_each_fault_has_its_receipt(
    lab: Lab, ingress: Maker, kind: str, receipt: Receipt, status: int | None
) -> None:
    """One try, the honest receipt, and the next canary on the same lane is none the worse for it."""
    within = SILENT if kind.startswith("timeout") else WITHIN
    one = ingress(lab.url, **within)
    lab.strike(kind, 1)
    said = one.post([canary()])
    told(said)
    assert (said.receipt, said.status, said.tries) == (receipt, status, 1)
    assert said.answered_at - said.started_at < within["timeout"] + timedelta(seconds=0.5)
    lab.heal()
    assert one.post([canary()]).receipt is Receipt.ACCEPTED


def test_throttled_once_is_accepted_in_the_end(lab: Lab, ingress: Maker) -> None:
    """After the second that was asked for."""
    lab.strike("throttle", 1)
    said = ingress(lab.url, **WITHIN).post([canary()])
    assert (said.receipt, said.tries, said.detail) == (Receipt.ACCEPTED, 2, "429, then 200 OK")
    assert said.answered_at - said.started_at >= timedelta(seconds=1)


def test_throttled_for_good_is_refused(lab: Lab, ingress: Maker) -> None:
    """Patience ends, and nothing was taken."""
    lab.strike("throttle", 10)
    said = ingress(lab.url, tries=2, **WITHIN).post([canary()])
    assert (said.receipt, said.status, said.tries) == (Receipt.REFUSED, 429, 2)
