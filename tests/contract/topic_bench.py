"""One topic to try an edge on, and the words in which the contract suite speaks of its looks."""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from canary.clock import Line
from canary.edges.kafka import Settings
from canary.identity import Mint
from canary.values import Look, Marks, Resume, Sighting, Wanted
from tests.contract.topic_labs import Lab, Place, Stage


@dataclass(slots=True)
class Bench:
    """One topic of four partitions and the stages that look at it."""

    lab: Lab
    line: Line
    mint: Mint
    settings: Settings
    marks: Marks
    opened: list[Stage]
    searched: bool = False

    def stage(self, *, resume: Resume | None = None, **changes: object) -> Stage:
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        if self.searched:
            settings = replace(settings, reading="on_demand", seek_after=timedelta(0))
        made = self.lab.stage(settings, marks=self.marks, now=self.line.now, resume=resume or Resume())
        self.opened.append(made)
        return Searched(made, self.mint.mint(self.line.now()), self.line.now()) if self.searched else made

    def canary(self, place: Place | None = None, *, key: bytes | None = None) -> tuple[uuid.UUID, int]:
        """Write one as PostHog's ingress does; return its id and its offset."""
        one = self.mint.mint(self.line.now())
        inner = {
            "event": "ingestion_canary",
            "timestamp": "2026-01-02T03:04:05Z",
            "properties": {"canary_id": str(one), "text": 'a "quoted" text, é, 🐤'},
        }
        outer = {"uuid": str(one), "distinct_id": "canary-1", "data": json.dumps(inner)}
        value = json.dumps(outer).encode()
        return one, self.lab.write(place or (self.topic, 0), key=key, value=value)

    @property
    def topic(self) -> str:
        return self.settings.topic


class Searched:
    """A stage that is looked at for a canary which nobody ever wrote: all of it has to be read."""

    def __init__(self, stage: Stage, missing: uuid.UUID, sent_at: datetime) -> None:
        self.name = stage.name
        self.interrupt, self.close = stage.interrupt, stage.close
        self._stage = stage
        self._missing = Wanted(missing, sent_at, "ingestion_canary", "canary-1")

    def look(self, wanted: Sequence[Wanted]) -> Look:
        return self._stage.look([*wanted, self._missing])


def until(stage: Stage, enough: Callable[[Look], bool], *, within: float = 60.0) -> list[Look]:
    """Look until something is so; return all looks."""
    looks: list[Look] = []
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        looks.append(stage.look(()))
        assert not [note for note in looks[-1].notes if "librdkafka" in note]  # it never gave up
        if enough(looks[-1]):
            return looks
    raise AssertionError(f"not within {within} s; the last look was {looks[-1]}")


def clear(look: Look) -> bool:
    """Every partition is read; a topic just made may lack a leader for a moment."""
    return not look.blind and len({c.partition for c in look.coverage}) == look.partitions


def found(looks: list[Look]) -> list[Sighting]:
    return [sighting for look in looks for sighting in look.sightings]


def until_found(stage: Stage, *ids: uuid.UUID) -> list[Look]:
    seen: set[uuid.UUID] = set()

    def all_there(look: Look) -> bool:
        seen.update(sighting.id for sighting in look.sightings)
        return seen >= set(ids)

    return until(stage, all_there)


def covers(looks: list[Look], place: Place) -> tuple[list[object], list[object]]:
    items = [c for look in looks for c in look.coverage if (c.place, c.partition) == place]
    return [c.since for c in items], [c.until for c in items]


def resume_of(look: Look) -> Resume:
    return Resume(
        {(c.place, c.partition): (c.next_offset, c.until) for c in look.coverage},
        {(c.place, c.partition): c.topic_id for c in look.coverage},
    )
