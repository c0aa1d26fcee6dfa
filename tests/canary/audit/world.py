"""A topic, its consumer and a table in memory, with the truth of what became of every offset."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from canary.audit import Auditor, Limits
from canary.audit.protocols import Table
from canary.traffic import CannotAskError, Holds, Method, Strays, Times, Twice, Waiting
from reconcile.offsets import BLOCK, Block, Range, holes, joined, within
from reconcile.traffic import Policy
from tests.canary.audit.fake_topic import FakeTopic

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
OFFSET = Method("offset", "nothing")
NO_POLICY, NAMED = Policy(), 10


@dataclass(frozen=True, slots=True)
class Entry:
    """One offset: a record, or what stands in its place ("control", "aborted")."""

    at: datetime
    id: str
    kind: str = "record"
    event: str = "plain"
    error: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `variant` differs where no merge would make one of two."""

    partition: int | None
    offset: int | None
    id: str
    at: datetime
    variant: int = 0


@dataclass
class World:
    """What Kafka and ClickHouse hold. `between` follows each answer of the table, `resting` a wait; gaps are
    `searched` where a block does not tell its own."""

    now: datetime = START
    topic_id: UUID = field(default_factory=uuid4)
    logs: dict[int, list[Entry]] = field(default_factory=lambda: {0: [], 1: []})
    log_start: dict[int, int] = field(default_factory=dict)
    local: dict[int, int] = field(default_factory=dict)
    positions: dict[int, int] | None = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    letters: dict[str, str] = field(default_factory=dict)
    letters_at: dict[str, datetime] = field(default_factory=dict)
    letters_trouble: str = ""
    dead_rows: dict[str, str] = field(default_factory=dict)
    method: Method = OFFSET
    down: bool = False
    stopped: bool = False
    over_budget: int = 0
    searched: bool = False
    waiting: Waiting | None = None
    unread: dict[int, int] = field(default_factory=dict)
    held: list[Row] = field(default_factory=list)
    keeps: timedelta | None = None
    replaces: str = ""
    lags: str = ""
    between: Callable[["World", str], None] = lambda *_: None
    resting: Callable[["World"], None] = lambda _: None
    asked: Counter[str] = field(default_factory=Counter)
    fetched: int = 0

    def append(self, partition: int, count: int = 1, **changed: Any) -> range:
        """Records of now; returns their offsets."""
        log = self.logs[partition]
        first = len(log)
        for _ in range(count):
            entry = Entry(self.now, str(uuid5(self.topic_id, f"{partition}-{len(log)}")))
            log.append(replace(entry, **changed))
        return range(first, len(log))

    def store(self, partition: int, offsets: range, variant: int = 0) -> None:
        """What the table's consumer makes of records."""
        for offset in offsets:
            entry = self.logs[partition][offset]
            if entry.kind == "record":
                self.rows.append(Row(partition, offset, entry.id, entry.at, variant))

    def consume(self, partition: int, *, without: AbstractSet[int] = frozenset()) -> None:
        """The consumer comes to the end; of some offsets no row is made."""
        assert self.positions is not None
        first, end = self.positions.get(partition, 0), len(self.logs[partition])
        for offset in range(first, end):
            if offset not in without:
                self.store(partition, range(offset, offset + 1))
        self.positions[partition] = end

    def hold(self, partition: int, *, without: AbstractSet[int] = frozenset()) -> None:
        """The consumer comes to the end and commits; its rows wait in a Distributed table's queue."""
        there = len(self.rows)
        self.consume(partition, without=without)
        self.held += self.rows[there:]
        del self.rows[there:]
        self.waiting = Waiting(len(self.held))

    def release(self, *, without: AbstractSet[int] = frozenset()) -> None:
        """The queue is sent on; some of its rows get lost on the way."""
        self.rows += [row for row in self.held if row.offset not in without]
        self.held, self.waiting = [], Waiting()

    def auditor(
        self,
        limits: Limits | None = None,
        policy: Policy = NO_POLICY,
        *,
        stage: str = "table",
        table: Table | None = None,
    ) -> Auditor:
        def wait(span: timedelta) -> bool:
            if not self.stopped:
                self.now += span
                self.resting(self)
            return self.stopped

        return Auditor(
            stage,
            "db.table",
            topic=FakeTopic(self),
            table=table or FakeTable(self),
            limits=limits or Limits(),
            policy=policy,
            now=lambda: self.now,
            wait=wait,
        )


class FakeTable:
    def __init__(self, world: World) -> None:
        self._world = world

    def method(self) -> Method:
        return self._world.method

    def waiting(self) -> Waiting | None:
        return self._world.waiting

    def unread_from(self) -> Mapping[int, int]:
        return dict(self._world.unread)

    def _ask(self, question: str) -> None:
        world = self._world
        world.asked[question] += 1
        if world.over_budget:
            world.over_budget -= 1
            raise CannotAskError("too many bytes", over_budget=True)

    def _told(self, question: str) -> None:
        self._world.between(self._world, question)

    def _rows(self, times: Times | None) -> list[Row]:
        return [row for row in self._world.rows if times is None or times.since <= row.at < times.until]

    def _offsets(self, window: Sequence[Range], times: Times | None) -> list[Row]:
        parts = {one.partition: one for one in window}
        return [
            row
            for row in self._rows(times)
            if row.partition in parts
            and row.offset is not None
            and parts[row.partition].start <= row.offset < parts[row.partition].end
        ]

    def blocks(self, window: Sequence[Range], times: Times | None) -> Sequence[Block]:
        self._ask("blocks")
        found: dict[tuple[int, int], list[int]] = {}
        for row in self._offsets(window, times):
            if row.partition is not None and row.offset is not None:
                found.setdefault((row.partition, row.offset // BLOCK), []).append(row.offset)
        self._told("blocks")
        return [self._block(window, p, n, offsets) for (p, n), offsets in found.items()]

    def _block(self, window: Sequence[Range], partition: int, number: int, offsets: Sequence[int]) -> Block:
        told = None
        if not self._world.searched:
            whole = Range(partition, number * BLOCK, (number + 1) * BLOCK)
            there = [Range(partition, offset, offset + 1) for offset in offsets]
            told = tuple(holes(within(window, [whole]), there))
        return Block(partition, number, len(offsets), len(set(offsets)), told)

    def gaps(
        self, window: Sequence[Range], pieces: Sequence[Range], times: Times | None, *, most: int
    ) -> tuple[Sequence[Range], Sequence[Range]]:
        self._ask("gaps")
        there = [
            Range(r.partition or 0, r.offset or 0, (r.offset or 0) + 1) for r in self._offsets(window, times)
        ]
        found = holes(pieces, there)
        self._told("gaps")
        return found[:most], found[most:]

    def present(self, offsets: Sequence[Range]) -> Mapping[int, AbstractSet[int]]:
        self._ask("present")
        found: dict[int, set[int]] = {}
        for one in offsets:
            for row in self._offsets([one], None):
                found.setdefault(one.partition, set()).add(row.offset or 0)
        self._told("present")
        return found

    def furthest(self, window: Sequence[Range], times: Times | None) -> Mapping[int, int]:
        self._ask("furthest")
        found: dict[int, int] = {}
        for row in self._offsets(window, times):
            if row.partition is not None and row.offset is not None:
                found[row.partition] = max(row.offset, found.get(row.partition, 0))
        return found

    def having(
        self, ids: AbstractSet[str], times: Times | None = None
    ) -> Mapping[str, AbstractSet[tuple[int, int]]]:
        self._ask("having")
        found: dict[str, set[tuple[int, int]]] = {}
        inside = self._rows(times)
        there = {row.id for row in inside}
        for row in [*inside, *(row for row in self._world.rows if row.id not in there)]:
            if row.id in ids:
                partition = -1 if row.partition is None else row.partition
                where = (partition, -1 if row.offset is None else row.offset)
                found.setdefault(row.id, set()).add(where)
        self._told("having")
        return found

    def letters(self, ids: AbstractSet[str]) -> tuple[Mapping[str, str], str]:
        return {id_: why for id_, why in self._world.dead_rows.items() if id_ in ids}, ""

    def twice(self, window: Sequence[Range], blocks: Sequence[tuple[int, int]], times: Times | None) -> Twice:
        by_offset: dict[tuple[int, int], list[Row]] = {}
        for row in self._offsets(window, times):
            if ((place := (row.partition or 0, row.offset or 0))[0], place[1] // BLOCK) in blocks:
                by_offset.setdefault(place, []).append(row)
        copies = [rows for rows in by_offset.values() if len(rows) > 1]
        first = sorted(place for place in by_offset if len(by_offset[place]) > 1)[:NAMED]
        kinds = [len({(row.id, row.variant) for row in rows}) for rows in copies]
        return Twice(
            mergeable=sum(len(rows) - kind for rows, kind in zip(copies, kinds, strict=True)),
            permanent=sum(kind - 1 for kind in kinds),
            strangers=sum(len({row.id for row in rows}) > 1 for rows in copies),
            first=[Range(p, o, o + 1) for p, o in first],
        )

    def strays(self, ends: Sequence[Range], times: Times) -> Strays:
        last = {one.partition: one.end for one in ends}
        beyond: Counter[int] = Counter()
        highest: dict[int, int] = {}
        none = unknown = 0
        for row in self._rows(times):
            if row.partition is None or row.offset is None:
                none += 1
            elif row.partition not in last:
                unknown += 1
            else:
                beyond[row.partition] += row.offset >= last[row.partition]
                highest[row.partition] = max(highest.get(row.partition, 0), row.offset)
        return Strays(none, unknown, 0, {p: n for p, n in beyond.items() if n}, highest)

    def absent(self, window: Sequence[Range], times: Times | None) -> Sequence[Range]:
        self._ask("absent")
        ids = {row.id for row in self._rows(times)}
        gone = [
            Range(one.partition, n, n + 1)
            for one in window
            for n in range(one.start, one.end)
            if self._world.logs[one.partition][n].id not in ids
        ]
        self._told("absent")
        return joined(gone)

    def count(self, times: Times) -> tuple[int, int]:
        rows = self._rows(times)
        return len(rows), len({row.id for row in rows})

    def holds(self) -> Holds:
        keeps, world = self._world.keeps, self._world
        if keeps is None:
            return Holds(replaces=world.replaces)
        return Holds(removes=lambda _, at: "its TTL" if at and at + keeps <= world.now else "", ttl="its TTL")

    def lagging(self) -> str:
        self._ask("lagging")
        return self._world.lags

    def costs(self) -> Counter[str]:
        asked, self._world.asked = self._world.asked, Counter()
        return Counter({"queries": sum(asked.values())})

    def close(self) -> None: ...
