"""A running sandbox: from a post to a row, and what faults do on the way."""

import importlib.util
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import clickhouse_connect
import pytest
import urllib3

from canary import sandbox
from canary.sandbox.faults import FaultError
from canary.sandbox.movers import Progress
from canary.sandbox.produce_wire import partition_of

pytestmark = pytest.mark.sandbox
_LOOKUP = "SELECT toString(uuid), properties, timestamp FROM events WHERE uuid IN {ids:Array(UUID)}"
Rows = Callable[..., list[tuple[Any, ...]]]
SOON = 30.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sandbox.Handle]:
    if importlib.util.find_spec("chdb") is None and os.environ.get("CI") != "true":
        pytest.skip('needs the extra "sandbox"')
    with sandbox.start(tmp_path_factory.mktemp("sandbox")) as handle:
        yield handle


@pytest.fixture
def healed(running: sandbox.Handle) -> Iterator[sandbox.Handle]:
    yield running
    running.heal()


@pytest.fixture
def rows(running: sandbox.Handle) -> Iterator[Rows]:
    """Looks up rows of `events`, waiting for so many until the machine has surely had time, or as told."""
    client = connected(running)

    def look(ids: list[str], many: int, within: float = SOON) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        deadline = time.monotonic() + within
        while len(found) < many and time.monotonic() < deadline:
            found = [tuple(row) for row in client.query(_LOOKUP, parameters={"ids": ids}).result_rows]
        return found

    yield look
    client.close()


def connected(handle: sandbox.Handle) -> Any:
    """A client of its ClickHouse, past every door."""
    return clickhouse_connect.get_client(
        host="127.0.0.1",
        port=handle.state["clickhouse_direct"],
        username="canary",
        password=(handle.dir / "ch-password").read_text(),
        database="posthog",
    )


def posted(handle: sandbox.Handle, within: float = 15.0, **changed: Any) -> tuple[str, int | str]:
    """Its id, and the answer's status or what came instead; faults stay silent for longer than `within`."""
    event = {"api_key": "phc_sandbox", "event": "ingestion_canary", "distinct_id": "d", "uuid": str(uuid4())}
    body = {**event, "properties": {"text": "hällo", "big": 2**53 + 1}, **changed}
    with urllib3.PoolManager(retries=False) as pool:
        try:
            answer = pool.request("POST", f"{handle.ingress_url}/i/v0/e", json=body, timeout=within)
        except urllib3.exceptions.HTTPError as error:
            return str(body["uuid"]), type(error).__name__
    return str(body["uuid"]), answer.status


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_event_becomes_a_row(running: sandbox.Handle, rows: Rows) -> None:
    """Within seconds, with numbers as JavaScript knows them and PostHog's additions."""
    id_, status = posted(running)
    found = rows([id_], 1)

    assert status == 200
    assert json.loads(found[0][1])["big"] == 2**53
    assert json.loads(found[0][1])["$geoip_country_code"] == "SE"


def test_posts_are_answered_at_once(running: sandbox.Handle) -> None:
    """Half of the posts take under a tenth of a second: the ingress keeps its broker connection.

    As soon as the machine leaves it the time for that: one that does not keep it is never so quick.
    """
    times: list[float] = []

    def half_are_quick() -> bool:
        started = time.monotonic()
        assert posted(running)[1] == 200
        times.append(time.monotonic() - started)
        return len(times) >= 15 and sorted(times[-15:])[7] < 0.1

    until(half_are_quick)


@pytest.mark.parametrize("at", ["raw", "processed", "events"])
def test_a_drop_takes_its_count_and_is_written_down(healed: sandbox.Handle, rows: Rows, at: str) -> None:
    """One of two is gone, and the truth names it."""
    healed.fault("drop", at=at, count=1)
    ids = [posted(healed)[0], posted(healed)[0]]
    arrived = [row[0] for row in rows(ids, 1)]
    truth = healed.struck()[-1]

    assert truth["at"] == at
    assert sorted([*arrived, truth["uuid"]]) == sorted(ids)


def test_copies_are_rows_of_their_own(healed: sandbox.Handle, rows: Rows) -> None:
    """A copy of another day lies in another day."""
    healed.fault("duplicate", at="events", count=1, how="another-day")
    found = rows([posted(healed)[0]], 2)

    assert len({row[2].date() for row in found}) == 2


def test_a_timestamp_times_a_thousand(healed: sandbox.Handle, rows: Rows) -> None:
    """The row is there, and its time is the last that ClickHouse knows."""
    healed.fault("corrupt", at="events", count=1, field="timestamp")

    assert rows([posted(healed)[0]], 1)[0][2].year == 2299


@pytest.mark.parametrize(
    ("kind", "status", "stored"),
    [
        ("refuse", 400, 0),
        ("error", 500, 0),
        ("throttle", 429, 0),
        ("accept-and-drop", 200, 0),
        ("timeout-stored", "ReadTimeoutError", 1),
    ],
)
def test_posts_are_answered_as_asked(
    healed: sandbox.Handle, rows: Rows, kind: str, status: int | str, stored: int
) -> None:
    """The answer is the fault's, and the event is stored or not as its kind says."""
    healed.fault(kind, count=1)
    struck, answer = posted(healed, within=15 if isinstance(status, int) else 1)
    passed, _ = posted(healed, uuid=_behind(struck))

    assert answer == status
    assert {row[0] for row in rows([struck, passed], 1 + stored)} == (
        {passed, struck} if stored else {passed}
    )


def _behind(id_: str) -> str:
    """Another id for the same partitions: where its event has come, the one before it has been."""
    while True:
        other = str(uuid4())
        if partition_of(other.encode(), 4) == partition_of(id_.encode(), 4):
            return other


@pytest.mark.parametrize("at", ["processed", "events"])
def test_a_stopped_mover_catches_up(healed: sandbox.Handle, rows: Rows, at: str) -> None:
    """Nothing that comes after the order passes, however soon after it; once healed, all of it does."""
    passed, ids = [], []
    for _ in range(5):
        healed.fault("stop", at=at)
        ids.append(posted(healed)[0])
        passed += rows(ids[-1:], 1, 0.7)
        healed.heal()
        rows(ids, len(ids))

    assert passed == []
    assert len(rows(ids, len(ids))) == 5


@pytest.mark.parametrize("at", ["raw", "processed", "events"])
def test_healing_lets_go_of_what_was_delayed(healed: sandbox.Handle, rows: Rows, at: str) -> None:
    """It goes on at once, and not when the fault would have let it."""
    healed.fault("delay", at=at, by="1h")
    id_, _ = posted(healed, within=1 if at == "raw" else 15)
    until(lambda: id_ in [line["uuid"] for line in healed.struck()])
    healed.heal()

    assert [row[0] for row in rows([id_], 1)] == [id_]


def test_healing_ends_a_silence(healed: sandbox.Handle) -> None:
    """Whoever waits for an answer is hung up on, instead of waiting for the end of the fault."""
    healed.fault("timeout-lost")
    answers: list[int | str] = []
    waiting = threading.Thread(target=lambda: answers.append(posted(healed)[1]))
    before = len(healed.struck())
    waiting.start()
    until(lambda: len(healed.struck()) > before)
    healed.heal()
    waiting.join()

    assert answers == ["ProtocolError"]


@pytest.mark.parametrize("shifts", [["1h"], ["1h", "-1h"]])
def test_a_tables_clock_is_right_again(running: sandbox.Handle, shifts: list[str]) -> None:
    """When its faults have run out as when they are healed, also where they outweigh each other."""
    for lasts in ("500ms", None):
        for by in shifts:
            running.fault("skew", at="events", by=by, lasts=lasts)
        if lasts is None:
            running.heal()
        until(lambda: _filling(running) == "now64(6)")


def _filling(handle: sandbox.Handle) -> str:
    """What the table writes into the column of its own time."""
    sql = "SELECT default_expression FROM system.columns WHERE table = 'events' AND name = 'inserted_at'"
    client = connected(handle)
    try:
        return str(client.query(sql).result_rows[0][0])
    finally:
        client.close()


def test_a_frozen_broker_thaws(healed: sandbox.Handle, rows: Rows) -> None:
    """A post in the freeze times out, and its event arrives after the thaw."""
    healed.fault("freeze", at="raw")
    id_, answer = posted(healed, within=1)
    healed.heal()

    assert answer == "ReadTimeoutError"
    assert len(rows([id_], 1)) == 1


def test_nonsense_is_refused_by_the_running_one(running: sandbox.Handle) -> None:
    """The order's mistake comes back in its own words."""
    with pytest.raises(FaultError, match="--at: must be one of"):
        running.fault("drop", at="slack")


def test_stopping_leaves_no_process_and_no_state(tmp_path: Path) -> None:
    """After `stop` no process names the folder any more, and no half-written file lies there."""
    handle = sandbox.start(tmp_path)
    handle.stop()

    assert not (tmp_path / "sandbox.json").exists()
    assert not list(tmp_path.glob(".*.new"))
    assert not _processes_naming(str(tmp_path))


def _processes_naming(text: str) -> list[bytes]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes()
        except OSError:
            continue
        if text.encode() in line:
            found.append(line)
    return found


def test_commits_never_pass_what_is_unfinished() -> None:
    """An event that is held back keeps the group's offset before it; what came after does not matter."""
    progress = Progress()
    for offset in (5, 6):
        progress.read(0, offset)
        progress.began((0, offset))
    progress.finished((0, 6))
    held = progress.due()
    progress.finished((0, 5))

    assert held == {0: 5}
    assert progress.due() == {0: 7}
