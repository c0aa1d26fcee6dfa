"""Ranges of a topic's offsets: cut, joined, counted in blocks. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

BLOCK = 65_536
"""Offsets are counted in blocks of this many, so that one lost event costs a search in one block."""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """Offsets of one partition, half-open."""

    partition: int
    start: int
    end: int

    @property
    def size(self) -> int:
        return max(self.end - self.start, 0)

    def clip(self, start: int, end: int) -> "Range":
        """What of it lies within `[start, end)`; of size 0 where nothing does."""
        first = min(max(self.start, start), max(self.end, self.start))
        return Range(self.partition, first, max(min(self.end, end), first))

    def __str__(self) -> str:
        return f"{self.partition}:{self.start}-{self.end - 1}"

    @classmethod
    def of(cls, told: str) -> "Range":
        """The range that is written so. ValueError where none is."""
        partition, _, offsets = told.partition(":")
        first, _, last = offsets.partition("-")
        return cls(int(partition), int(first), int(last) + 1)


@dataclass(frozen=True, slots=True)
class Block:
    """What a table has of the offsets `[number * BLOCK, (number + 1) * BLOCK)` of a partition.

    `gaps` are those of its offsets in the window without a row; None where they were not told.
    """

    partition: int
    number: int
    rows: int
    distinct: int
    gaps: tuple[Range, ...] | None = None


def suspects(window: Iterable[Range], blocks: Iterable[Block]) -> list[Range]:
    """The parts of a window, a block each at most, of which a table lacks something, in order."""
    counted = {(block.partition, block.number): block for block in blocks}
    found: list[Range] = []
    for part in sorted(window):
        for piece in _pieces(part):
            block = counted.get((part.partition, piece.start // BLOCK))
            if block is None or block.distinct < piece.size:
                found.append(piece)
    return found


def lacking(window: Iterable[Range], blocks: Sequence[Block]) -> tuple[list[Range], list[Range]]:
    """The gaps of a window that its blocks tell, joined; and the pieces that must be searched for theirs."""
    counted = {(block.partition, block.number): block for block in blocks}
    gaps: list[Range] = []
    pieces: list[Range] = []
    for piece in suspects(window, blocks):
        block = counted.get((piece.partition, piece.start // BLOCK))
        if block is None:
            gaps.append(piece)
        elif block.gaps is None:
            pieces.append(piece)
        else:
            gaps += block.gaps
    return joined(gaps), pieces


def _pieces(part: Range) -> Iterator[Range]:
    start = part.start
    while start < part.end:
        end = min((start // BLOCK + 1) * BLOCK, part.end)
        yield Range(part.partition, start, end)
        start = end


def repeated(blocks: Iterable[Block]) -> dict[tuple[int, int], int]:
    """The blocks (partition, number) that have more rows than offsets, and how many more."""
    return {(b.partition, b.number): b.rows - b.distinct for b in blocks if b.rows > b.distinct}


def joined(ranges: Iterable[Range]) -> list[Range]:
    """The same offsets as sorted, disjoint ranges that do not touch; empty ones are gone."""
    found: list[Range] = []
    for one in sorted(each for each in ranges if each.size):
        last = found[-1] if found else None
        if last is not None and last.partition == one.partition and one.start <= last.end:
            found[-1] = Range(last.partition, last.start, max(last.end, one.end))
        else:
            found.append(one)
    return found


def within(window: Sequence[Range], ranges: Iterable[Range]) -> list[Range]:
    """What of some ranges lies in the window, joined."""
    parts = {part.partition: part for part in window}
    return joined(
        one.clip(part.start, part.end) for one in ranges if (part := parts.get(one.partition)) is not None
    )


def budgeted(gaps: Sequence[Range], budget: int) -> tuple[list[Range], list[Range]]:
    """The first gaps that together hold no more than `budget` offsets, and what is left over."""
    taken: list[Range] = []
    left: list[Range] = []
    for gap in gaps:
        end = min(gap.end, gap.start + max(budget, 0))
        taken.append(Range(gap.partition, gap.start, end))
        left.append(Range(gap.partition, end, gap.end))
        budget -= end - gap.start
    return joined(taken), joined(left)


def appended(window: Iterable[Range]) -> int:
    """How many offsets a window has."""
    return sum(part.size for part in window)


def holes(window: Iterable[Range], there: Iterable[Range]) -> list[Range]:
    """What of a window none of these ranges holds, joined."""
    found: list[Range] = []
    present = joined(there)
    for part in window:
        at = part.start
        for one in present:
            if one.partition == part.partition:
                found.append(Range(part.partition, at, min(max(one.start, at), part.end)))
                at = max(at, one.end)
        found.append(Range(part.partition, at, part.end))
    return joined(found)
