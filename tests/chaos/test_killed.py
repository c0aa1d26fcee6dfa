"""Real daemons over a real pipeline that loses canaries, each killed at a point and started again."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from bench.running import configuration
from canary.ledger import Ledger
from canary.sandbox.handle import Handle
from canary.sandbox.ports import free_port
from canary.values import Track, WindowReport
from reconcile.outcome import Outcome
from tests.e2e.checking import ids_of_canaries, peace
from tests.e2e.daemons import load

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(400)]

DEADLY = (
    (
        ("inject: before the ledger", 20),
        ("inject: before the post", 25),
        ("inject: after the post", 30),
        ("inject: answers not yet written", 20),
        ("follow raw: after look", 15),
        ("follow events: after last look", 1),
    ),
    (
        ("settle: judged, not yet written", 2),
        ("transaction: amid judged", 3),
        ("transaction: after judged", 3),
        ("transaction: amid notices", 3),
        ("page: before the send", 1),
        ("page: after the send", 1),
    ),
)
"""Points, and in the how manieth passing to die; those of one row run beside each other."""

TOLD_AGAIN = {"transaction: amid notices", "page: after the send"}
"""Deaths between a message and its record: it may come again, and says that it is a repeat."""

DIES_WITHIN = 90.0
SETTLES_WITHIN = 180.0
STOPS_WITHIN = 15.0
HOPS = {"processed": ("raw", "processed"), "events": ("processed", "events")}
DAY = timedelta(days=1)


@dataclass(slots=True)
class Victim:
    """One daemon with a ledger of its own, before and after its death."""

    name: str
    point: str
    config: Path
    process: "subprocess.Popen[bytes]"
    tracks: Mapping[UUID, Track] = field(default_factory=dict)
    windows: Sequence[WindowReport] = ()

    @property
    def ledger(self) -> Path:
        return self.config.with_suffix(".db")

    def dies(self) -> bool:
        """Wait for its SIGKILL."""
        return self.process.wait(DIES_WITHIN) == -signal.SIGKILL

    def open_before(self, moment: datetime) -> int:
        """How many of its canaries from before then have no final outcome."""
        asked = "SELECT count(*) FROM canary WHERE final IS NOT 1 AND sent_at < ?"
        with closing(sqlite3.connect(self.ledger, timeout=10)) as ledger:
            return int(ledger.execute(asked, (round(moment.timestamp() * 1e6),)).fetchone()[0])

    def owes(self) -> int:
        """How many losses and messages are still to be told."""
        asked = (
            "SELECT count(*) FROM alert_outbox WHERE sent_at IS NULL AND given_up_at IS NULL",
            "SELECT EXISTS (SELECT * FROM canary WHERE outcome = 'lost')"
            " AND NOT EXISTS (SELECT * FROM alert_outbox WHERE body LIKE '%lost:%')",
        )
        with closing(sqlite3.connect(self.ledger, timeout=10)) as ledger:
            return sum(int(ledger.execute(one).fetchone()[0]) for one in asked)

    def read(self, until: datetime) -> None:
        """What its ledger says in the end of what was sent until then."""
        with closing(sqlite3.connect(self.ledger)) as raw:
            ids = [UUID(bytes=row[0]) for row in raw.execute("SELECT id FROM canary")]
        with Ledger.open(f"sqlite:///{self.ledger}", read_only=True) as ledger:
            self.tracks = {k: v for k, v in ledger.known(ids).items() if v.owed.sent_at < until}
            self.windows = ledger.windows(until - DAY, until + DAY)


@dataclass(frozen=True, slots=True)
class Truth:
    """What really became of the canaries: those in the table, and at which stage the others were dropped."""

    arrived: frozenset[str]
    dropped: Mapping[str, str]

    def complaint(self, track: Track) -> str:
        """What is wrong with a verdict; empty where it is right."""
        judged, id_ = track.judged, str(track.owed.id)
        if judged is None or not judged.final:
            return f"{id_}: forgotten"
        if id_ in self.dropped:
            right = (Outcome.LOST, HOPS[self.dropped[id_]])
            return "" if (judged.outcome, judged.hop) == right else f"{id_}: {judged}, is {right}"
        # What is in neither place was never posted: nobody promised it.
        lawful = {Outcome.ON_TIME, Outcome.LATE} if id_ in self.arrived else {Outcome.UNDELIVERED}
        return "" if judged.outcome in lawful else f"{id_}: {judged}, is {lawful}"


def _begun(name: str, sandbox: Handle, point: str, number: int) -> Victim:
    told = load(name, rate=2, instance=f'"{name}"')
    config = configuration(sandbox, told, free_port())
    return Victim(name, point, config, _run(config, point, str(number)))


def _run(config: Path, *deadly: str) -> "subprocess.Popen[bytes]":
    with config.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.victim", str(config), *deadly],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


@pytest.mark.parametrize("row", DEADLY, ids=["on the way in and out", "settling and paging"])
def test_a_killed_daemon_forgets_nothing(sandbox: Handle, row: Sequence[tuple[str, int]]) -> None:
    """No false loss, nothing forgotten, every window adds up, no second page but a marked repeat."""
    peace(sandbox)
    before, told = len(sandbox.struck()), len(sandbox.slack_messages())
    for stage in HOPS:
        sandbox.fault("drop", at=stage, share=0.1, canaries=True)
    victims = [_begun(f"victim-{told}-{n}", sandbox, *deadly) for n, deadly in enumerate(row)]
    try:
        assert [victim.point for victim in victims if not victim.dies()] == []
        sandbox.heal()
        restarted = datetime.now(UTC)
        for victim in victims:
            victim.process = _run(victim.config)
        _settled(victims, restarted)
        for victim in victims:
            victim.process.terminate()
        assert [victim.process.wait(STOPS_WITHIN) for victim in victims] == [0] * len(victims)
    finally:
        for victim in victims:
            victim.process.kill()
            victim.process.wait()
    for victim in victims:
        victim.read(restarted)
    dropped = {line["uuid"]: line["at"] for line in sandbox.struck()[before:]}
    truth = Truth(ids_of_canaries(sandbox), dropped)
    assert list(_complaints(truth, victims)) == []
    _check_messages(sandbox, victims, told)


def _settled(victims: Sequence[Victim], since: datetime) -> None:
    """Wait until all from before is done with and told."""
    until = time.monotonic() + SETTLES_WITHIN
    while time.monotonic() < until:
        if not any(victim.open_before(since) or victim.owes() for victim in victims):
            return
        time.sleep(0.25)
    raise AssertionError({victim.point: (victim.open_before(since), victim.owes()) for victim in victims})


def _complaints(truth: Truth, victims: Sequence[Victim]) -> Iterator[str]:
    for victim in victims:
        for track in victim.tracks.values():
            if wrong := truth.complaint(track):
                yield f"{victim.point}: {wrong}"
        for report in victim.windows:
            if sum(report.outcomes.values()) != report.sent:
                yield f"{victim.point}: does not add up: {report}"
    owed = {str(id_) for victim in victims for id_ in victim.tracks}
    yield from (f"{id_}: dropped, and in nobody's ledger" for id_ in truth.dropped.keys() - owed)


def _is_lost(track: Track) -> bool:
    return track.judged is not None and track.judged.outcome is Outcome.LOST


def _check_messages(sandbox: Handle, victims: Sequence[Victim], told: int) -> None:
    """Each notice of each daemon came once, save where the answer to it died with the daemon.

    As they were when they came: one that says that it is a repeat may be edited soon after.
    """
    came: Counter[tuple[str, str]] = Counter()
    repeated: set[str] = set()
    for message in sandbox.slack_posted()[told:]:
        for victim in victims:
            if f"{victim.name}'" in str(message) and message["metadata"]:
                came[victim.name, message["metadata"]["event_payload"]["notice"]] += 1
                if "a repeat: you may have had" in str(message):
                    repeated.add(victim.name)
    twice = {name for (name, _), times in came.items() if times > 1}
    allowed = {victim.name for victim in victims if victim.point in TOLD_AGAIN}
    assert twice <= allowed & repeated, came
    lost = {victim.name for victim in victims if any(map(_is_lost, victim.tracks.values()))}
    assert lost, "nobody lost anything"
    assert lost <= {name for name, _ in came}, "somebody lost canaries and told nothing at all"
