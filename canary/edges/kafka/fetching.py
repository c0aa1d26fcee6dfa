"""Fetches on their way to the brokers: sent, waited for, and taken apart into records."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from canary.edges.kafka import requests
from canary.edges.kafka.batches import Record, UnreadableError, batches
from canary.edges.kafka.client import Bell, Client, Pending, TroubleError
from canary.edges.kafka.leadership import Leaderships, Question
from canary.edges.kafka.partitions import Partitions
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.record import Recogniser, Spot
from canary.edges.kafka.replicas import Replicas
from canary.edges.kafka.requests import Fetched, From, Limits, Place
from canary.values import Now, Sighting

TOGETHER = 0.02
"""Answers that come within so many seconds are taken together; longer, one broker would hold up another's."""

FOLLOWER_PATIENCE = 0.5
"""How much longer than a leader's a follower's answer may take before the leaders are asked instead."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """One fetch: what it `asked` for, what of that the broker `led`, and a time before it left.

    `question` went ahead of it: which of those it led can be trusted to reach to the end.
    """

    pending: Pending[Sequence[Fetched]]
    sent_at: datetime
    asked: Mapping[Place, From]
    led: frozenset[Place]
    question: Question


class Fetching:
    """At most one fetch per broker on its way; answers update the readings.

    `redirected` says that a leader has named a follower that was not asked yet.
    """

    def __init__(
        self, stage: str, partitions: Partitions, recogniser: Recogniser, *, replicas: Replicas, now: Now
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.out_of_range: dict[Place, int] = {}
        self.moved = False
        self.redirected = False
        self._stage = stage
        self._partitions = partitions
        self._recogniser = recogniser
        self._replicas = replicas
        self._leaderships = Leaderships()
        self._now = now
        self._sent: dict[int, _Sent] = {}
        self._turn = 0

    def forget(self) -> None:
        """The connection is gone, and with it what was on its way."""
        self._give_up_followers(self._sent.values())
        self._sent.clear()

    def send(self, client: Client, limits: Limits) -> None:
        """Ask every broker that is not being asked already. Partitions take turns at coming first."""
        readings = [place for place in self._partitions.readings if place not in self._partitions.idle]
        self._turn = (self._turn + 1) % max(len(readings), 1)
        turned = readings[self._turn :] + readings[: self._turn]
        ids = self._partitions.ids()
        limits = replace(limits, rack=self._replicas.rack)
        leaders, by_broker = self._by_broker(turned)
        for node, places in by_broker.items():
            if node not in self._sent:
                parts = self._partitions
                asked = {p: self._from(parts.readings[p], parts.epoch(p)) for p in places}
                led = frozenset(place for place in places if leaders[place] == node)
                question = self._leaderships.ask(client, node, {p: asked[p].epoch for p in led})
                sent_at = self._now()
                pending = client.begin(requests.fetch, client, node, asked, ids, limits)
                self._sent[node] = _Sent(pending, sent_at, asked, led, question)

    def rests(self) -> bool:
        """Whether all was read that there was when it was last asked: no need to ask again at once."""
        readings = self._partitions.readings.values()
        return all(reading.end is None or reading.next_offset >= reading.end for reading in readings)

    def _from(self, reading: Reading, leadership: int) -> From:
        """Where to ask from."""
        return From(reading.next_offset, leadership, reading.epoch)

    def _by_broker(
        self, places: Sequence[Place]
    ) -> tuple[Mapping[Place, int], Mapping[int, Sequence[Place]]]:
        """Who leads each partition that has a leader, and which of them to ask whom for."""
        leaders: dict[Place, int] = {}
        found: dict[int, list[Place]] = {}
        for leader, some in self._partitions.by_leader(places).items():
            for place in some:
                leaders[place] = leader
                found.setdefault(self._replicas.choose(place, leader), []).append(place)
        return leaders, found

    def wait(self, bell: Bell, *, soon: float, until: float) -> bool:
        """Wait until `until` for the first answer, till `soon` a follower's; return whether to go on."""
        sent = list(self._sent.values())
        followers_only = not any(item.led for item in sent)
        if followers_only:
            until = min(until, soon + FOLLOWER_PATIENCE)
        if bell.wait(lambda: any(item.pending.done for item in sent), until=until):
            bell.wait(lambda: all(item.pending.done for item in sent), until=time.monotonic() + TOGETHER)
            return True
        if followers_only and not bell.interrupted:
            self._give_up_followers(sent)
        return followers_only

    def _give_up_followers(self, sent: Iterable[_Sent]) -> None:
        if any(item.led != item.asked.keys() for item in sent):
            self._replicas.failed()

    def take(self) -> list[Sighting]:
        """Read what has come. Raises `TroubleError` when no broker at all could be read."""
        found: list[Sighting] = []
        self.redirected = False
        done = {node: item for node, item in self._sent.items() if item.pending.done}
        failures: list[TroubleError] = []
        for node, item in done.items():
            del self._sent[node]
            try:
                answers = item.pending.result()
            except TroubleError as trouble:
                self._failed(item, str(trouble))
                if item.led:
                    failures.append(trouble)
                continue
            trusted = self._leaderships.answered(item.question)
            for answer in answers:
                found.extend(self._answered(answer, item, trusted=answer.place in trusted))
        if failures and len(failures) == len(done) and not self._sent:
            raise failures[0]
        return found

    def _failed(self, item: _Sent, reason: str) -> None:
        self.moved = True
        self._give_up_followers([item])
        for place in item.led:
            if (reading := self._partitions.readings.get(place)) is not None:
                reading.failed(reason, now=self._now())

    def _answered(self, answer: Fetched, item: _Sent, *, trusted: bool) -> list[Sighting]:
        reading = self._partitions.readings.get(answer.place)
        if reading is None:
            return []
        leads = answer.place in item.led
        if (answer.error or answer.diverged is not None) and not leads:
            self._replicas.failed()
        elif answer.error == requests.OUT_OF_RANGE:
            self.out_of_range[answer.place] = item.asked[answer.place].offset
        elif answer.error:
            self.moved = True
            reading.failed(_refusal(answer), now=self._now(), lasting=answer.error == requests.DENIED)
        elif answer.diverged is not None:
            self._parted(reading, answer.diverged, item.asked[answer.place].offset)
        elif leads and self._nearer(reading, answer):
            self.redirected = True
            if trusted:
                reading.told(answer.end, sent_at=item.sent_at)
        else:
            return self._taken(
                reading, answer, item.asked[answer.place].offset, item.sent_at if trusted else None
            )
        return []

    def _parted(self, reading: Reading, end: int, asked: int) -> None:
        """The leader's log is not the one that was read up to there."""
        if reading.next_offset == asked:
            self._partitions.parted(reading, end)

    def _taken(
        self, reading: Reading, answer: Fetched, asked: int, led_at: datetime | None
    ) -> list[Sighting]:
        """Take the records; `led_at` is when a leader was asked who knows its end, else None."""
        if reading.next_offset != asked:
            return []  # we no longer ask for that
        position, found = self._records(reading, answer)
        if position is not None:
            self._advance(reading, answer, position, led_at)
        elif led_at is not None:
            reading.end = answer.end  # a consumer that waits before what we cannot read has more to do
        return found

    def _advance(self, reading: Reading, answer: Fetched, position: int, led_at: datetime | None) -> None:
        if led_at is None:
            reading.read_replica(position, end=answer.end, complete=answer.complete)
        else:
            reading.read(position, end=answer.end, sent_at=led_at, complete=answer.complete)

    def _nearer(self, reading: Reading, answer: Fetched) -> bool:
        """Whether the leader would have us read elsewhere."""
        reading.log_start = answer.log_start if answer.log_start is not None else reading.log_start
        self._replicas.named(answer.place, answer.preferred)
        return answer.preferred >= 0

    def _records(self, reading: Reading, answer: Fetched) -> tuple[int | None, list[Sighting]]:
        """Where reading goes on (None: it cannot), and the canaries up to there."""
        seen_at = self._now()
        spot = Spot(
            stage=self._stage,
            place=reading.place,
            partition=reading.partition,
            side=reading.side,
            seen_at=seen_at,
            not_before=reading.not_before,
        )
        found: list[Sighting] = []
        position, epoch = reading.next_offset, reading.epoch
        self.counts["bytes_read"] += len(answer.data)
        try:
            for batch in batches(answer.data, start=position, aborted=answer.aborted):
                found.extend(self._sightings(batch.records, spot))
                epoch = batch.epoch if batch.next_offset > position else epoch
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
                return None, found
        reading.epoch = epoch
        return position, found

    def close(self) -> None:
        """Nothing here outlives the connection."""

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
