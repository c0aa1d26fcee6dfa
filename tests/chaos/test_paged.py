"""A pager's process killed with SIGKILL at each point of the delivery: every message comes, each once."""

import json
import multiprocessing
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from canary.sandbox.gate import Gate
from canary.sandbox.slack import SlackStandIn
from tests.chaos.paged import POINTS, TOKEN, main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.chaos.paged"])
ONE_AT_A_TIME = threading.Lock()
REPEAT = "a repeat: you may have had this message before"
EXPECTED = {
    ("1.1", "opened"),
    ("1.2", "resolved"),
    ("1.3", "amended"),
    ("2.1", "opened"),
    ("2.2", "resolved"),
}
"""The messages of its story, by id and kind."""
DOUBTFUL = {"after begun", "before the send", "after the send", "amid recorded"}
"""Deaths after which nobody knows whether the message went out."""
UNRECORDED = {"after the send", "amid recorded"}
"""Deaths after which it did go out."""


@dataclass(frozen=True, slots=True)
class Victim:
    """Where a process dies: the point, in the how manieth passing, and what it has on the other side."""

    point: str
    number: int
    ways: str = "first"
    looks: bool = True

    @property
    def name(self) -> str:
        return f"{self.point}-{self.number}-{self.ways}-{'looks' if self.looks else 'blind'}"


VICTIMS = (
    *(Victim(point, 1, looks=bool(index % 2)) for index, point in enumerate(POINTS)),
    # The same where it hurts most: on the second way out, and amid the amendment, the last of five messages.
    *(Victim(point, 2, ways="second", looks=False) for point in sorted(DOUBTFUL)),
    *(Victim(point, 5, looks=looks) for point in sorted(UNRECORDED) for looks in (True, False)),
)


def test_killed_at_each_point_of_the_delivery_every_incident_is_told_with_its_end(tmp_path: Path) -> None:
    """A message comes twice only where its answer died with the process and nobody may look; it says so."""
    with ThreadPoolExecutor(4) as workers:
        wrong = list(workers.map(lambda victim: _killed(victim, tmp_path / victim.name), VICTIMS))
    assert [text for texts in wrong for text in texts] == []


def _killed(victim: Victim, folder: Path) -> list[str]:
    """What went wrong with one of them."""
    folder.mkdir()
    slack = SlackStandIn(gate=Gate(), token=TOKEN)
    if not victim.looks:
        slack.room.scopes.discard("channels:history")
    slack.start()
    try:
        died = _run(folder, slack.api_url, victim.ways, victim.point, victim.number)
        again = _run(folder, slack.api_url, victim.ways)
        if (died, again) != (-signal.SIGKILL, 0):
            return [f"{victim}: ended with {died}, then with {again}"]
        return [f"{victim}: {text}" for text in _said_wrongly(victim, slack)]
    finally:
        slack.stop()


def _run(*told: object) -> int | None:
    """A real process; that all of them are forked from one which has imported everything only saves time.

    A start asks after the other processes too, and an end can be read once only: so one thread at a time.
    """
    process = SERVER.Process(target=main, args=told)
    with ONE_AT_A_TIME:
        process.start()
    wait([process.sentinel], 120)
    with ONE_AT_A_TIME:
        return process.exitcode


def _said_wrongly(victim: Victim, slack: SlackStandIn) -> list[str]:
    came: Counter[tuple[str, str]] = Counter()
    for message in slack.messages:
        payload = (message.metadata or {})["event_payload"]
        came[payload["notice"], payload["kind"]] += 1
    marked = sum(REPEAT in json.dumps(message.blocks) for message in slack.room.posted)
    twice = came.total() - len(came)
    wrong = []
    if set(came) != EXPECTED:
        wrong.append(f"came {dict(came)}")
    if twice > (victim.point in UNRECORDED and not victim.looks):
        wrong.append(f"came twice: {dict(came)}")
    if not twice <= marked <= (victim.point in DOUBTFUL):
        wrong.append(f"{twice} came twice and {marked} were marked")
    threads = {message.ts for message in slack.messages if message.thread_ts is None}
    if len(threads) - twice > 2:
        wrong.append(f"{len(threads)} threads for two incidents")
    return wrong
