"""The world in memory with strangers in it, who write into its stages what looks like canaries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from canary.ask import Stage
from canary.clock import Line
from canary.values import Content, Look, Sighting, Wanted
from tests.chaos.points import PointedStage, unlit
from tests.virtual.edges import VirtualTable
from tests.virtual.pipeline import EVENTS, PARTITIONS, Record
from tests.virtual.world import World


@dataclass(frozen=True, slots=True)
class Forged:
    """One record or row that a stranger wrote: an id, and a content to go with it."""

    id: UUID
    content: Content | None


@dataclass(slots=True)
class Strangers:
    """What they wrote into topics and nobody has read yet, by stage, at offsets of their own."""

    written: dict[str, list[Forged]] = field(default_factory=dict)
    offset: int = 1_000_000

    def write(self, stage: str, *forged: Forged) -> None:
        self.written.setdefault(stage, []).extend(forged)

    def take(self, look: Look) -> Iterator[Sighting]:
        """Into a topic: all of it, once."""
        for forged in self.written.pop(look.stage, ()):
            self.offset += 1
            partition = self.offset % PARTITIONS
            yield Sighting(
                forged.id,
                look.stage,
                look.stage,
                look.ended_at,
                look.started_at,
                partition,
                self.offset,
                content=forged.content,
            )


class HauntedTopic(PointedStage):
    """A topic into which strangers write."""

    def __init__(self, inner: Stage, name: str, strangers: Strangers) -> None:
        super().__init__(inner, name, unlit)
        self._strangers = strangers

    def look(self, wanted: Sequence[Wanted]) -> Look:
        look = super().look(wanted)
        return look if look.blind else replace(look, sightings=[*look.sightings, *self._strangers.take(look)])


@dataclass(slots=True)
class HauntedWorld(World):
    """The real monitor over stages that strangers may write into."""

    strangers: Strangers = field(default_factory=Strangers)

    def _stage(self, name: str, line: Line) -> Stage:
        inner = World._stage(self, name, line)
        return inner if isinstance(inner, VirtualTable) else HauntedTopic(inner, name, self.strangers)

    def content(self, id_: UUID) -> Content:
        """What a canary was sent with."""
        event = self.pipeline.fates[id_].event
        return Content(event.name, event.distinct_id, event.timestamp, dict(event.properties))

    def smuggle(self, stage: str, id_: UUID, mangled: str) -> None:
        """Put a record or row with a canary's id there, which the pipeline takes for its own."""
        record, fate = Record(id_, self.clock.monotonic(), mangled), self.pipeline.fates[id_]
        if stage == EVENTS:
            self.pipeline.rows.setdefault(id_, []).append(record)
        else:
            self.pipeline.topics[stage][fate.partition].records.append(record)

    def arrived(self, count: int) -> list[UUID]:
        """The oldest canaries that are in the table."""
        return [id_ for id_, fate in self.pipeline.fates.items() if fate.arrived_at is not None][:count]
