"""A real Apache Kafka for tests: skipped, with the reason printed, where it cannot run; a failure in CI."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from canary.sandbox.broker import Apache, ImpossibleError
from canary.sandbox.doors import Doors


@contextmanager
def reference_broker() -> Iterator[Apache]:
    """One fresh node: `inside` is its own address, `outside` leads through a door; gone at the end."""
    doors = Doors()
    with tempfile.TemporaryDirectory() as folder:
        broker = Apache(Path(folder), doors)
        try:
            _start(broker)
            yield broker
        finally:
            broker.stop()
            doors.stop()


def _start(broker: Apache) -> None:
    try:
        broker.start()
    except ImpossibleError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"the reference tier must run here: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def reference() -> Iterator[Apache]:
    """One node for the whole run; make topics of your own on it. Import it where it is used."""
    with reference_broker() as broker:
        yield broker
