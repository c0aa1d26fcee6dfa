"""All or nothing: whatever interrupts a step, the ledger holds what it held before, and works again."""

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from canary.ledger import DuplicateId, Ledger, LedgerError
from canary.values import Coverage, Owed


def test_an_id_is_owed_once(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """The primary key decides: a second canary of the same id is refused with all that came along."""
    one, other = owed(), owed()
    ledger.record_sent([one])

    with pytest.raises(DuplicateId):
        ledger.record_sent([other, one])

    assert ledger.find(other.id) is None
    ledger.record_sent([other])


def test_a_step_that_fails_leaves_no_trace(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """What was recorded before the exception is gone, also from what the ledger keeps in mind."""
    one, at = owed(), owed().sent_at
    covered = Coverage("topic", 0, at, at, 5)

    def fail() -> None:
        with ledger.step() as step:
            step.record_sent([one])
            step.record_look("raw", coverage=[covered])
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert (ledger.find(one.id), ledger.coverage("raw"), ledger.unsettled_windows()) == (None, [], [])

    ledger.record_sent([one])
    ledger.record_look("raw", coverage=[covered])
    assert [covered] == ledger.coverage("raw")
    assert [("default", one.window)] == ledger.unsettled_windows()


def fill(ledger: Ledger) -> None:
    with ledger.step() as step:
        step.set_value("big", "x" * 1_000_000)
        step.connection.execute(text("UPDATE remembered SET value = value || value WHERE key = 'big'"))


def test_a_full_disk_stops_the_step_and_nothing_else(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """Without room a step fails by name; reading goes on; with room again, so does writing."""
    one = owed()
    ledger.record_sent([one])
    with ledger.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    with pytest.raises(LedgerError, match="full"):
        fill(ledger)
    assert ledger.find(one.id) is not None
    assert ledger.value("big") is None

    with ledger.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    fill(ledger)
    ledger.record_sent([owed()])


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_on_disk_is_named(ledger: Ledger, url: str, owed: Callable[..., Owed]) -> None:
    """An error of the file system in the middle of a commit undoes the step, and passes with its cause."""
    one = owed()
    ledger.record_sent([one])
    log = Path(url.removeprefix("sqlite:///") + "-wal").stat().st_size

    with no_file_longer_than(log + 10_000), pytest.raises(LedgerError):
        fill(ledger)
    assert ledger.value("big") is None

    fill(ledger)
    assert ledger.find(one.id) is not None


KILLED = """
import os, sys
from datetime import UTC, datetime, timedelta
from uuid import UUID
from canary.ledger import Ledger
from canary.values import Coverage, Owed
at = datetime(2026, 3, 1, 12, tzinfo=UTC)
def owed(number):
    return Owed(UUID(int=number), "default", 0, "d", at, at, at, 1, "")
ledger = Ledger.open(sys.argv[1])
ledger.record_sent([owed(1)])
ledger.record_look("raw", coverage=[Coverage("topic", 0, at, at, 7)])
with ledger.step() as step:
    step.record_sent([owed(number) for number in range(2, 5000)])
    step.record_look("raw", coverage=[Coverage("topic", 0, at, at + timedelta(seconds=1), 9)])
    os._exit(9)
"""


def test_a_process_killed_in_the_middle_leaves_whole_steps(url: str) -> None:
    """The steps that ended are there, the one that had not is not, and nobody else need unlock anything."""
    done = subprocess.run([sys.executable, "-c", KILLED, url], timeout=60, check=False)
    assert done.returncode == 9

    with Ledger.open(url) as ledger:
        tracks = ledger.open_tracks(ledger.resume("raw").offsets["topic", 0][1])
        assert [track.owed.id.int for track in tracks] == [1]
        assert [one.next_offset for one in ledger.coverage("raw")] == [7]


def test_threads_take_turns(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """Steps from many threads at once all arrive, and readers are never refused."""
    made = [[owed() for _ in range(20)] for _ in range(4)]
    counts: list[int] = []

    def send(mine: list[Owed]) -> None:
        for one in mine:
            ledger.record_sent([one])
            counts.append(len(ledger.known([other.id for other in mine])))

    threads = [threading.Thread(target=send, args=[mine], daemon=True) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(list(range(1, 21)) * 4) == sorted(counts)


def test_a_closed_ledger_says_so(url: str) -> None:
    """Neither a write nor a question hangs or crashes after the end."""
    ledger = Ledger.open(url)
    ledger.close()

    with pytest.raises(LedgerError, match="closed"):
        ledger.set_value("x", 1)
    with pytest.raises(LedgerError, match="closed"):
        ledger.last_minted()
    ledger.close()
