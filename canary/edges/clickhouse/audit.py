"""A ClickHouse table as an audit asks it: what it has of a window, where an id is, what stands there twice.

Everything is counted where the rows are; every question keeps the guest's limits.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass

from canary.edges.clickhouse import answers, audit_sql, sql
from canary.edges.clickhouse.audit_place import Place
from canary.edges.clickhouse.catalog import Catalog
from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.consumers import unread_from
from canary.edges.clickhouse.feeders import Feeder, about_feeders, feeders
from canary.edges.clickhouse.holding import held
from canary.edges.clickhouse.lagging import lagging
from canary.edges.clickhouse.methods import tells_offsets, with_sibling, without_sibling
from canary.edges.clickhouse.queue import DistributionQueue
from canary.edges.clickhouse.rows import Row
from canary.edges.clickhouse.schema import Column, Shape
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import Settings
from canary.traffic import CannotAskError, Holds, Method, Strays, Times, Twice, Waiting
from canary.values import Now
from reconcile.offsets import Block, Range, holes, joined

MOST_PIECES = 1_000
MOST_ROWS = 2_000_000
IDS_AT_ONCE = 3_000
LISTS_AT_ONCE = 16
"""Lists of so many ids are looked for in one pass over the table."""

A_SLICE = 50_000
"""Ids that are held side by side at once where a window is compared by id."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """`topics` feed the table, that under audit first; `kafka_time` and `topic_column` name its columns, ""
    for the usual ones."""

    topics: tuple[str, ...]
    kafka_time: str = ""
    topic_column: str = ""


class TableAudit:
    """One table with its sibling and dead letters. One thread uses it. Raises `CannotAskError`."""

    def __init__(self, settings: Settings, options: AuditOptions, *, now: Now) -> None:
        self._settings = settings
        self._options = options
        self._now = now
        self._session = Session(settings, settings.url, now=now)
        self._catalog = Catalog(settings, now)
        self._queue = DistributionQueue(settings, now=now) if settings.queue_cluster else None
        self._places: dict[str, Place | None] = {}
        self._engines: Sequence[Row] | None = None

    def method(self) -> Method:
        """How the table can be audited, looked up anew."""
        self._places.clear()
        self._engines = None
        with self._asking():
            table = self._settings.table
            place, sources = self._place(table), self._feeders(table)
            method = without_sibling(place, sources, self._options.topics, table=table)
            return method or with_sibling(place, self._sibling(), sources)

    def waiting(self) -> Waiting | None:
        """What Distributed tables have not yet sent on; None where no such queue was named."""
        if self._queue is None:
            return None
        read = self._queue.read(self._session)
        return Waiting(unreadable=self._queue.note or "no answer") if read is None else Waiting(read[1])

    def unread_from(self) -> dict[int, int]:
        """By partition the offset from which on the table's own consumer has surely read nothing."""
        return unread_from(self._session, self._feeders(self._settings.table), self._options.topics[0])

    def blocks(self, window: Sequence[Range], times: Times | None) -> list[Block]:
        """Rows, distinct offsets and gaps by block."""
        with self._asking():
            return [answers.block(row) for row in self._rows(audit_sql.blocks(self._main(), window, times))]

    def gaps(
        self, window: Sequence[Range], pieces: Sequence[Range], times: Times | None, *, most: int
    ) -> tuple[list[Range], list[Range]]:
        """The offsets of some pieces that have no row; and what was not searched, being too much."""
        searched, left = pieces[:MOST_PIECES], list(pieces[MOST_PIECES:])
        if not searched:
            return [], []
        with self._asking():
            rows = self._rows(audit_sql.gaps(self._main(), window, searched, times, most=most + 1))
        found = [Range(*(int(row[name] or 0) for name in ("partition", "start", "end"))) for row in rows]
        if len(found) > most:
            last = found[most]
            left += [one for piece in searched if (one := answers.after(piece, last)).size]
            found = found[:most]
        return joined(found), joined(left)

    def present(self, offsets: Sequence[Range]) -> dict[int, set[int]]:
        """Which of these offsets have a row whatever its time, by partition."""
        found: dict[int, set[int]] = {}
        with self._asking():
            for row in self._rows(audit_sql.present(self._main(), offsets), fresh=True) if offsets else ():
                found.setdefault(int(row["partition"] or 0), set()).add(int(row["offset"] or 0))
        return found

    def furthest(self, window: Sequence[Range], times: Times | None) -> dict[int, int]:
        """By partition the highest offset of a window that has a row."""
        with self._asking():
            rows = self._rows(audit_sql.furthest(self._main(), window, times), fresh=True)
        return {int(row["partition"] or 0): int(row["offset"] or 0) for row in rows}

    def having(self, ids: AbstractSet[str], times: Times | None = None) -> dict[str, set[tuple[int, int]]]:
        """Where the table has these ids; (-1, -1) where it cannot tell. What rows of these times show is not
        looked for among the others. What text does not have so is looked for as text may spell it."""
        place = self._main()
        if place.id.base == "UUID":
            return self._anywhere(place, {one for one in ids if answers.looks_like_uuid(one)}, times)
        found = self._anywhere(place, ids, times)
        spelt = answers.spellings(ids - found.keys())
        for text, places in self._anywhere(place, spelt.keys(), times).items():
            found.setdefault(spelt[text], set()).update(places)
        return found

    def _anywhere(
        self, place: Place, ids: AbstractSet[str], times: Times | None
    ) -> dict[str, set[tuple[int, int]]]:
        if times is None or place.kafka_time is None:
            return self._having(place, ids, None)
        found = self._having(place, ids, times)
        return found | self._having(place, ids - found.keys(), times, elsewhere=True)

    def _having(
        self, place: Place, ids: AbstractSet[str], times: Times | None, *, elsewhere: bool = False
    ) -> dict[str, set[tuple[int, int]]]:
        found: dict[str, set[tuple[int, int]]] = {}
        lists = list(_chunks(sorted(ids)))
        for at in range(0, len(lists), LISTS_AT_ONCE):
            some = lists[at : at + LISTS_AT_ONCE]
            with self._asking():
                statement = audit_sql.having(place, some, times, elsewhere=elsewhere)
                for row in self._rows(statement, fresh=True):
                    where = int(row["partition"] or -1), int(row["offset"] or -1)
                    found.setdefault(row["id"] or "", set()).add(where)
        return found

    def letters(self, ids: AbstractSet[str]) -> tuple[dict[str, str], str]:
        """Which ids are in the dead-letter tables, and why; and which of them could not be asked."""
        found: dict[str, str] = {}
        trouble = ""
        for table in self._settings.dead_letters:
            try:
                shape = self._catalog.shape(table, self._session.catalog, dead_letters=True)
                if shape is None:
                    trouble = f"dead letters {table}: no column with an id"
                    continue
                place = Place(shape)
                named = {one: one for one in ids if place.id.base != "UUID" or answers.looks_like_uuid(one)}
                if place.id.base != "UUID":
                    named |= answers.spellings(ids)
                for chunk in _chunks(sorted(named)):
                    rows = self._rows(audit_sql.letters(place, chunk), fresh=True)
                    found.update({named.get(row["id"] or "", ""): row["reason"] or "" for row in rows})
            except Blind as blind:
                trouble = f"dead letters {table}: {blind.reason}"
        return found, trouble

    def twice(self, window: Sequence[Range], blocks: Sequence[tuple[int, int]], times: Times | None) -> Twice:
        """Rows beyond the first of an offset; of an id, where the table tells no offsets."""
        place = self._main()
        by_id = not place.has_offsets
        statement = (
            audit_sql.twice_by_id(place, times)
            if by_id
            else audit_sql.twice(place, window, blocks[:MOST_PIECES], times)
        )
        with self._asking():
            row = next(iter(self._rows(statement)), {})
        return answers.twice(row)

    def strays(self, ends: Sequence[Range], times: Times) -> Strays:
        """Rows of these times that none of the topic's offsets can stand behind."""
        place = self._main()
        if place.kafka_time is None:
            return Strays()
        with self._asking():
            rows = self._rows(audit_sql.strays(place, ends, times))
        return answers.strays(rows, ends)

    def absent(self, window: Sequence[Range], times: Times | None) -> list[Range]:
        """The offsets of a window whose id the sibling does not know or the table does not have."""
        with self._asking():
            sibling = self._sibling()
            if sibling is None:
                raise CannotAskError("no sibling has partitions and offsets")
            slices = max(1, -(-sum(one.size for one in window) // A_SLICE))
            there: list[Range] = []
            for number in range(slices):
                part = (number, slices)
                have = {row["id"] for row in self._rows(audit_sql.slice_of_ids(self._main(), times, part))}
                for row in self._rows(audit_sql.slice_of_map(sibling, window, times, part)):
                    if row["id"] in have:
                        at = int(row["offset"] or 0)
                        there.append(Range(int(row["partition"] or 0), at, at + 1))
                there = joined(there)
        return holes(window, there)

    def count(self, times: Times) -> tuple[int, int]:
        """Rows and distinct ids of exactly these times."""
        with self._asking():
            row = next(iter(self._rows(audit_sql.counted(self._main(), times))), {})
        return int(row.get("rows") or 0), int(row.get("distinct") or 0)

    def holds(self) -> Holds:
        """What no row can be made of, what may have removed one, and what may keep it from us."""
        place = self._main()
        with self._asking():
            return held(self._session, self._settings, place, now=self._now)

    def lagging(self) -> str:
        """How far this server is behind its replicas, where the table is one of them."""
        told = self._settings
        tables = [(told.database, table) for table in (told.table, *told.dead_letters)]
        return lagging(self._session, tables, told.passed_grace)

    def costs(self) -> Counter[str]:
        """Queries, rows and bytes read since the last call."""
        return self._session.take_costs()

    def close(self) -> None:
        """Drop the connection."""
        self._session.close()

    def _rows(self, statement: sql.Statement, *, fresh: bool = False) -> list[Row]:
        return self._session.rows(statement, last=False, rows=MOST_ROWS, fresh=fresh)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except Blind as blind:
            if blind.stale_schema:
                self._catalog.forget()
            raise CannotAskError(blind.reason, over_budget=blind.over_budget) from blind
        except (ValueError, KeyError, TypeError) as error:
            raise CannotAskError(f"the answer cannot be understood ({type(error).__name__})") from error

    def _main(self) -> Place:
        with self._asking():
            place = self._place(self._settings.table)
        if place is None:
            raise CannotAskError(f"no id can be found in {self._settings.table}")
        return place

    def _sibling(self) -> Place | None:
        """The first table beside it whose rows tell offset and id, of the topic under audit alone."""
        for table in self._settings.siblings:
            place = self._place(table)
            if place is not None and tells_offsets(place, self._feeders(table), self._options.topics):
                return place
        return None

    def _place(self, table: str) -> Place | None:
        if table not in self._places:
            shape = self._catalog.shape(table, self._session.catalog)
            self._places[table] = None if shape is None else self._placed(shape)
        return self._places[table]

    def _placed(self, shape: Shape) -> Place:
        told = self._session.catalog(sql.about_columns(shape.database, shape.table)).rows
        types = {str(row["name"]): str(row["type"]) for row in told}
        time = self._options.kafka_time or "_timestamp"
        topic = self._options.topic_column or ("_topic" if "_topic" in types else "")
        column = Column(time, types.get(time, "")) if self._options.kafka_time or time in types else None
        return Place(shape, column, topic, self._options.topics)

    def _feeders(self, table: str) -> Sequence[Feeder]:
        if self._engines is None:
            try:
                self._engines = self._session.catalog(about_feeders()).rows
            except Blind:  # no right to see them: then nothing speaks against a single source
                self._engines = ()
        return feeders(self._engines, f"{self._settings.database}.{table}")


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), IDS_AT_ONCE):
        yield ids[start : start + IDS_AT_ONCE]
