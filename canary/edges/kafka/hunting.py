"""Looks for single canaries in a busy topic: a few small fetches from where each must be.

What is read so is never coverage; it only shows canaries. See `seeking`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kafka.protocol.consumer import ListOffsetsRequest

from canary.edges.kafka import requests
from canary.edges.kafka.batches import UnreadableError, batches
from canary.edges.kafka.client import Client
from canary.edges.kafka.partitions import Partitions
from canary.edges.kafka.record import Recogniser, Spot
from canary.edges.kafka.requests import Fetched, From, Limits, Place
from canary.edges.kafka.seeking import Hunt, Seeking
from canary.values import Now, Sighting

FIRST_BYTES = 1024
MOST_BYTES = 1024 * 1024
ROUNDS = 11
"""A hunt reads twice as much with each round: what it reads too much is less than what it had to read."""


async def offsets_by_time(client: Client, node: object, wanted: Mapping[Place, int]) -> Mapping[Place, int]:
    """The first offset whose record is of this time (Unix milliseconds) or later; -1 where there is none."""
    parts: dict[str, list[Any]] = defaultdict(list)
    for (topic, partition), milliseconds in wanted.items():
        parts[topic].append(
            ListOffsetsRequest.ListOffsetsTopic.ListOffsetsPartition(
                partition_index=partition, current_leader_epoch=-1, timestamp=milliseconds
            )
        )
    request = ListOffsetsRequest(isolation_level=0, topics=list(parts.items()), min_version=1)
    response = await client.send(request, node)
    return {
        (topic.name, part.partition_index): part.offset
        for topic in response.topics
        for part in topic.partitions
        if part.error_code == requests.NONE
    }


class Hunting:
    """Asks for ends, and carries hunts out."""

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
        self.counts: Counter[str] = Counter()
        self._stage = stage
        self._topic = topic
        self._partitions = partitions
        self._recogniser = recogniser
        self._seeking = seeking
        self._now = now

    def offsets(
        self, client: Client, places: Iterable[Place], which: int, *, until: float
    ) -> Mapping[Place, int]:
        """Where these partitions end or begin now; those without a leader are left out."""
        found: dict[Place, int] = {}
        for node, some in self._partitions.by_leader(places).items():
            found.update(client.ask(requests.offsets, client, node, some, which, until=until))
        return found

    def hunt(self, client: Client, hunts: Sequence[Hunt], limits: Limits, *, until: float) -> list[Sighting]:
        """Carry out one hunt a partition. Raises `TroubleError`."""
        found: list[Sighting] = []
        open_ = self._placed(client, hunts, until)
        size = FIRST_BYTES
        for _ in range(ROUNDS):
            if not open_:
                break
            answers, asked_at = self._ask(client, open_, replace(limits, partition_bytes=size), until)
            size = min(size * 2, MOST_BYTES)
            left: dict[Place, Hunt] = {}
            for place, hunt in open_.items():
                if (answer := answers.get(place)) is None:
                    continue
                seen, following = self._take(answer, hunt, asked_at)
                found.extend(seen)
                if following is not None and hunt.id not in {item.id for item in seen}:
                    left[place] = following
            open_ = left
        return found

    def _placed(self, client: Client, hunts: Sequence[Hunt], until: float) -> dict[Place, Hunt]:
        """Where each begins; those whose time nothing has yet wait."""
        times = {
            (self._topic, hunt.partition): int(hunt.hint.timestamp() * 1000)
            for hunt in hunts
            if hunt.hint is not None
        }
        found: dict[Place, int] = {}
        for node, some in self._partitions.by_leader(times).items():
            wanted = {place: times[place] for place in some}
            found.update(client.ask(offsets_by_time, client, node, wanted, until=until))
        placed: dict[Place, Hunt] = {}
        for hunt in hunts:
            place = (self._topic, hunt.partition)
            if hunt.offset is not None:
                placed[place] = hunt
            elif hunt.hint is None:
                placed[place] = self._seeking.begun(hunt, hunt.floor)
            elif found.get(place, -1) >= 0:
                placed[place] = self._seeking.begun(hunt, max(hunt.floor, found[place]))
        return placed

    def _ask(
        self, client: Client, hunts: Mapping[Place, Hunt], limits: Limits, until: float
    ) -> tuple[Mapping[Place, Fetched], datetime]:
        parts, ids = self._partitions, self._partitions.ids()
        asked_at = self._now()
        answers: dict[Place, Fetched] = {}
        for node, some in parts.by_leader(hunts).items():
            wanted = {place: From(hunts[place].offset or 0, parts.epoch(place)) for place in some}
            for answer in client.ask(requests.fetch, client, node, wanted, ids, limits, until=until):
                answers[answer.place] = answer
        return answers, asked_at

    def _take(self, answer: Fetched, hunt: Hunt, asked_at: datetime) -> tuple[list[Sighting], Hunt | None]:
        """What one fetch shows, and how the hunt goes on (None: not now)."""
        offset = position = hunt.offset or 0
        if answer.error:
            if answer.error == requests.OUT_OF_RANGE:
                self._seeking.failed(hunt)
            return [], None
        found: list[Sighting] = []
        self.counts["bytes_read"] += len(answer.data)
        spot = self._spot(hunt)
        try:
            for batch in batches(answer.data, start=offset, aborted=answer.aborted):
                self.counts["records_read"] += len(batch.records)
                look = self._recogniser.sighting
                found.extend(item for record in batch.records if (item := look(record, spot)) is not None)
                position = batch.next_offset
        except UnreadableError:
            self._seeking.failed(hunt)
            return found, None
        ended = position >= answer.end
        self._seeking.hunted(hunt, position, asked_at if ended else None, self._now())
        following = replace(hunt, offset=position, missed_at=asked_at if ended else hunt.missed_at)
        return found, None if ended else following

    def _spot(self, hunt: Hunt) -> Spot:
        return Spot(
            stage=self._stage,
            place=self._topic,
            partition=hunt.partition,
            side="",
            seen_at=self._now(),
            not_before=hunt.missed_at,
        )
