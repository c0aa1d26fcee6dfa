"""Audits of ClickHouse tables that never rest: before each answer rows come, a merge runs, or a replay."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from canary.audit import Report
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from reconcile.traffic import Fate
from tests.canary.audit.auditing import told
from tests.canary.audit.world import START, Row, World
from tests.contract.audit_kit import OFFSETS, PASSWORD, TABLE, insert, table_audit

pytestmark = pytest.mark.sandbox

TABLES = ("audited", "bare")
EVENTS = 80


class Turnstile(Gate):
    """Something happens before each request; what happens makes requests too, and these pass."""

    def __init__(self) -> None:
        super().__init__()
        self.happens: Callable[[], object] = lambda: None

    def enter(self) -> None:
        happens, self.happens = self.happens, lambda: None
        happens()
        self.happens = happens
        super().enter()


@pytest.fixture(scope="module")
def gate() -> Turnstile:
    return Turnstile()


@pytest.fixture(scope="module")
def front(gate: Turnstile) -> Iterator[ClickHouseFront]:
    running = ClickHouseFront(gate=gate, user="canary", password=PASSWORD)
    running.start()
    engine = "ReplacingMergeTree(_timestamp)"
    running.execute(TABLE.format(name="audited", more=OFFSETS, engine=engine))
    running.execute(TABLE.format(name="bare", more="", engine=engine))
    yield running
    running.stop()


class Restless:
    """A topic and two tables that never rest. Of each table's rows some were lost on the way; some ids stand
    under two offsets, of which a merge leaves one row."""

    def __init__(self, front: ClickHouseFront, seed: int) -> None:
        self.front, self.chance = front, random.Random(seed)
        self.world = World()
        self.lost: dict[str, set[tuple[int, int]]] = {table: set() for table in TABLES}
        for table in TABLES:
            front.execute(f"TRUNCATE TABLE posthog.{table}")
        for partition in self.world.logs:
            first = self.world.append(partition, EVENTS)
            again = self.world.logs[partition][self.chance.choice(first)]
            self.world.append(partition, 1, id=again.id)
            self._lose(partition, keep=again.id)
            self.world.consume(partition)
        for table in TABLES:
            insert(front, table, [row for row in self.world.rows if not self._is_lost(table, row)])
        self.done = 0

    def _lose(self, partition: int, keep: str) -> None:
        start = self.chance.randrange(EVENTS - 10)
        for table, block in (("audited", range(start, start + 7)), ("bare", [self.chance.randrange(EVENTS)])):
            log = self.world.logs[partition]
            self.lost[table] |= {(partition, offset) for offset in block if log[offset].id != keep}

    def _is_lost(self, table: str, row: Row) -> bool:
        return (row.partition, row.offset) in self.lost[table]

    def happens(self) -> None:
        """One thing of those that happen all the time."""
        self.done += 1
        self.chance.choice((self._merge, self._replay, self._grow))()

    def _merge(self) -> None:
        for table in TABLES:
            self.front.execute(f"OPTIMIZE TABLE posthog.{table} FINAL")

    def _replay(self) -> None:
        """A consumer that was set back stores again what it stored."""
        for table in TABLES:
            rows = [row for row in self.world.rows if not self._is_lost(table, row)]
            insert(self.front, table, rows[self.chance.randrange(len(rows)) :][:20])

    def _grow(self) -> None:
        there = len(self.world.rows)
        partition = self.chance.choice(list(self.world.logs))
        self.world.append(partition, 3)
        self.world.consume(partition)
        for table in TABLES:
            insert(self.front, table, self.world.rows[there:])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("table", TABLES)
def test_what_was_lost_is_named_and_nothing_else(
    front: ClickHouseFront, gate: Turnstile, table: str, seed: int
) -> None:
    """By offset, and by the ids that a sibling gives, of which other rows were lost."""
    restless = Restless(front, seed)
    world = restless.world
    siblings = ("audited",) if table == "bare" else ()
    auditor = world.auditor(table=table_audit(front, table, siblings=siblings))
    until = world.now + timedelta(seconds=1)
    world.now += timedelta(hours=1)
    gate.happens = restless.happens
    report = auditor.audit(START - timedelta(hours=1), until)
    gate.happens = lambda: None
    auditor.close()

    assert restless.done > 5
    assert report.unbalanced == 0
    assert _lost(report) == restless.lost[table]
    assert report.counts[Fate.LOST] == len(restless.lost[table])
    assert told(report.counts).keys() <= {Fate.STORED.value, Fate.DEDUPLICATED.value, Fate.LOST.value}
    assert report.stray_rows == 0


def _lost(report: Report) -> set[tuple[int, int]]:
    return {(one.partition, offset) for one in report.lost_ranges for offset in range(one.start, one.end)}
