"""Table against table: by day and by hash of the id, going down only where the two differ.

For a migration or a reshard. Rows that arrive meanwhile are no difference: what is missing is asked for once
more, on any day, before it is called so.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from canary.compared import Portion, Span, TableTroubleError
from reconcile.tables import Bucket, Differences, Row, compare, differing, held, portions

BITS = 8
DEEPEST = 40
SHOWN = 20
_SPLITS: Mapping[timedelta, timedelta] = {
    timedelta(days=1): timedelta(hours=1),
    timedelta(hours=1): timedelta(minutes=5),
}


class Table(Protocol):
    """One side. Raises `TableTroubleError`."""

    name: str

    def columns(self) -> Mapping[str, str]:
        """Name -> type of what may be compared."""
        ...

    def days(self, span: Span | None) -> Mapping[date | None, int]:
        """Rows by the UTC day of their own timestamp; None for those that have none."""
        ...

    def buckets(self, portion: Portion, columns: Sequence[str], *, bits: int) -> Mapping[int, Bucket]:
        """The portion in buckets by so many bits of the id's hash."""
        ...

    def rows(self, portion: Portion, columns: Sequence[str], *, most: int) -> Mapping[str, Row]:
        """The portion id by id; more than `most` ids are over budget."""
        ...

    def present(self, ids: Sequence[str], span: Span | None) -> Mapping[str, AbstractSet[date]]:
        """Which of these ids have a row, whatever its time; and the days on which they have one in a span."""
        ...

    def fields(self, ids: Sequence[str], columns: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """For each id the hash of each column, of its row with the least content hash."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What to compare: a time (None: all), which columns (None: those in common), and the limits.

    Parameters
    ----------
    ids: the most ids that are fetched at once.
    queries: the most questions to each side for one day.
    """

    span: Span | None = None
    columns: tuple[str, ...] | None = None
    ignore: AbstractSet[str] = frozenset()
    ids: int = 20_000
    queries: int = 200


@dataclass
class Day:
    """One day: rows on both sides, and what differs; `unaudited` says what was not compared, and why."""

    day: date
    left: int
    right: int
    found: Differences = field(default_factory=Differences)
    unaudited: list[str] = field(default_factory=list)


@dataclass
class Compared:
    """The whole answer. `moved` are ids that the other side has on another day; `timeless` rows have no time,
    and were not compared; `fields` counts columns."""

    left: str
    right: str
    columns: Sequence[str]
    days: list[Day] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    timeless: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def total(self) -> Differences:
        """Of all days."""
        whole = Differences()
        for day in self.days:
            whole.add(day.found)
        return whole

    @property
    def exit_code(self) -> int:
        """2 where they differ, 3 where a part could not be compared, 1 where only copies do, 0 the same."""
        whole = self.total()
        if whole.missing_left or whole.missing_right or whole.content or self.moved:
            return 2
        if self.timeless or any(day.unaudited for day in self.days):
            return 3
        return 1 if whole.copies else 0

    def as_json(self) -> dict[str, Any]:
        """Counts of everything, and the first ids of each kind."""
        whole = self.total()
        kinds = {
            "missing_left": whole.missing_left,
            "missing_right": whole.missing_right,
            "content": whole.content,
            "copies": whole.copies,
            "moved": self.moved,
        }
        return {
            "schema": 1,
            "exit_code": self.exit_code,
            "left": self.left,
            "right": self.right,
            "columns": list(self.columns),
            "rows": {"left": sum(d.left for d in self.days), "right": sum(d.right for d in self.days)},
            "differences": {name: {"count": len(ids), "ids": ids[:SHOWN]} for name, ids in kinds.items()},
            "fields": self.fields,
            "days": [
                {"day": d.day.isoformat(), "left": d.left, "right": d.right, "unaudited": d.unaudited}
                for d in self.days
            ],
            "notes": self.notes,
        }


class Comparing:
    """Compares two tables once. Raises `TableTroubleError` where one cannot be asked at all, ValueError where
    a wished column is not in both."""

    def __init__(self, left: Table, right: Table, wish: Wish) -> None:
        self._left = left
        self._right = right
        self._wish = wish
        self._asked = 0
        self._columns: Sequence[str] = ()

    def run(self) -> Compared:
        """Day by day; then once more what is missing, and the columns of what differs."""
        self._columns = self._common()
        done = Compared(self._left.name, self._right.name, self._columns)
        left, right = dict(self._left.days(self._wish.span)), dict(self._right.days(self._wish.span))
        done.timeless = left.pop(None, 0) + right.pop(None, 0)
        if done.timeless:
            done.notes.append(f"{done.timeless} rows of both have no time: they were not compared")
        for number in sorted(day for day in left.keys() | right.keys() if day is not None):
            day = Day(number, left.get(number, 0), right.get(number, 0))
            done.days.append(day)
            self._asked = 0
            self._span(_span_of(number, self._wish.span), timedelta(days=1), day)
        self._ask_again(done)
        self._name_fields(done)
        return done

    def _common(self) -> Sequence[str]:
        left, right = self._left.columns(), self._right.columns()
        common = [name for name in left if name in right and name not in self._wish.ignore]
        if self._wish.columns is None:
            return common
        unknown = [name for name in self._wish.columns if name not in left or name not in right]
        if unknown:
            raise ValueError(f"columns: must be in both tables (got {', '.join(unknown)})")
        return self._wish.columns

    def _span(self, span: Span, width: timedelta, day: Day) -> None:
        """A span over budget is cut into smaller ones; one that cannot be cut is told as unaudited."""
        try:
            self._compare(Portion(span), day)
        except TableTroubleError as trouble:
            smaller = _SPLITS.get(width)
            if not trouble.over_budget or smaller is None:
                day.unaudited.append(f"{_clock(span)}: {trouble.reason}")
                return
            start = span.start
            while start < span.end:
                end = min(start + smaller, span.end)
                self._span(Span(start, end), smaller, day)
                start = end

    def _compare(self, portion: Portion, day: Day) -> None:
        """All buckets at once; then the ids of those that differ, or their own buckets first."""
        found = Differences()
        left, right = self._buckets(portion)
        bits = portion.bits + BITS
        for keys in portions(differing(left, right), left, right, most=self._wish.ids):
            some = Portion(portion.span, bits, tuple(keys))
            if self._asked >= self._wish.queries:
                rows = sum(held(key, left, right) for key in keys)
                day.unaudited.append(
                    f"{_clock(portion.span)}: {rows} rows differ in part; not looked into further"
                )
            elif sum(held(key, left, right) for key in keys) > self._wish.ids and bits < DEEPEST:
                self._compare(some, day)
            else:
                found.add(self._rows(some))
        day.found.add(found)

    def _buckets(self, portion: Portion) -> tuple[Mapping[int, Bucket], Mapping[int, Bucket]]:
        self._asked += 1
        bits = portion.bits + BITS
        return (
            self._left.buckets(portion, self._columns, bits=bits),
            self._right.buckets(portion, self._columns, bits=bits),
        )

    def _rows(self, portion: Portion) -> Differences:
        self._asked += 1
        most = self._wish.ids
        left = self._left.rows(portion, self._columns, most=most)
        return compare(left, self._right.rows(portion, self._columns, most=most))

    def _ask_again(self, done: Compared) -> None:
        """What is there by now, or lies on another day, is not missing."""
        whole = done.total()
        for table, missing in ((self._left, whole.missing_left), (self._right, whole.missing_right)):
            there: dict[str, AbstractSet[date]] = {}
            try:
                for start in range(0, len(missing), 1000):
                    there |= table.present(missing[start : start + 1000], self._wish.span)
            except TableTroubleError as trouble:
                done.notes.append(f"{table.name}: what is missing was not asked for again ({trouble.reason})")
            other = set(whole.missing_right if table is self._left else whole.missing_left)
            moved = {one for one, days in there.items() if one in other or not days}
            done.moved = sorted({*done.moved, *moved})
            for day in done.days:
                mine = day.found.missing_left if table is self._left else day.found.missing_right
                found = [one for one in mine if one in there and one not in moved]
                mine[:] = [one for one in mine if one not in there]
                done.late += [one for one in found if day.day in there[one]]
                # on another day this side has it too: the other side has a row more
                day.found.copies += [one for one in found if day.day not in there[one]]
        done.late.sort()

    def _name_fields(self, done: Compared) -> None:
        ids = done.total().content[:SHOWN]
        if not ids:
            return
        try:
            left = self._left.fields(ids, self._columns)
            right = self._right.fields(ids, self._columns)
        except TableTroubleError as trouble:
            done.notes.append(f"which columns differ could not be asked ({trouble.reason})")
            return
        for one in ids:
            for column in self._columns:
                if left.get(one, {}).get(column) != right.get(one, {}).get(column):
                    done.fields[column] = done.fields.get(column, 0) + 1


def _span_of(day: date, within: Span | None) -> Span:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    return Span(start, end) if within is None else Span(max(start, within.start), min(end, within.end))


def _clock(span: Span) -> str:
    return f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M}"
