"""What the answers to an audit's questions mean: rows of text in, values out. Pure."""

from collections.abc import Iterable, Sequence

from canary.edges.clickhouse.rows import Row
from canary.traffic import Strays, Twice
from reconcile.offsets import BLOCK, Block, Range


def block(row: Row) -> Block:
    """Of `audit_sql.blocks`."""
    partition, number, rows, distinct = (
        int(row[name] or 0) for name in ("partition", "number", "rows", "distinct")
    )
    told = row["gaps"] or ""
    first = number * BLOCK
    gaps = [
        Range(partition, first + int(start), first + int(end))
        for start, end in (text.split("-") for text in told.split() if text != "?")
    ]
    return Block(partition, number, rows, distinct, None if told == "?" else tuple(gaps))


def spellings(ids: Iterable[str]) -> dict[str, str]:
    """How else text may spell these UUIDs -> the id."""
    return {
        text: one
        for one in ids
        if looks_like_uuid(one)
        for text in (one.upper(), one.replace("-", ""), one.replace("-", "").upper())
    }


def looks_like_uuid(text: str) -> bool:
    """In the one spelling that an audit knows."""
    return len(text) == 36 and set(text) <= set("0123456789abcdef-")


def twice(row: Row) -> Twice:
    """Of `audit_sql.twice`."""
    first = [tuple(map(int, text.split(":"))) for text in (row.get("first") or "").split()]
    return Twice(
        mergeable=int(row.get("mergeable") or 0),
        permanent=int(row.get("permanent") or 0),
        strangers=int(row.get("strangers") or 0),
        first=[Range(p, o, o + 1) for p, o in first if p >= 0],
    )


def strays(rows: Iterable[Row], ends: Sequence[Range]) -> Strays:
    """Of `audit_sql.strays`."""
    known = {one.partition for one in ends}
    told = [
        (_number(row["partition"]), {k: int(v or 0) for k, v in row.items() if k != "partition"})
        for row in rows
    ]
    return Strays(
        no_offset=sum(n["rows"] if p is None else n["no_offset"] for p, n in told),
        no_partition=sum(n["rows"] for p, n in told if p is not None and p not in known),
        other_topic=sum(n["other_topic"] for p, n in told if p in known),
        beyond={p: n["beyond"] for p, n in told if p in known and p is not None and n["beyond"]},
        highest={p: n["highest"] for p, n in told if p in known and p is not None},
    )


def after(piece: Range, last: Range) -> Range:
    """What of a piece comes at or after a gap in the order of the search."""
    if (piece.partition, piece.end) <= (last.partition, last.start):
        return Range(piece.partition, piece.end, piece.end)
    start = last.start if piece.partition == last.partition else piece.start
    return piece.clip(start, piece.end)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
