"""Reads with two clients: librdkafka carries the records, and the leaders are asked what that covers.

librdkafka does not tell when it asked for what, of which topic, or how often nothing came, and coverage
rests on that. So each position it has come to is asked about in a fetch of our own, under the topic's id and
the leadership we know: answered without an error, it confirms that all up to there was this topic's, and
brings the watermark as it stood then. Only what is confirmed counts, sightings too. A fault of librdkafka,
and what it cannot unpack, hands the reading back to the other client, which says what is wrong.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from canary.edges.kafka.carrier import Haul
from canary.edges.kafka.client import Client, TroubleError
from canary.edges.kafka.fetching import Fetching
from canary.edges.kafka.partitions import Partitions
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.record import Recogniser, Spot
from canary.edges.kafka.replicas import Replicas
from canary.edges.kafka.requests import Fetched, From, Limits, Place
from canary.values import Now, Sighting

if TYPE_CHECKING:
    from canary.edges.kafka.stage import Settings

SOON = 10
"""Milliseconds that a leader may wait before it confirms a position: some answer none that may not wait."""

BEHIND = 0.05
"""Seconds to wait for librdkafka where there is more to read."""

MANY = 2000
"""Where so many records came at once, more are waiting."""

FIRST_REST, LONGEST_REST = 60.0, 3600.0


STALLED = 5
"""So many time-outs without a record that a leader has: librdkafka is at fault."""


class Source(Protocol):
    """What carries records: `carrier.Carrier`."""

    trouble: str

    def assign(self, offsets: Mapping[Place, int]) -> None: ...
    def take(self, wait: float) -> Mapping[Place, Haul]: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class _Chunk:
    """What came at once: it counts when `next_offset` is confirmed."""

    next_offset: int
    epoch: int
    count: int
    size: int
    sightings: list[Sighting]


@dataclass(slots=True)
class _Load:
    """One partition: `start` is confirmed, `at` is how far librdkafka came. Times in monotonic seconds."""

    start: int
    at: int
    chunks: list[_Chunk]
    waiting_since: float | None = None


class Carried(Fetching):
    """`Fetching` whose records come from a `Source`; without one it fetches them itself for a while.

    `patience`: so many seconds without a record of a partition that has some are a fault of the source.
    """

    def __init__(
        self,
        stage: str,
        partitions: Partitions,
        recogniser: Recogniser,
        *,
        now: Now,
        source: Callable[[], Source],
        patience: float,
    ) -> None:
        super().__init__(stage, partitions, recogniser, replicas=Replicas(""), now=now)
        self._open = source
        self._patience = patience
        self._source: Source | None = None
        self._loads: dict[Place, _Load] = {}
        self._rest_until = float("-inf")
        self._rest = FIRST_REST
        self._told = ""
        self._more = False

    def send(self, client: Client, limits: Limits) -> None:
        """Take what librdkafka has, then ask the leaders about as far as that goes."""
        if self._carry():
            waiting = any(load.at > load.start for load in self._loads.values())
            wait = min(SOON, limits.wait) if waiting else limits.wait
            limits = replace(limits, wait=wait, total_bytes=1, partition_bytes=1)
        super().send(client, limits)

    def _carry(self) -> bool:
        if time.monotonic() < self._rest_until:
            return False
        try:
            if self._source is None:
                self._source = self._open()
            self._follow(self._source)
            hauls = self._source.take(BEHIND if self._behind() else 0.0)
            self._more = sum(len(haul.records) for haul in hauls.values()) >= MANY
            for place, haul in hauls.items():
                self._loaded(place, haul)
        except TroubleError as trouble:
            self._give_back(str(trouble))
            return False
        return True

    def rests(self) -> bool:
        """A busy topic has always gone on when a position is confirmed: what counts is what waits here."""
        return not self._more if self._source is not None else super().rests()

    def _follow(self, source: Source) -> None:
        """Have all carried that is to be read, from where the reading stands."""
        parts = self._partitions
        wanted = {place: item for place, item in parts.readings.items() if place not in parts.idle}
        kept = {
            place: load
            for place, load in self._loads.items()
            if place in wanted and wanted[place].next_offset == load.start
        }
        if kept.keys() == wanted.keys() == self._loads.keys():
            return
        fresh = {place: _Load(item.next_offset, item.next_offset, []) for place, item in wanted.items()}
        self._loads = fresh | kept
        source.assign({place: load.at for place, load in self._loads.items()})

    def _behind(self) -> bool:
        readings = self._partitions.readings
        return any(
            (end := readings[place].end) is not None and load.at < end for place, load in self._loads.items()
        )

    def _loaded(self, place: Place, haul: Haul) -> None:
        """Look at what came; the sightings wait until it is confirmed. Raises `TroubleError` for a fault."""
        load, reading = self._loads.get(place), self._partitions.readings.get(place)
        if haul.fault:
            raise TroubleError(f"topic {place[0]}, partition {place[1]}: {haul.fault}")
        if load is None or reading is None or haul.next_offset <= load.at:
            return
        spot = Spot(
            stage=self._stage,
            place=reading.place,
            partition=reading.partition,
            side=reading.side,
            seen_at=self._now(),
            not_before=reading.not_before,
        )
        look = self._recogniser.sighting
        seen = [item for record in haul.records if (item := look(record, spot)) is not None]
        size = sum(record.size_in_bytes for record in haul.records)
        load.chunks.append(_Chunk(haul.next_offset, haul.epoch, len(haul.records), size, seen))
        load.at, load.waiting_since = haul.next_offset, None

    def _from(self, reading: Reading, leadership: int) -> From:
        load = self._loads.get((reading.place, reading.partition))
        if load is None or not load.chunks:
            return super()._from(reading, leadership)
        return From(load.at, leadership, load.chunks[-1].epoch)

    def _parted(self, reading: Reading, end: int, asked: int) -> None:
        load = self._loads.get((reading.place, reading.partition))
        if load is None:
            super()._parted(reading, end, asked)
        elif load.start == reading.next_offset and asked <= load.at:
            del self._loads[reading.place, reading.partition]  # none of it is in the log that is there now
            self._partitions.parted(reading, end)

    def _taken(
        self, reading: Reading, answer: Fetched, asked: int, led_at: datetime | None
    ) -> list[Sighting]:
        load = self._loads.get(answer.place)
        if load is None:
            return super()._taken(reading, answer, asked, led_at)
        if load.start != reading.next_offset or not load.start <= asked <= load.at:
            return []  # it was moved since we asked
        self.counts["bytes_read"] += len(answer.data)
        self._advance(reading, answer, asked, led_at)
        load.start = asked
        self.redirected |= bool(answer.data) or load.at > asked
        if answer.data and load.at == asked:
            self._stalled(answer.place, load)
        return self._confirmed(load, reading)

    def _confirmed(self, load: _Load, reading: Reading) -> list[Sighting]:
        found: list[Sighting] = []
        while load.chunks and load.chunks[0].next_offset <= load.start:
            chunk = load.chunks.pop(0)
            reading.epoch = chunk.epoch
            self.counts["records_read"] += chunk.count
            self.counts["bytes_read"] += chunk.size
            found.extend(chunk.sightings)
        return found

    def _stalled(self, place: Place, load: _Load) -> None:
        """A leader has records where librdkafka brings none."""
        now = time.monotonic()
        load.waiting_since = load.waiting_since or now
        if now - load.waiting_since >= self._patience and self._source is not None:
            why = self._source.trouble or f"no record within {self._patience:g} s"
            self._give_back(f"topic {place[0]}, partition {place[1]}: {why}")

    def _give_back(self, reason: str) -> None:
        """Read with the other client from what is confirmed on, and try again later."""
        self._loads.clear()
        self._rest_until = time.monotonic() + self._rest
        if reason != self._told:
            self._told = reason
            self._partitions.notes.append(
                f"librdkafka does not carry stage {self._stage} ({reason}): kafka-python reads it"
            )
        self._rest = min(self._rest * 2, LONGEST_REST)
        self._let_go()

    def close(self) -> None:
        """Let go of librdkafka for good."""
        self._rest_until = float("inf")
        self._let_go()

    def _let_go(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()


def chosen(
    settings: "Settings",
    partitions: Partitions,
    recogniser: Recogniser,
    *,
    now: Now,
    source: "Callable[[Settings], Source]",
) -> Fetching:
    """What fetches for this stage."""
    if settings.client != "librdkafka":
        replicas = Replicas(settings.rack)
        return Fetching(settings.name, partitions, recogniser, replicas=replicas, now=now)
    return Carried(
        settings.name,
        partitions,
        recogniser,
        now=now,
        source=lambda: source(settings),
        patience=STALLED * settings.timeout.total_seconds(),
    )
