"""Fetches on their way to the brokers: sent, waited for, and taken apart into records."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from canary.edges.kafka import requests
from canary.edges.kafka.batches import Record, UnreadableError, batches
from canary.edges.kafka.client import Bell, Client, Pending, TroubleError
from canary.edges.kafka.partitions import Partitions
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.record import Recogniser, Spot
from canary.edges.kafka.requests import Fetched, Limits, Place
from canary.values import Now, Sighting


@dataclass(frozen=True, slots=True)
class _Sent:
    """`sent_at` was read before the request left."""

    pending: Pending[Sequence[Fetched]]
    sent_at: datetime
    places: Sequence[Place]


class Fetching:
    """At most one fetch per broker on its way; answers update the readings."""

    def __init__(self, stage: str, partitions: Partitions, recogniser: Recogniser, *, now: Now) -> None:
        self.counts: Counter[str] = Counter()
        self.out_of_range: list[Reading] = []
        self.moved = False
        self._stage = stage
        self._partitions = partitions
        self._recogniser = recogniser
        self._now = now
        self._sent: dict[int, _Sent] = {}
        self._turn = 0

    def forget(self) -> None:
        """The connection is gone, and with it what was on its way."""
        self._sent.clear()

    def send(self, client: Client, limits: Limits) -> None:
        """Ask every broker that is not being asked already. Partitions take turns at coming first."""
        readings = list(self._partitions.readings)
        self._turn = (self._turn + 1) % max(len(readings), 1)
        turned = readings[self._turn :] + readings[: self._turn]
        ids = self._partitions.ids()
        for node, places in self._partitions.by_leader(turned).items():
            if node not in self._sent:
                at = {place: self._partitions.readings[place].next_offset for place in places}
                sent_at = self._now()
                pending = client.begin(requests.fetch, client, node, at, ids, limits)
                self._sent[node] = _Sent(pending, sent_at, places)

    def wait(self, bell: Bell, *, soon: float, until: float) -> bool:
        """Wait until `soon` for all answers and until `until` for the first; return whether any came."""
        sent = list(self._sent.values())
        bell.wait(lambda: all(item.pending.done for item in sent), until=soon)
        return bell.wait(lambda: any(item.pending.done for item in sent), until=until)

    def take(self) -> list[Sighting]:
        """Read what has come. Raises `TroubleError` when no broker at all could be read."""
        found: list[Sighting] = []
        done = {node: item for node, item in self._sent.items() if item.pending.done}
        failures: list[TroubleError] = []
        for node, item in done.items():
            del self._sent[node]
            try:
                answers = item.pending.result()
            except TroubleError as trouble:
                failures.append(trouble)
                self._failed(item.places, str(trouble))
                continue
            for answer in answers:
                found.extend(self._answered(answer, item.sent_at))
        if failures and len(failures) == len(done):
            raise failures[0]
        return found

    def _failed(self, places: Sequence[Place], reason: str) -> None:
        self.moved = True
        for place in places:
            if (reading := self._partitions.readings.get(place)) is not None:
                reading.failed(reason, now=self._now())

    def _answered(self, answer: Fetched, sent_at: datetime) -> list[Sighting]:
        reading = self._partitions.readings.get(answer.place)
        if reading is None:
            return []
        if answer.error == requests.OUT_OF_RANGE:
            self.out_of_range.append(reading)
        elif answer.error:
            self.moved = True
            reading.failed(_refusal(answer), now=self._now(), lasting=answer.error == requests.DENIED)
        else:
            return self._read(reading, answer, sent_at)
        return []

    def _read(self, reading: Reading, answer: Fetched, sent_at: datetime) -> list[Sighting]:
        reading.log_start = answer.log_start if answer.log_start is not None else reading.log_start
        seen_at = self._now()
        spot = Spot(
            stage=self._stage,
            place=reading.place,
            partition=reading.partition,
            side=reading.side,
            seen_at=seen_at,
            not_before=reading.until or reading.since,
        )
        found: list[Sighting] = []
        position = reading.next_offset
        try:
            for batch in batches(answer.data, start=position, aborted=answer.aborted):
                found.extend(self._sightings(batch.records, spot))
                position = batch.next_offset
                if batch.broken:
                    self.counts["broken_batch"] += 1
                    reading.jump(position, now=seen_at)
        except UnreadableError as error:
            if position == reading.next_offset:
                reading.failed(
                    f"topic {reading.place}, partition {reading.partition}: {error}",
                    now=seen_at,
                    lasting=True,
                )
                return found
        reading.read(position, end=answer.end, sent_at=sent_at, complete=answer.complete)
        return found

    def _sightings(self, records: Sequence[Record], spot: Spot) -> list[Sighting]:
        look = self._recogniser.sighting
        found = [item for record in records if (item := look(record, spot)) is not None]
        self.counts["records_read"] += len(records)
        return found


def _refusal(answer: Fetched) -> str:
    topic, partition = answer.place
    if answer.error == requests.DENIED:
        return f"not authorized to read topic {topic}"
    return f"topic {topic}, partition {partition}: {answer.reason}"
