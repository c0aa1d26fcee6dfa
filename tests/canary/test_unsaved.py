"""What waits for the ledger: bringing never waits for the disk, and a write that fails loses nothing."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from canary.ledger import Ledger
from canary.unsaved import Unsaved
from canary.values import Coverage, Owed, Seen

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OWED = Owed(
    id=UUID(
        int=(NOON - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) << 80 | 7 << 76 | 2 << 62
    ),
    probe="default",
    lane=0,
    distinct_id="canary-0-0",
    sent_at=NOON,
    window=NOON,
    deadline=NOON + 60 * SECOND,
    content_version=1,
    payload_hash="abc",
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


def _bring(unsaved: Unsaved, first: int, last: int) -> None:
    """A look from one second to another, that saw the canary at its end."""
    unsaved.learned(
        "raw",
        seen=[Seen(OWED.id, "raw", "topic", NOON + last * SECOND)],
        coverage=[Coverage("topic", 0, NOON + first * SECOND, NOON + last * SECOND, last)],
        positions=(),
    )


def test_bringing_never_waits_for_a_write_that_hangs(ledger: Ledger) -> None:
    """The steps that follow the stages go on while the disk does not answer; then all of it is written."""
    told: list[str | None] = []
    unsaved = Unsaved(ledger, on_failure=told.append)
    ledger.record_sent([OWED])
    _bring(unsaved, 0, 1)
    with ledger.begin():
        flushing = threading.Thread(target=unsaved.flush)
        flushing.start()
        bringing = threading.Thread(target=_bring, args=(unsaved, 1, 2))
        bringing.start()
        bringing.join(2)
        assert not bringing.is_alive()
        assert flushing.is_alive()
    flushing.join(10)
    assert unsaved.flush()
    assert told == [None, None]
    assert [(item.since, item.until) for item in ledger.coverage("raw")] == [(NOON, NOON + 2 * SECOND)]


def test_a_write_that_failed_is_made_up_for_together_with_what_came_since(ledger: Ledger) -> None:
    """Nothing is lost, and the newest of what was learned twice is kept."""
    told: list[str | None] = []
    unsaved = Unsaved(ledger, on_failure=told.append)
    _bring(unsaved, 0, 1)
    ledger.record_sent([OWED])
    assert not unsaved.flush(sending=[OWED])  # the ledger holds it already, and takes nothing
    assert ledger.coverage("raw") == []
    _bring(unsaved, 1, 3)
    assert unsaved.flush()
    assert [type(reason) for reason in told] == [str, type(None)]
    assert [(item.until, item.next_offset) for item in ledger.coverage("raw")] == [(NOON + 3 * SECOND, 3)]
    found = ledger.find(OWED.id)
    assert found is not None
    assert [seen.seen_at for seen in found.seen] == [NOON + 3 * SECOND]


def test_what_was_read_of_a_topic_made_again_waits_apart(ledger: Ledger) -> None:
    """Whatever the clock did meanwhile: reading it began when it was met, and the ledger says so."""
    unsaved = Unsaved(ledger, on_failure=lambda _: None)
    for since, until, topic_id in ((0, 9, "old"), (5, 7, "new")):
        told = Coverage("topic", 0, NOON + since * SECOND, NOON + until * SECOND, 3, topic_id=topic_id)
        unsaved.learned("raw", seen=(), coverage=[told], positions=())
    assert unsaved.flush()

    kept = {item.topic_id: (item.since, item.until) for item in ledger.coverage("raw")}
    assert kept["new"] == (NOON + 5 * SECOND, NOON + 7 * SECOND)
