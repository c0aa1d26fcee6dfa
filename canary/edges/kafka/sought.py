"""A look at a topic that is not read whole: learns where it ends, hunts, and says what must be read."""

import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from canary.edges.kafka import requests
from canary.edges.kafka.client import Client
from canary.edges.kafka.hunting import Hunting
from canary.edges.kafka.partitions import DEAD_LETTER, Partitions
from canary.edges.kafka.placing import place
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.record import Recogniser
from canary.edges.kafka.requests import Limits, Place
from canary.edges.kafka.seeking import Seeking
from canary.values import Now, Resume, Sighting, Wanted

STARTS_EVERY = 5.0
"""Seconds: how soon it is seen that retention has passed a consumer, where nothing is fetched."""

HUNT_FOR = 0.5
"""Seconds that one look hunts for at most: many hunts go on in the next."""


class Sought:
    """Carries out the plans of `Seeking` on the partitions of one stage."""

    def __init__(
        self,
        stage: str,
        topic: str,
        *,
        partitions: Partitions,
        recogniser: Recogniser,
        seeking: Seeking,
        now: Now,
    ) -> None:
        self._topic = topic
        self._partitions = partitions
        self._seeking = seeking
        self._now = now
        self._hunting = Hunting(
            stage, topic, partitions=partitions, recogniser=recogniser, seeking=seeking, now=now
        )
        self._generation = 0
        self._starts_at = 0.0

    @property
    def counts(self) -> Counter[str]:
        """What hunts cost."""
        return self._hunting.counts

    def resume(self, resume: Resume) -> None:
        """Take up where an earlier run stopped."""
        if resume.offsets:
            at = max(covered for _, covered in resume.offsets.values())
            if at <= self._now():
                self._seeking.resume(at, {place: offset for place, (offset, _) in resume.offsets.items()})

    def arranged(self) -> None:
        """The partitions are known anew."""
        self._seeking.counted(self._partitions.count(self._topic), self._now())
        if self._generation != self._partitions.generation:
            self._generation = self._partitions.generation
            self._seeking.forget()

    def behind(self) -> bool:
        """Whether there is more to read at once."""
        idle = self._partitions.idle
        return any(
            reading.end is not None and reading.next_offset < reading.end
            for place, reading in self._partitions.readings.items()
            if place not in idle and reading.side != DEAD_LETTER
        )

    def read_all(self, wanted: Sequence[Wanted], followed: Sequence[Reading]) -> None:
        """The whole topic is read: note where it ends, and whom to hold against their keys."""
        self._partitions.idle = frozenset()
        self._seeking.ends(
            self._now(),
            {(item.place, item.partition): item.end for item in followed if item.end is not None},
            asked=False,
        )
        self._seeking.plan(wanted, self._now())

    def look(
        self,
        client: Client,
        wanted: Sequence[Wanted],
        followed: Sequence[Place],
        limits: Limits,
        found: list[Sighting],
        *,
        until: float,
    ) -> None:
        """Learn the ends, hunt (what is seen joins `found`), and leave idle what need not be read.

        Raises `TroubleError`.
        """
        ends = self._hunting.offsets(client, followed, requests.LATEST, until=until)
        told_at = self._now()
        self._seeking.ends(told_at, ends, asked=True)
        readings = self._partitions.readings
        for item, end in ends.items():
            readings[item].end = end
        if time.monotonic() - self._starts_at >= STARTS_EVERY:
            self._starts_at = time.monotonic()
            starts = self._hunting.offsets(client, followed, requests.EARLIEST, until=until)
            for item, start in starts.items():
                readings[item].log_start = start
        plan = self._seeking.plan(wanted, self._now())
        self._partitions.idle = frozenset() if plan.read else frozenset(followed)
        place(plan, [readings[item] for item in followed], now=self._now())
        self._hunts(client, limits, found, until)

    def _hunts(self, client: Client, limits: Limits, found: list[Sighting], until: float) -> None:
        """One hunt a partition at a time, for as long as a look may take."""
        stop = time.monotonic() + HUNT_FOR
        done: set[UUID] = set()
        while time.monotonic() < stop and (hunts := self._seeking.hunts(self._now(), but=done)):
            self._hunting.hunt(client, hunts, limits, found, until=until, stop=stop)
            done.update(hunt.id for hunt in hunts)
            done.update(item.id for item in found)
