"""What tests of the virtual world share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ledger.db")
    yield made
    made.ledger.close()
