"""The evidence that the book hands to the rules where rows wait in a queue before their table."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from canary.book import Book, Entry
from canary.readings import StageSpec
from canary.values import Look, Owed, Position, Seen
from reconcile.compare import Limits, judge
from reconcile.outcome import Outcome

T0 = datetime(2026, 3, 1, tzinfo=UTC)
ID = UUID(int=1)
SECOND = timedelta(seconds=1)
LIMITS = Limits(objective=5 * SECOND, patience=8 * SECOND, lost_after=600 * SECOND)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def gone_after_raw(*, distributed: bool) -> tuple[Book, Entry]:
    """A canary seen in the topic at offset 5, whose consumer was seen beyond it at 3 s; not in the table."""
    specs = [StageSpec("raw", topic=True, place="raw")]
    specs.append(StageSpec("events", topic=False, place="events", through_distributed=distributed))
    book = Book(specs, epoch_started_at=T0, grace=10 * SECOND)
    entry = book.add(Owed(ID, "p", 0, "d", at(0), at(0), at(20), 1, ""))
    book.saw(entry, Seen(ID, "raw", "raw", at(1), partition=0, offset=5))
    position = Position("raw", 0, 6, 0, 9, at(3))
    book.readings["raw"].learn(Look("raw", at(3), at(3), positions=[position], partitions=1))
    return book, entry


def verdict(book: Book, entry: Entry, *, asked: float) -> tuple[Outcome, str]:
    entry.asked["events"] = entry.last_look_at = at(asked)
    told = judge(book.case(entry), now=at(asked + 1), limits=LIMITS)
    return told.outcome, told.reason


def queue(book: Book, when: float, files: int) -> None:
    book.readings["events"].learn(Look("events", at(when), at(when), queue=(at(when), files)))


def test_a_position_proves_a_loss_where_the_consumer_writes_into_the_table_itself() -> None:
    """The plain case, to compare with."""
    assert verdict(*gone_after_raw(distributed=False), asked=30)[0] is Outcome.LOST


def test_a_queue_that_nobody_reads_leaves_only_time() -> None:
    """Not lost before `lost_after`, though the consumer has passed it."""
    book, entry = gone_after_raw(distributed=True)
    assert verdict(book, entry, asked=30)[0] is Outcome.OVERDUE
    assert verdict(book, entry, asked=700)[0] is Outcome.LOST


@pytest.mark.parametrize(
    ("readings", "outcome"),
    [
        ([(2, 0)], Outcome.OVERDUE),  # empty before the consumer was seen beyond it: it may have come since
        ([(4, 1), (29, 1)], Outcome.OVERDUE),  # full ever since
        ([(4, 1), (20, 0)], Outcome.LOST),  # empty since, and not there
        ([(4, 0), (29, 7)], Outcome.LOST),  # what came into the queue later is another's
        ([(29, 0)], Outcome.OVERDUE),  # the table was not asked so long after it
    ],
)
def test_a_queue_seen_empty_since_proves_it(readings: list[tuple[float, int]], outcome: Outcome) -> None:
    """Passed by the consumer, out of the queue, and not in the table."""
    book, entry = gone_after_raw(distributed=True)
    for when, files in readings:
        queue(book, when, files)
    assert verdict(book, entry, asked=30)[0] is outcome


def test_what_waits_in_the_queue_is_queued_however_long() -> None:
    """A shard that is away for an hour is a backlog."""
    book, entry = gone_after_raw(distributed=True)
    for when in range(4, 3600, 10):
        queue(book, when, 3)
    assert verdict(book, entry, asked=3600) == (
        Outcome.OVERDUE,
        "queued: its consumer has not come to it yet",
    )
