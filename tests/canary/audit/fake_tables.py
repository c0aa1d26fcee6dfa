"""A table in memory as one side of a comparison."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime

from canary.compared import Portion, Span, TableTroubleError
from reconcile.tables import Bucket, Row

_WRAP = 1 << 64


@dataclass(frozen=True)
class Stored:
    """One row."""

    id: str
    at: datetime
    values: tuple[tuple[str, str], ...] = (("event", "x"),)


def hashed(*texts: str) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(texts).encode(), digest_size=8).digest())


@dataclass
class FakeTable:
    """`budget` is the most rows that one question may touch; `names` are its columns."""

    name: str
    stored: list[Stored]
    names: tuple[str, ...] = ("event",)
    budget: int = 1_000_000
    asked: Counter[str] = field(default_factory=Counter)
    later: list[Stored] = field(default_factory=list)

    def columns(self) -> Mapping[str, str]:
        return dict.fromkeys(self.names, "String")

    def days(self, span: Span | None) -> Mapping[date | None, int]:
        found: Counter[date | None] = Counter(
            row.at.date() for row in self.stored if span is None or span.start <= row.at < span.end
        )
        return dict(found)

    def buckets(self, portion: Portion, columns: Sequence[str], *, bits: int) -> Mapping[int, Bucket]:
        self.asked["buckets"] += 1
        found: dict[int, list[Stored]] = defaultdict(list)
        for row in self._in(portion):
            found[hashed(row.id) & ((1 << bits) - 1)].append(row)
        return {
            key: Bucket(
                len(rows),
                sum(hashed(row.id) for row in rows) % _WRAP,
                sum(_content(row, columns) for row in rows) % _WRAP,
            )
            for key, rows in found.items()
        }

    def rows(self, portion: Portion, columns: Sequence[str], *, most: int) -> Mapping[str, Row]:
        self.asked["rows"] += 1
        found: dict[str, list[int]] = defaultdict(list)
        for row in self._in(portion):
            found[row.id].append(_content(row, columns))
        if len(found) > most:
            raise TableTroubleError("too many ids", over_budget=True)
        return {id_: Row(len(all_), min(all_), max(all_)) for id_, all_ in found.items()}

    def present(self, ids: Sequence[str], span: Span | None) -> Mapping[str, AbstractSet[date]]:
        self.stored, self.later = self.stored + self.later, []
        found: dict[str, set[date]] = {row.id: set() for row in self.stored if row.id in ids}
        for row in self.stored:
            if row.id in found and (span is None or span.start <= row.at < span.end):
                found[row.id].add(row.at.date())
        return found

    def fields(self, ids: Sequence[str], columns: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        first = {row.id: row for row in reversed(self.stored) if row.id in ids}
        return {
            id_: {name: hashed(dict(row.values).get(name, "")) for name in columns}
            for id_, row in first.items()
        }

    def _in(self, portion: Portion) -> list[Stored]:
        span = [row for row in self.stored if portion.span.start <= row.at < portion.span.end]
        if len(span) > self.budget:
            raise TableTroubleError(f"{len(span)} rows are over budget", over_budget=True)
        mask = (1 << portion.bits) - 1
        return [row for row in span if not portion.bits or hashed(row.id) & mask in portion.keys]


def _content(row: Stored, columns: Sequence[str]) -> int:
    values = dict(row.values)
    return hashed(*(values.get(name, "") for name in columns))
