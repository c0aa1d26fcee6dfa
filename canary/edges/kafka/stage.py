"""A Kafka topic as a stage: reads it with its alternates and dead letters, and never writes or commits.

Partitions are assigned and positioned by hand; there is no consumer group. Reading goes on from the offsets
that were kept, whatever happened to the connection meanwhile. What coverage means and why it is sound
stands in `kafka_reading`. Only committed records are read.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from canary.edges.kafka.carried import Source, chosen
from canary.edges.kafka.carrier import Carrier
from canary.edges.kafka.client import Access, Client, TroubleError
from canary.edges.kafka.cluster import Cluster
from canary.edges.kafka.partitions import ALTERNATE, DEAD_LETTER, Partitions
from canary.edges.kafka.positions import Positions
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.record import Recogniser
from canary.edges.kafka.requests import Limits
from canary.edges.kafka.security import Sasl, Tls
from canary.edges.kafka.seeking import Seeking
from canary.edges.kafka.sought import Sought
from canary.edges.kafka.trust import Reading as ReadingMode
from canary.values import Look, Marks, Now, Position, Resume, Sighting, Wanted

ClientName = Literal["kafka-python", "librdkafka"]

EARLY = 0.025
"""Some brokers answer an empty fetch at once: ask again after so many seconds, not in a tight loop."""

BRIEF = 0.05
"""Seconds that a fetch of one look among many may wait: some brokers answer none that may not wait at all."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One stage. `next_group` is the consumer group that carries events out of it, None where unknown.

    A look blocks for `wait` when nothing comes, and for `timeout` at most. A topic that was read to its end
    is left alone until `every` has passed since it was last asked: a fetch costs about the same for one
    record as for ten. A follower in `rack` is read instead of the leader where the cluster allows it.
    `answer_bytes` and `partition_bytes` bound what one fetch may bring.

    `reading` says how much of the topic is read, as `seeking` explains; `auto` is all of it, but on demand
    while it has more than `on_demand_above` messages a second. `client` carries what is read in bulk.
    """

    name: str
    bootstrap: tuple[str, ...]
    topic: str
    alternates: tuple[str, ...] = ()
    dead_letters: tuple[str, ...] = ()
    next_group: str | None = None
    tls: Tls | None = None
    sasl: Sasl | None = None
    client_id: str = "ingestion-canary"
    rack: str = ""
    timeout: timedelta = timedelta(seconds=2)
    wait: timedelta = timedelta(milliseconds=250)
    every: timedelta = timedelta(0)
    answer_bytes: int = 2 * 1024 * 1024
    partition_bytes: int = 1024 * 1024
    reading: ReadingMode = "full"
    seek_after: timedelta = timedelta(seconds=30)
    on_demand_above: float = 5_000
    client: ClientName = "kafka-python"

    @property
    def access(self) -> Access:
        """How its cluster is reached."""
        return Access(self.bootstrap, self.client_id, self.timeout.total_seconds(), self.tls, self.sasl)


class KafkaStage:
    """Looks at one topic. One thread looks; `interrupt` and `close` may be called from any."""

    def __init__(
        self,
        settings: Settings,
        *,
        marks: Marks,
        now: Now,
        resume: Resume,
        source: Callable[[Settings], Source] = Carrier,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._now = now
        self._timeout = settings.timeout.total_seconds()
        self._wait = settings.wait.total_seconds()
        self._every = settings.every.total_seconds()
        self._fetched_at = float("-inf")
        sides: dict[str, str] = dict.fromkeys(settings.dead_letters, DEAD_LETTER)
        sides.update(dict.fromkeys(settings.alternates, ALTERNATE))
        sides[settings.topic] = ""
        self._cluster = Cluster(settings.access, sorted(sides))
        self._partitions = Partitions(sides, now=now, resume=resume)
        self._recogniser = Recogniser(marks)
        self._fetching = chosen(settings, self._partitions, self._recogniser, now=now, source=source)
        self._positions = Positions(settings.next_group, now=now)
        self._expired = 0
        self._seeking = Seeking(
            settings.reading,
            topic=settings.topic,
            seek_after=settings.seek_after,
            above=settings.on_demand_above,
        )
        self._sought = Sought(
            settings.name,
            settings.topic,
            partitions=self._partitions,
            recogniser=self._recogniser,
            seeking=self._seeking,
            now=now,
        )
        self._sought.resume(resume)

    @property
    def seeks(self) -> bool:
        """Whether a look has to be told which canaries are wanted."""
        return self._seeking.seeks

    def look(self, wanted: Sequence[Wanted]) -> Look:
        """Read what has come since the last look. Trouble outside is told in `blind`, never raised."""
        started_at, started = self._now(), time.monotonic()
        sightings: list[Sighting] = []
        positions: Sequence[Position] = ()
        try:
            client = self._cluster.client(started + self._timeout)
            read = self._read if self._seeking.mode == "full" else self._seek
            blind = read(client, wanted, sightings, started)
            positions = self._positions.take(client, self._followed())
        except TroubleError as trouble:
            blind = str(trouble)
            self._lost(blind)
        if blind:
            self._cluster.bell.wait(lambda: False, until=started + self._wait)
        self._cluster.bell.interrupted = False
        self._seeking.saw(sightings, started_at)
        return Look(
            stage=self.name,
            started_at=started_at,
            ended_at=self._now(),
            blind=blind,
            coverage=() if blind else self._partitions.coverage(),
            positions=positions,
            positions_unreadable=self._positions.unreadable,
            sightings=sightings,
            counts=self._counts(),
            notes=self._notes(),
            partitions=self._partitions.count(self._settings.topic),
            reading=self._seeking.mode,
            astray=self._seeking.astray(),
        )

    def _readings(self) -> Sequence[Reading]:
        return list(self._partitions.readings.values())

    def _followed(self) -> Sequence[Reading]:
        """What the next stage's consumer reads: not the dead letters."""
        return [reading for reading in self._readings() if reading.side != DEAD_LETTER]

    def _arranged(self, client: Client, until: float) -> str:
        blind = self._partitions.arrange(client, self._cluster.topics, until=until)
        if blind:
            self._cluster.stale()
        self._sought.arranged()
        return blind

    def _limits(self, wait: float) -> Limits:
        return Limits(
            wait=int(wait * 1000),
            total_bytes=self._settings.answer_bytes,
            partition_bytes=self._settings.partition_bytes,
        )

    def _seek(
        self, client: Client, wanted: Sequence[Wanted], sightings: list[Sighting], started: float
    ) -> str:
        """Read only what has to be read; returns why the stage is blind."""
        until = started + self._timeout
        if blind := self._arranged(client, until):
            return blind
        if not self._sought.behind():
            self._cluster.bell.wait(lambda: False, until=self._fetched_at + (self._every or self._wait))
        until = time.monotonic() + self._timeout
        self._fetched_at = time.monotonic()
        followed = [(reading.place, reading.partition) for reading in self._followed()]
        limits = self._limits(BRIEF)
        self._sought.look(client, wanted, followed, limits, sightings, until=until)
        if self._partitions.idle < self._partitions.readings.keys():
            self._fetch(client, limits, sightings, until=until)
        self._cluster.healthy()
        return self._trouble()

    def _read(
        self, client: Client, wanted: Sequence[Wanted], sightings: list[Sighting], started: float
    ) -> str:
        """One or more fetches of all there is; returns why the stage is blind."""
        until = started + self._timeout
        if blind := self._arranged(client, until):
            return blind
        limits = self._limits(self._wait)
        if self._seeking.seeks:
            self._sought.read_all(wanted, self._followed())
        if self._fetching.rests():
            self._cluster.bell.wait(lambda: False, until=self._fetched_at + self._every)
        while True:
            self._fetched_at = time.monotonic()
            before = self._fetching.counts["records_read"]
            self._fetch(client, limits, sightings, until=until)
            if self._fetching.counts["records_read"] > before or self._cluster.bell.interrupted:
                break
            if time.monotonic() >= started + self._wait:
                break
            if self._fetching.redirected:
                continue
            self._cluster.bell.wait(
                lambda: False, until=max(time.monotonic() + EARLY, self._fetched_at + self._every)
            )
        return self._trouble()

    def _fetch(self, client: Client, limits: Limits, sightings: list[Sighting], *, until: float) -> None:
        fetching = self._fetching
        self._positions.ask(client, self._followed())
        fetching.send(client, limits)
        bell = self._cluster.bell
        if not fetching.wait(bell, soon=time.monotonic() + self._wait, until=until) and not bell.interrupted:
            raise TroubleError(f"no answer within {self._timeout:g} s")
        sightings.extend(fetching.take())
        self._cluster.healthy()
        if fetching.moved:
            fetching.moved = False
            self._cluster.stale()
        if fetching.out_of_range:
            self._cluster.refresh(until)
            lost, fetching.out_of_range = fetching.out_of_range, {}
            self._partitions.arrange(client, self._cluster.topics, until=until)
            self._expired += self._partitions.relocate(client, lost, until=until)

    def _trouble(self) -> str:
        """A trouble that lasts, or that has lasted; a change of leader is given the time it takes."""
        now = self._now()
        for reading in self._followed():
            if self._partitions.leader((reading.place, reading.partition)) < 0:
                where = f"topic {reading.place}, partition {reading.partition}"
                reading.failed(f"{where} has no leader", now=now)
                self._cluster.stale()
            if (reading.place, reading.partition) in self._partitions.idle:
                continue
            since = reading.trouble_since
            if reading.trouble and (
                reading.lasting or (since is not None and now - since >= self._settings.timeout)
            ):
                return reading.trouble
        return ""

    def _lost(self, reason: str) -> None:
        self._fetching.forget()
        self._positions.lost(reason)
        self._cluster.drop(reason)

    def _counts(self) -> Mapping[str, int]:
        counts = Counter({**self._fetching.counts}) + self._recogniser.counts + self._sought.counts
        counts["expired"] += self._expired
        self._fetching.counts.clear()
        self._sought.counts.clear()
        self._recogniser.counts.clear()
        self._expired = 0
        return {reason: count for reason, count in counts.items() if count}

    def _notes(self) -> Sequence[str]:
        notes = [*self._partitions.notes, *self._seeking.notes]
        self._partitions.notes, self._seeking.notes = [], []
        return notes

    def interrupt(self) -> None:
        """End a look that is going on, from another thread."""
        self._cluster.bell.interrupt()

    def close(self) -> None:
        """Hang up; returns within a second whatever state the cluster is in."""
        self._cluster.close()
        self._fetching.close()
