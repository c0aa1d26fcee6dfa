"""Which leaders are known to know how far their partitions reach.

The watermark of a leader just elected may lie below its predecessor's, and what was readable before is then
missing from its answers, for a second or so. It refuses to name its latest offset for as long (KIP-207); so
each new leadership is asked for that once, ahead of the first fetch on the same connection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from canary.edges.kafka import requests
from canary.edges.kafka.client import Client, Pending, TroubleError
from canary.edges.kafka.requests import Place

Leadership = tuple[int, int]
"""A broker and the epoch in which it leads."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether `node` knows the ends of what it leads; `asked` by leadership, the rest is known."""

    known: frozenset[Place]
    asked: Mapping[Place, Leadership]
    pending: Pending[Mapping[Place, int]] | None


@dataclass(slots=True)
class Leaderships:
    """The leadership of each partition that has named its latest offset."""

    _known: dict[Place, Leadership] = field(default_factory=dict)

    def ask(self, client: Client, node: int, epochs: Mapping[Place, int]) -> Question:
        """Ask `node`, which leads these partitions, for what it has not told yet; fetch after this."""
        now: Mapping[Place, Leadership] = {place: (node, epoch) for place, epoch in epochs.items()}
        known = frozenset(place for place, leadership in now.items() if self._known.get(place) == leadership)
        asked = {place: leadership for place, leadership in now.items() if place not in known}
        places: Sequence[Place] = list(asked)
        pending = client.begin(requests.offsets, client, node, places, requests.LATEST) if asked else None
        return Question(known, asked, pending)

    def answered(self, question: Question) -> frozenset[Place]:
        """The partitions whose watermark could be trusted in a fetch sent right after the question."""
        if question.pending is None or not question.pending.done:
            return question.known
        try:
            told = question.pending.result()
        except TroubleError:  # the fetch behind it says what is wrong
            return question.known
        self._known.update({place: question.asked[place] for place in told if place in question.asked})
        return question.known | told.keys()
