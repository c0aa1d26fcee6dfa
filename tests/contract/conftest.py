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

SECRET = b"a secret of the tests"


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


@pytest.fixture(params=["full", "searched", "librdkafka"])
def reading(request: pytest.FixtureRequest, lab: Lab) -> str:
    """Full reading with each client, and on demand while a canary is missing: all promise the same."""
    if request.param == "librdkafka" and isinstance(lab, Fake):
        pytest.skip("there is nothing to read with librdkafka")
    if request.param == "searched" and "seek" not in lab.can:
        pytest.skip("this broker's topics are read whole")
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
