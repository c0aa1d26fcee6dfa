"""What passes between the edge of a topic and the comparison of two neighbouring ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

Place = tuple[str, int]
"""Topic and partition."""


class TopicTroubleError(Exception):
    """A topic could not be read; one line, no secrets."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one reading brought.

    `ids` of the sample, each with the furthest offset of its records by place; `next` is where each place
    is read on from; `read` counts messages, `nameless` those without an id; `gap` says why it stopped short.
    """

    ids: Mapping[UUID, Mapping[Place, int]]
    next: Mapping[Place, int]
    read: int
    nameless: int = 0
    gap: str = ""
