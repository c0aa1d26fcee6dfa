"""Samples a topic, its alternates and its dead letters between two offsets, by a hash of the event's id."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from canary.edges.kafka.batches import Record
from canary.edges.kafka.client import TroubleError
from canary.edges.kafka.likeness import identity
from canary.edges.kafka.ranges import RangeReader
from canary.edges.kafka.stage import Settings
from canary.edges.kafka.traffic import EVERYTHING, dropped
from canary.sampled import Place, Sample, TopicTroubleError
from reconcile.sampling import chosen
from reconcile.traffic import Policy


class SampledTopic:
    """One thread. What the pipeline drops by `policy` is in no sample. Raises `TopicTroubleError`, whatever
    went wrong outside."""

    def __init__(
        self, settings: Settings, *, id_fields: Sequence[str] = (), policy: Policy = EVERYTHING
    ) -> None:
        self.name = settings.name
        self._group = settings.next_group
        self._fields = id_fields
        self._policy = policy
        self._topics = (settings.topic, *settings.alternates)
        self._letters = settings.dead_letters
        self._reader = RangeReader(settings.access, (*self._topics, *self._letters))

    def ends(self, *, letters: bool = False) -> Mapping[Place, int]:
        """The next offset of every partition, of the stage's topics or of its dead letters."""
        found: dict[Place, int] = {}
        try:
            for topic in self._letters if letters else self._topics:
                bounds = self._reader.bounds(topic)
                for partition in self._reader.topic(topic).leaders:
                    if partition not in bounds:
                        raise TopicTroubleError(f"topic {topic}: partition {partition} has no leader")
                    found[(topic, partition)] = bounds[partition].end
        except TroubleError as trouble:
            raise TopicTroubleError(str(trouble)) from None
        return found

    def positions(self) -> Mapping[Place, int | None]:
        """Where the consumer behind it goes on; empty where nobody knows its group."""
        if self._group is None:
            return {}
        try:
            return {
                (topic, partition): offset
                for topic in self._topics
                for partition, offset in self._reader.committed(self._group, topic).items()
            }
        except TroubleError as trouble:
            raise TopicTroubleError(str(trouble)) from None

    def sample(
        self, starts: Mapping[Place, int], ends: Mapping[Place, int], *, share: float, budget: int
    ) -> Sample:
        """The sample between two sets of offsets, a place at a time; a place without a start is new."""
        found: dict[UUID, dict[Place, int]] = defaultdict(dict)
        following = {place: starts.get(place, 0) for place in ends}
        read, nameless, gaps = 0, 0, []

        def visit(partition: int, record: Record) -> bool:
            nonlocal nameless
            id_ = identity(record, self._fields)
            nameless += id_ is None
            if id_ is not None and chosen(id_.bytes, share) and not dropped(record, self._policy):
                found[id_][(topic, partition)] = record.offset
            return False

        try:
            for topic in sorted({name for name, _ in ends}):
                ranges = {p: (following[name, p], end) for (name, p), end in ends.items() if name == topic}
                reach = self._reader.read(topic, ranges, visit, budget=budget - read)
                read += reach.read
                following |= {(topic, p): offset for p, offset in reach.next.items()}
                gaps += [f"{topic} {p}: {why}" for p, why in sorted(reach.gaps.items())]
                gaps += [f"{topic}: {reach.broken} batches could not be unpacked"] if reach.broken else []
        except TroubleError as trouble:
            raise TopicTroubleError(str(trouble)) from None
        return Sample(found, following, read, nameless, "; ".join(gaps[:3]))

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
