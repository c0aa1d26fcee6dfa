"""One transaction of writes: what a step of the watch learned goes to disk together or not at all."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, Dialect, Insert, Table, Update, bindparam, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from canary.described import Change
from canary.ledger import audits, changes, rows
from canary.ledger.engines import raw
from canary.ledger.errors import DuplicateId
from canary.ledger.memory import Memory, Partition, Read
from canary.ledger.tables import (
    audit_window,
    canary,
    consumer_position,
    coverage,
    part_change,
    probe_minute,
    remembered,
    sighting,
    traffic_window,
    window_report,
)
from canary.traffic import AuditWindow, TrafficWindow
from canary.values import Answer, Coverage, Judged, Minute, Owed, Position, Seen, WindowReport

OWED = 10
"""How many of a canary's columns are filled before it is sent."""

ANSWER = ("receipt", "started_at", "answered_at", "tries", "status", "detail")
VERDICT = ("state", "outcome", "final", "judged_at", "hop", "spanned", "flags", "reason", "amended_from")
NOBODY: Mapping[UUID, str] = MappingProxyType({})
COUNTS = ("due", "sent", "refused", "not_visible", "blind")


class Prepared:
    """A statement as text, run with whole rows: SQLAlchemy's own way costs three times the CPU a row.

    SQLite is handed the rows directly; a server's driver through SQLAlchemy, which sees when it has gone.
    """

    def __init__(self, statement: Insert | Update, names: Sequence[str], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        if compiled.positiontup is not None and list(compiled.positiontup) != list(names):
            raise ValueError(
                f"{compiled.positiontup}: not in the order of the rows ({names}). This is a bug."
            )
        self._names = None if compiled.positiontup is not None else names
        self._text = compiled.string

    def run(self, connection: Connection, values: Sequence[rows.Values]) -> None:
        """Once for each row."""
        if not values:
            return
        if self._names is None:
            raw(connection, self._text, values)
        else:
            named = [dict(zip(self._names, row, strict=True)) for row in values]
            connection.exec_driver_sql(self._text, named)


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements that a step repeats, built once for the database at hand."""

    owe: Prepared
    open_window: Prepared
    answer: Prepared
    judge: Prepared
    tell: Prepared
    see: Prepared
    cover: Prepared
    place: Prepared
    settle: Prepared
    count: Prepared
    audit: Prepared
    traffic: Prepared
    change: Prepared
    remember: Prepared


def statements(dialect: Dialect) -> Statements:
    """Every write is either new by its key or says the whole truth again: repeating it does no harm."""
    kind: Callable[[], Dialect] = type(dialect)
    return _compiled(kind)


@cache
def _compiled(kind: Callable[[], Dialect]) -> Statements:
    dialect = kind()
    insert: Any = postgresql.insert if dialect.name == "postgresql" else sqlite.insert

    def replacing(table: Table) -> Prepared:
        new = insert(table)
        changed = {c.name: new.excluded[c.name] for c in table.columns if not c.primary_key}
        return whole_rows(new.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed))

    def whole_rows(statement: Insert) -> Prepared:
        return Prepared(statement, cast("Table", statement.table).columns.keys(), dialect)

    def by_id(names: Sequence[str]) -> Prepared:
        key = bindparam("key_id", type_=canary.c.id.type)
        changed: dict[str, Any] = {name: bindparam(name) for name in names}
        statement = update(canary).where(canary.c.id == key).values(changed)
        return Prepared(statement, [*names, "key_id"], dialect)

    return Statements(
        owe=Prepared(canary.insert(), canary.columns.keys()[:OWED], dialect),
        open_window=Prepared(insert(window_report).on_conflict_do_nothing(), ["starts_at", "probe"], dialect),
        answer=by_id(ANSWER),
        judge=by_id(VERDICT),
        tell=by_id(("counted",)),
        see=whole_rows(_seeing(insert)),
        cover=replacing(coverage),
        place=replacing(consumer_position),
        settle=replacing(window_report),
        count=whole_rows(_counting(insert)),
        audit=replacing(audit_window),
        traffic=replacing(traffic_window),
        change=replacing(part_change),
        remember=replacing(remembered),
    )


def _seeing(insert: Any) -> Insert:
    new = insert(sighting)
    done: Insert = new.on_conflict_do_update(
        index_elements=list(sighting.primary_key),
        set_={c.name: new.excluded[c.name] for c in sighting.columns if not c.primary_key},
        where=new.excluded.copies >= sighting.c.copies,
    )
    return done


def _counting(insert: Any) -> Insert:
    new = insert(probe_minute)
    done: Insert = new.on_conflict_do_update(
        index_elements=list(probe_minute.primary_key),
        set_={name: probe_minute.c[name] + new.excluded[name] for name in COUNTS},
    )
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
            self._statements.open_window.run(self.connection, [rows.owing_row(*window) for window in windows])
            self._memory.opened(windows)
        try:
            self._statements.owe.run(self.connection, [rows.owed_row(one) for one in owed])
        except IntegrityError as error:
            raise DuplicateId(f"an id to be sent is owed already (one of {len(owed)})") from error

    def record_answers(self, answers: Iterable[tuple[UUID, Answer]]) -> None:
        """What the ingress said; of an id that was never owed, nothing is kept."""
        self._statements.answer.run(
            self.connection, [rows.answer_row(id_, answer) for id_, answer in answers]
        )

    def record_judged(self, judged: Iterable[Judged]) -> None:
        """Outcomes as they stand now; of an id that was never owed, nothing is kept."""
        self._statements.judge.run(self.connection, [rows.judged_row(one) for one in judged])

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
        self._statements.see.run(self.connection, [rows.seen_row(one) for one in seen])
        self._statements.cover.run(self.connection, self._covered(stage, coverage))
        self._statements.place.run(self.connection, self._placed(stage, positions))

    def record_windows(self, reports: Iterable[WindowReport]) -> None:
        """Reports of settled or amended windows; each replaces what stood."""
        self._statements.settle.run(self.connection, [rows.window_row(report) for report in reports])

    def add_minutes(self, minutes: Iterable[Minute], counted: Mapping[UUID, str] = NOBODY) -> None:
        """Counts are added to what the minutes already hold; `counted` says who stands for them."""
        self._statements.tell.run(self.connection, [(how, id_.bytes) for id_, how in counted.items()])
        self._statements.count.run(self.connection, [rows.minute_row(minute) for minute in minutes])

    def record_audits(self, windows: Iterable[AuditWindow]) -> None:
        """Audited windows; each replaces what stood."""
        self._statements.audit.run(self.connection, [audits.row_of(window) for window in windows])

    def record_traffic(self, windows: Iterable[TrafficWindow]) -> None:
        """What was seen of the real traffic beside the audits; each replaces what stood."""
        self._statements.traffic.run(self.connection, [audits.traffic_row(window) for window in windows])

    def record_changes(self, found: Iterable[Change]) -> None:
        """What changed in the parts; the same once more is no other change."""
        self._statements.change.run(self.connection, [changes.row_of(change) for change in found])

    def set_value(self, key: str, value: Any) -> None:
        """Anything small that JSON can carry."""
        self._statements.remember.run(self.connection, [rows.value_row(key, value)])

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


def same_topic(last: Coverage, told: Coverage) -> bool:
    """Whether the second is of the topic that the first was of, as far as that is known."""
    return last.topic_id in ("", told.topic_id)


def joined(last: Coverage, told: Coverage) -> Coverage:
    """The last interval of a partition with a new one, or the new one alone where there is a gap."""
    if not same_topic(last, told) or told.since > last.until or (told.expired and told.since > last.since):
        return told
    return replace(  # it ends when told: an earlier time than we had, where a clock was put right
        told, since=last.since, expired=last.expired + told.expired
    )
