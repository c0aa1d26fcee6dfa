"""The brokers that a topic edge is tried on, and a fresh topic for each test."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from canary.clock import Line, SystemClock
from canary.edges.kafka import Settings
from canary.identity import Mint, Verifier
from canary.values import Marks
from tests.contract.topic_bench import Bench
from tests.contract.topic_labs import KAFKA, TANSU, Fake, Lab, apache, real, tansu

ABLE = {"fake": Fake.can, "tansu": TANSU | {"librdkafka"}, "kafka": KAFKA | {"librdkafka"}}
READING = {"full": "whole", "searched": "seek", "librdkafka": "librdkafka"}
"""What each way of reading asks of a broker."""

SECRET = b"a secret of the tests"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that asks of a broker or a reading what it cannot do is none; other folders' tests pass."""
    here = Path(__file__).parent
    out = [item for item in items if item.path.is_relative_to(here) and _impossible(item)]
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)


def _impossible(item: pytest.Item) -> bool:
    params = getattr(getattr(item, "callspec", None), "params", {})
    if (lab := params.get("lab")) is None:
        return False
    reading = params.get("reading", "full")
    able = ABLE[lab] | {"whole"}
    needs = {need for mark in item.iter_markers("needs") for need in mark.args}
    chosen = "whole" in needs and reading == "searched"
    return chosen or not needs | {READING[reading]} <= able


@pytest.fixture(
    scope="module",
    params=[
        "fake",
        pytest.param("tansu", marks=pytest.mark.sandbox),
        pytest.param("kafka", marks=pytest.mark.reference),
    ],
)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    state: Path = tmp_path_factory.mktemp("broker")
    if request.param == "fake":
        yield Fake()
    elif request.param == "tansu":
        with real(tansu, state, TANSU) as broker:
            yield broker
    else:
        with real(apache, state, KAFKA) as broker:
            yield broker


@pytest.fixture(params=list(READING))
def reading(request: pytest.FixtureRequest) -> str:
    """Full reading with each client, and on demand while a canary is missing: all promise the same."""
    return str(request.param)


@pytest.fixture
def bench(lab: Lab, reading: str) -> Iterator[Bench]:
    verifier = Verifier(SECRET, ["tests"])
    topic = f"t{uuid.uuid4().hex[:8]}"
    lab.make(topic, 4)
    made = Bench(
        lab=lab,
        line=Line(SystemClock()),
        mint=Mint(SECRET, "tests"),
        settings=Settings(
            "raw",
            (lab.address,),
            topic,
            wait=timedelta(milliseconds=100),
            client="librdkafka" if reading == "librdkafka" else "kafka-python",
        ),
        marks=Marks(verifier.recognises, "ingestion_canary", "canary-"),
        opened=[],
        searched=reading == "searched",
    )
    yield made
    lab.heal()
    for stage in made.opened:
        stage.close()
