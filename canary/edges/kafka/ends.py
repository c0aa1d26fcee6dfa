"""How far topics reach: their next offsets, and nothing read."""

from canary.counted import CounterTroubleError
from canary.edges.kafka.client import TroubleError
from canary.edges.kafka.ranges import RangeReader
from canary.edges.kafka.stage import Settings


class TopicEnds:
    """A topic and its alternates: where an ingress may put what it has taken in."""

    def __init__(self, settings: Settings) -> None:
        self._topics = (settings.topic, *settings.alternates)
        self._reader = RangeReader(settings.access, self._topics)

    def ends(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> next offset. Raises CounterTroubleError, also for want of a leader."""
        try:
            found: dict[tuple[str, int], int] = {}
            for topic in self._topics:
                bounds = self._reader.bounds(topic)
                if missing := [p for p in self._reader.topic(topic).leaders if p not in bounds]:
                    raise CounterTroubleError(f"topic {topic}: partition {missing[0]} has no leader")
                found |= {(topic, partition): held.end for partition, held in bounds.items()}
            return found
        except TroubleError as trouble:
            raise CounterTroubleError(str(trouble)) from None

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
