"""A ledger in a fresh folder, and canaries to put into it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from canary.ledger import Ledger
from canary.values import Owed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url) as opened:
        yield opened


@pytest.fixture
def owed() -> Callable[..., Owed]:
    """Makes canaries that differ, sent at noon unless told otherwise."""
    numbers = count(1)

    def make(at: datetime = NOON, probe: str = "default") -> Owed:
        milliseconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        window = at.replace(second=0, microsecond=0)
        return Owed(
            id=UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | next(numbers)),
            probe=probe,
            lane=3,
            distinct_id="canary-3-1",
            sent_at=at,
            window=window,
            deadline=window + 2 * MINUTE,
            content_version=1,
            payload_hash="abc",
        )

    return make
