"""Two tables against each other, in buckets of a hash of the id: which buckets differ, and which ids.

A bucket's sums wrap at 64 bits and do not depend on the order of rows. Sums rather than exclusive ors, under
which two copies of a row would cancel each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many rows, and the sums of the hashes of their ids and of their content."""

    rows: int
    ids: int
    content: int


@dataclass(frozen=True, slots=True)
class Row:
    """One id: its rows, and the least and the greatest hash of their content."""

    copies: int
    low: int
    high: int


@dataclass
class Differences:
    """Ids that one side lacks, whose content differs, or that have another number of copies."""

    missing_left: list[str] = field(default_factory=list)
    missing_right: list[str] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)

    def add(self, other: "Differences") -> None:
        """Take in what was found elsewhere."""
        self.missing_left += other.missing_left
        self.missing_right += other.missing_right
        self.content += other.content
        self.copies += other.copies


EMPTY = Bucket(0, 0, 0)


def differing(left: Mapping[int, Bucket], right: Mapping[int, Bucket]) -> list[int]:
    """The buckets that are not the same on both sides, in order."""
    return sorted(key for key in left.keys() | right.keys() if left.get(key, EMPTY) != right.get(key, EMPTY))


def held(key: int, left: Mapping[int, Bucket], right: Mapping[int, Bucket]) -> int:
    """The rows of a bucket, of the side that has more."""
    return max(left.get(key, EMPTY).rows, right.get(key, EMPTY).rows)


def portions(
    keys: Sequence[int], left: Mapping[int, Bucket], right: Mapping[int, Bucket], *, most: int
) -> list[list[int]]:
    """Buckets put together so that each portion holds at most `most` rows; a larger bucket stands alone."""
    found: list[list[int]] = []
    room = most
    for key in keys:
        rows = held(key, left, right)
        if not found or rows > room:
            found.append([])
            room = most
        found[-1].append(key)
        room -= rows
    return found


def compare(left: Mapping[str, Row], right: Mapping[str, Row]) -> Differences:
    """Id by id, each in at most one list: missing, else other content, else another number of copies."""
    found = Differences()
    for key in sorted(left.keys() | right.keys()):
        one, other = left.get(key), right.get(key)
        if one is None:
            found.missing_left.append(key)
        elif other is None:
            found.missing_right.append(key)
        elif (one.low, one.high) != (other.low, other.high):
            found.content.append(key)
        elif one.copies != other.copies:
            found.copies.append(key)
    return found
