"""Running sandboxes for whole modules of tests: one on the sandbox's own broker, one on a real Kafka."""

import importlib.util
import os
from collections.abc import Iterator

import pytest

from canary.sandbox import handle


def _absent(reason: str) -> None:
    """What is missing at home is skipped, and told; in CI it is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[handle.Handle]:
    """A whole pipeline on the broker that comes with the sandbox."""
    if importlib.util.find_spec("chdb") is None:
        _absent('needs the extra "sandbox"')
    with handle.start(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def kafka_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[handle.Handle]:
    """The same pipeline on a real Apache Kafka with topics of 8 partitions."""
    try:
        running = handle.start(tmp_path_factory.mktemp("kafka"), broker="kafka", partitions=8)
    except handle.NotPossibleError as error:
        _absent(str(error))
    with running:
        yield running
