"""One transaction of writes: what a step of the watch learned goes to disk together or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Dialect, Insert, Table, Update, bindparam, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from canary.ledger import rows
from canary.ledger.errors import DuplicateId
from canary.ledger.memory import Memory, Partition, Read
from canary.ledger.tables import (
    canary,
    consumer_position,
    coverage,
    probe_minute,
    remembered,
    sighting,
    window_report,
)
from canary.values import Answer, Coverage, Judged, Minute, Owed, Position, Seen, WindowReport

ANSWER = ("receipt", "started_at", "answered_at", "tries", "status", "detail")
VERDICT = ("state", "outcome", "final", "judged_at", "hop", "spanned", "flags", "reason", "amended_from")
COUNTS = ("due", "sent", "refused", "not_visible", "blind")


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements that a step repeats, built once for the database at hand."""

    owe: Insert
    open_window: Insert
    answer: Update
    judge: Update
    see: Insert
    cover: Insert
    place: Insert
    settle: Insert
    count: Insert
    remember: Insert


def statements(dialect: Dialect) -> Statements:
    """Every write is either new by its key or says the whole truth again: repeating it does no harm."""
    insert: Any = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    see = insert(sighting)
    count = insert(probe_minute)
    return Statements(
        owe=canary.insert(),
        open_window=insert(window_report).on_conflict_do_nothing(),
        answer=_by_id(canary, ANSWER),
        judge=_by_id(canary, VERDICT),
        see=see.on_conflict_do_update(
            index_elements=list(sighting.primary_key),
            set_={c.name: see.excluded[c.name] for c in sighting.columns if not c.primary_key},
            where=see.excluded.copies >= sighting.c.copies,
        ),
        cover=_replacing(insert(coverage), coverage),
        place=_replacing(insert(consumer_position), consumer_position),
        settle=_replacing(insert(window_report), window_report),
        count=count.on_conflict_do_update(
            index_elements=list(probe_minute.primary_key),
            set_={name: probe_minute.c[name] + count.excluded[name] for name in COUNTS},
        ),
        remember=_replacing(insert(remembered), remembered),
    )


def _by_id(table: Table, names: Sequence[str]) -> Update:
    key = bindparam("key_id", type_=table.c.id.type)
    return update(table).where(table.c.id == key).values({name: bindparam(name) for name in names})


def _replacing(insert: Any, table: Table) -> Insert:
    changed = {c.name: insert.excluded[c.name] for c in table.columns if not c.primary_key}
    done: Insert = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
    return done


class Step:
    """What can be written down. Made by `Ledger.step`, and only good inside it."""

    def __init__(self, connection: Connection, *, statements: Statements, memory: Memory) -> None:
        self.connection = connection
        self._statements = statements
        self._memory = memory

    def record_sent(self, owed: Sequence[Owed]) -> None:
        """Canaries about to be sent; an id that is already owed fails the whole step."""
        windows = {(one.window, one.probe) for one in owed} - self._memory.windows
        if windows:
            self._many(self._statements.open_window, [{"starts_at": s, "probe": p} for s, p in windows])
            self._memory.windows |= windows
        try:
            self._many(self._statements.owe, [rows.owed_row(one) for one in owed])
        except IntegrityError as error:
            raise DuplicateId(f"an id to be sent is owed already (one of {len(owed)})") from error

    def record_answers(self, answers: Iterable[tuple[UUID, Answer]]) -> None:
        """What the ingress said; of an id that was never owed, nothing is kept."""
        self._many(self._statements.answer, [rows.answer_row(id_, answer) for id_, answer in answers])

    def record_judged(self, judged: Iterable[Judged]) -> None:
        """Outcomes as they stand now; of an id that was never owed, nothing is kept."""
        self._many(self._statements.judge, [rows.judged_row(one) for one in judged])

    def record_look(
        self,
        stage: str,
        *,
        seen: Iterable[Seen] = (),
        coverage: Iterable[Coverage] = (),
        positions: Iterable[Position] = (),
    ) -> None:
        """What one look at a stage brought. A sighting told again replaces the first unless it knows of
        fewer copies; coverage that joins on extends its interval; positions are kept where they change."""
        self._many(self._statements.see, [rows.seen_row(one) for one in seen])
        self._many(self._statements.cover, self._covered(stage, coverage))
        self._many(self._statements.place, self._placed(stage, positions))

    def record_windows(self, reports: Iterable[WindowReport]) -> None:
        """Reports of settled or amended windows; each replaces what stood."""
        self._many(self._statements.settle, [rows.window_row(report) for report in reports])

    def add_minutes(self, minutes: Iterable[Minute]) -> None:
        """Counts are added to what the minutes already hold."""
        self._many(self._statements.count, [rows.minute_row(minute) for minute in minutes])

    def set_value(self, key: str, value: Any) -> None:
        """Anything small that JSON can carry."""
        self._many(self._statements.remember, [{"key": key, "value": value}])

    def _many(self, statement: Insert | Update, values: list[rows.Values]) -> None:
        if values:
            self.connection.execute(statement, values)

    def _covered(self, stage: str, told: Iterable[Coverage]) -> list[rows.Values]:
        known = self._memory.coverage(stage, self.connection)
        changed: dict[tuple[Partition, datetime], rows.Values] = {}
        for one in told:
            where = (one.place, one.partition)
            last = known.get(where)
            if last is not None and one.until < last.since:
                self._forget_after(stage, where, one.until)
                last = None
            interval = one if last is None else joined(last, one)
            known[where] = interval
            changed[where, interval.since] = rows.coverage_row(stage, interval)
        return list(changed.values())

    def _forget_after(self, stage: str, where: Partition, until: datetime) -> None:
        """The clock was set back while we were stopped: what was covered "later" is of no use any more."""
        place, partition = where
        of_partition = (
            (coverage.c.stage == stage)
            & (coverage.c.place == place)
            & (coverage.c.partition_number == partition)
        )
        self.connection.execute(delete(coverage).where(of_partition, coverage.c.since > until))

    def _placed(self, stage: str, told: Iterable[Position]) -> list[rows.Values]:
        known = self._memory.positions(stage, self.connection)
        changed = []
        for one in told:
            where, read = (one.place, one.partition), Read(one.read_at, (one.committed, one.log_start))
            last = known.get(where)
            if last is not None and last.said == read.said and last.at <= read.at:
                continue
            if last is not None and last.at > read.at:
                self._unsay_after(stage, where, read.at)
            known[where] = read
            changed.append(rows.position_row(stage, one))
        return changed

    def _unsay_after(self, stage: str, where: Partition, at: datetime) -> None:
        place, partition = where
        table = consumer_position.c
        of_partition = (table.stage == stage) & (table.place == place) & (table.partition_number == partition)
        self.connection.execute(delete(consumer_position).where(of_partition, table.read_at > at))


def joined(last: Coverage, told: Coverage) -> Coverage:
    """The last interval of a partition with a new one, or the new one alone where there is a gap."""
    if told.since > last.until or (told.expired and told.since > last.since):
        return told
    return Coverage(
        place=told.place,
        partition=told.partition,
        since=last.since,
        until=max(last.until, told.until),
        next_offset=told.next_offset,
        expired=last.expired + told.expired,
    )
