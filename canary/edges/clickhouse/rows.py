"""Turns rows as text into sightings. Pure: whatever stands in a row is data, nothing here raises for it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2s
from uuid import UUID

from canary.edges.clickhouse.schema import Shape
from canary.edges.times import utc
from canary.values import Content, Sighting

Row = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Seeing:
    """What every sighting of one answer shares; `missed` is the last look that did not show an id,
    `guessed` the same where it was asked for under certain tenants only; `contents`: were asked for."""

    stage: str
    shape: Shape
    seen_at: datetime
    side: str = ""
    contents: bool = True
    missed: Mapping[UUID, datetime] = field(default_factory=dict)
    guessed: Mapping[UUID, tuple[datetime, AbstractSet[str]]] = field(default_factory=dict)

    def not_before(self, id_: UUID, tenant: str | None) -> datetime | None:
        """When it was surely not there yet."""
        asked_at, tenants = self.guessed.get(id_, (None, frozenset()))
        return asked_at if tenant in tenants else self.missed.get(id_)


@dataclass(frozen=True, slots=True)
class Found:
    """The sightings of one answer, what was odd about its rows, and the tenant of each distinct_id."""

    sightings: tuple[Sighting, ...]
    counts: Mapping[str, int]
    tenants: Mapping[str, str]


def found(rows: Sequence[Row], asked: AbstractSet[UUID], *, seeing: Seeing, rows_per_id: int) -> Found:
    """Sightings of the ids that were asked for, rows of one id in the order in which they came to be."""
    counts: Counter[str] = Counter(rows=len(rows))
    per_id: Counter[UUID] = Counter()
    groups: Counter[tuple[UUID, str]] = Counter()
    twins: Counter[tuple[UUID, str]] = Counter()
    tenants: dict[str, str] = {}
    sightings = []
    for group, row in sorted(((_group(row), row) for row in rows), key=_age):
        id_ = _uuid(row.get("id"))
        if id_ is None or id_ not in asked:
            counts["not_asked"] += 1
            continue
        per_id[id_] += 1
        if per_id[id_] > rows_per_id:
            counts["rows_beyond_limit"] += 1
            continue
        name = _name(row, group)
        groups[id_, group] += 1
        twins[id_, name] += 1
        copy = f" copy={twins[id_, name]}" if twins[id_, name] > 1 else ""
        sightings.append(
            _sighting(
                row, id_, seeing, name=name + copy, mergeable=seeing.shape.merges and groups[id_, group] > 1
            )
        )
        _count_odd(row, sightings[-1], counts)
        tenant, who = row.get("tenant"), row.get("distinct_id")
        if tenant is not None and who is not None:
            tenants[who] = tenant
    return Found(tuple(sightings), dict(counts), tenants)


def moment(text: str | None) -> datetime | None:
    """A time as ClickHouse writes it, in UTC; None where it is no time."""
    return utc(text) if text else None


def _sighting(row: Row, id_: UUID, seeing: Seeing, *, name: str, mergeable: bool) -> Sighting:
    return Sighting(
        id=id_,
        stage=seeing.stage,
        place=seeing.shape.place,
        seen_at=seeing.seen_at,
        not_before=seeing.not_before(id_, row.get("tenant")),
        partition=_number(row.get("partition")),
        offset=_number(row.get("offset")),
        row=name,
        at=moment(row.get("at")),
        content=_content(row) if seeing.contents else None,
        side=seeing.side,
        reason=row.get("reason") or "",
        mergeable=mergeable,
    )


def _content(row: Row) -> Content:
    return Content(
        event=row.get("event"),
        distinct_id=row.get("distinct_id"),
        timestamp=moment(row.get("timestamp")),
        properties=_properties(row.get("properties")),
    )


def _properties(text: str | None) -> Mapping[str, object] | None:
    if text is None:
        return None
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _count_odd(row: Row, sighting: Sighting, counts: Counter[str]) -> None:
    content = sighting.content
    if content is not None and row.get("properties") and content.properties is None:
        counts["unparsable"] += 1
    for name, value in (("at", sighting.at), ("partition", sighting.partition), ("offset", sighting.offset)):
        if row.get(name) and value is None:
            counts["wrong_type"] += 1
    if row.get("timestamp") and content is not None and content.timestamp is None:
        counts["wrong_type"] += 1


def _age(grouped: tuple[str, Row]) -> tuple[str, str, int, int, str]:
    """Oldest first, and always the same order for the same rows."""
    group, row = grouped
    return (
        row.get("id") or "",
        row.get("at") or "",
        _number(row.get("partition")) or 0,
        _number(row.get("offset")) or 0,
        group,
    )


def _group(row: Row) -> str:
    """What a merge compares: shard, partition of the table, sorting key."""
    key = row.get("key")
    if key is None:
        key = json.dumps([row.get("event"), row.get("distinct_id"), row.get("timestamp")])
    return f"{row.get('shard') or ''}|{row.get('part') or ''}|{key}"


def _name(row: Row, group: str) -> str:
    """One row's own name: the same at every look, and another for every other row but an identical twin."""
    parts = {
        "shard": row.get("shard"),
        "part": (row.get("part") or "").strip("()"),
        "day": (row.get("timestamp") or "")[:10],
        "key": blake2s(group.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest(),
        "offset": row.get("offset"),
    }
    if row.get("partition") is not None and row.get("offset") is not None:
        parts["offset"] = f"{row.get('partition')}@{row.get('offset')}"
    return " ".join(f"{name}={value}" for name, value in parts.items() if value)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None
