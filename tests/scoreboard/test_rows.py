"""Every fault that a monitor of ingestion has to be right about has its row, in words."""

from collections.abc import Mapping

import pytest

from tests.scoreboard.rows import ROWS
from tests.virtual.faults_monitor import STEPS
from tests.virtual.pipeline import EVENTS, PROCESSED, RAW, STAGES

MOVED = (PROCESSED, EVENTS)


def _at(words: str, stages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(words.format(stage) for stage in stages)


ASKED: Mapping[str, tuple[str, ...]] = {
    "drop one": _at("drop one into {}", STAGES),
    "drop some": _at("drop some into {}", STAGES),
    "drop a block": _at("drop a block into {}", STAGES),
    "drop 10,000 consecutive ones among real traffic": ("drop a block of 10,000 consecutive real events",),
    "drop a whole lane": _at("drop a lane into {}", STAGES),
    "drop all": _at("drop all into {}", STAGES),
    "duplicate: a producer's retry": _at("duplicate into {}", STAGES),
    "duplicate: a consumer's replay": _at("consumer of {} replays older offsets", (RAW, PROCESSED)),
    "duplicate: rows on another day, which is another partition": ("duplicate rows on another day",),
    "reorder": ("reorder",),
    "delay below the objective": _at("delay below the objective into {}", MOVED),
    "delay above it": _at("delay above the objective into {}", MOVED),
    "delay beyond every limit": ("delay beyond every limit, amended",),
    "a consumer stopped for 20 minutes": _at("backlog before {}", MOVED),
    "a backlog with positions unreadable": _at("backlog before {}, positions unreadable", MOVED),
    "retention overtaking the backlog": _at("retention overtakes the backlog before {}", MOVED),
    "a detour through the overflow": ("detour through the overflow",),
    "dead letters": ("dead letters",),
    "truncated": _at("corrupt: truncated at {}", MOVED),
    "a field dropped": _at("corrupt: field dropped at {}", MOVED),
    "Unicode mangled": _at("corrupt: Unicode at {}", MOVED),
    "an integer through a float": _at("corrupt: integer through a float at {}", MOVED),
    "DateTime64 times 1000": _at("corrupt: DateTime64 times 1000 at {}", MOVED),
    "the event name mangled": _at("corrupt: event name at {}", MOVED),
    "another row's content": _at("corrupt: another row's content at {}", MOVED),
    "lawful: added properties": _at("lawful: added properties at {}", MOVED),
    "lawful: key order": _at("lawful: key order at {}", MOVED),
    "lawful: JavaScript's numbers": _at("lawful: JavaScript's numbers at {}", MOVED),
    "refused": ("refused",),
    "200 but dropped": ("200 but dropped",),
    "timeout but stored": ("timeout but stored",),
    "timeout and lost": ("timeout and lost",),
    "a storm of 429": ("a storm of 429", "on the wire: a storm of 429"),
    "slow drip responses": tuple(
        f"on the wire: slow drip of {what}, {end}"
        for what in ("an answer", "a body after a 200")
        for end in ("stored", "lost")
    ),
    "half-closed connections": tuple(f"on the wire: half-closed connection, {e}" for e in ("stored", "lost")),
    "the Kafka reader cut off": _at("{} blind: cut off", (RAW, PROCESSED)),
    "authentication expired": _at("{} blind: authentication expired", (RAW, PROCESSED)),
    "ClickHouse refusing": ("events blind: refusing",),
    "ClickHouse slow": ("events slow",),
    "ClickHouse answering from a stale replica": ("events blind: replica is stale",),
    "ClickHouse without a shard": ("events blind: a shard is missing",),
    "ClickHouse truncated by an overflow mode": ("events blind: result truncated: overflow mode",),
    "a codec missing": _at("{} blind: codec not installed", (RAW, PROCESSED)),
    "DNS gone": _at("{} blind: name not known", (RAW, PROCESSED)),
    "a middle stage blind while the ends are not": ("processed blind: cut off",),
    "the monitor's clock steps": tuple(f"wall clock steps by {s} s" for s in ("+3600", "-3600", "+2", "-2")),
    "the monitor's clock drifts": ("wall clock drifts",),
    "the monitor's clock leaps to a wrong year": tuple(f"wall clock steps by {s}31536000 s" for s in "+-"),
    "a stage's clock is 30 s off": _at("clock of {} 30 s off", STAGES),
    "a stage's clock drifts": _at("clock of {} drifts", STAGES),
    "a stage's clock is in another zone": _at("clock of {} in another zone", STAGES),
    "a stage's clock shows a wrong year": _at("clock of {} in a wrong year", STAGES),
    "kill -9 at every step boundary": tuple(f"killed before {step}" for step in STEPS),
    "kill -9 in the middle of every transaction": tuple(
        f"killed {when} transaction {number}" for when in ("amid", "after") for number in range(1, 5)
    ),
    "SIGSTOP for an hour": ("stopped for an hour",),
    "machine asleep": ("machine asleep for an hour",),
    "disk full": ("disk full",),
    "ledger locked by another process": ("ledger locked by another",),
    "ledger file corrupted": ("ledger file corrupted",),
    "two monitors on one ledger": ("two monitors on one ledger",),
    "two monitors with the same secret": ("a second monitor with the same secret",),
    "probe renamed": ("probe renamed between runs",),
    "rate changed": ("rate changed between runs",),
    "stage added": ("stage added between runs",),
    "stage removed": ("stage removed between runs",),
}
"""What is asked for, in words, and the rows that answer it."""


@pytest.mark.parametrize("words", ASKED)
def test_each_fault_that_is_asked_for_has_its_rows(words: str) -> None:
    """A row that is renamed or left out is missed here."""
    assert ASKED[words]
    assert [name for name in ASKED[words] if name not in ROWS] == []
