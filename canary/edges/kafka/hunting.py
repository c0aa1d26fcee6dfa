"""Looks for single canaries in a busy topic: a few small fetches from where each must be.

What is read so is never coverage; it only shows canaries. See `seeking`.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kafka.protocol.consumer import ListOffsetsRequest

from canary.edges.kafka import requests
from canary.edges.kafka.batches import Batch, UnreadableError, batches
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

SIZES = 100
USUAL = 0.75
"""A hunt begins with what this share of the last batches would fit into: none can be read in part."""

_LENGTH = slice(8, 12)
_BEFORE_LENGTH = 12


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
        self._sizes: deque[int] = deque(maxlen=SIZES)

    def offsets(
        self, client: Client, places: Iterable[Place], which: int, *, until: float
    ) -> Mapping[Place, int]:
        """Where these partitions end or begin now; those without a leader are left out."""
        found: dict[Place, int] = {}
        for node, some in self._partitions.by_leader(places).items():
            found.update(client.ask(requests.offsets, client, node, some, which, until=until))
        return found

    def hunt(
        self,
        client: Client,
        hunts: Sequence[Hunt],
        limits: Limits,
        found: list[Sighting],
        *,
        until: float,
        stop: float,
    ) -> None:
        """Carry out one hunt a partition, till `stop` (monotonic): what is open then goes on another time.

        What is seen joins `found` at once, for where a hunt has been it does not come again. Raises
        `TroubleError`.
        """
        open_ = self._placed(client, hunts, until)
        size = self._usual()
        for turn in range(ROUNDS):
            if not open_ or (turn and time.monotonic() >= stop):
                break
            answers, asked_at = self._ask(client, open_, replace(limits, partition_bytes=size), until)
            cut: list[int] = []
            left: dict[Place, Hunt] = {}
            for place, hunt in open_.items():
                if (answer := answers.get(place)) is None:
                    continue
                seen, following = self._take(answer, hunt, asked_at)
                found.extend(seen)
                if following is not None and hunt.id not in {item.id for item in seen}:
                    left[place] = following
                    if following.offset == hunt.offset and (length := _first_length(answer.data)):
                        cut.append(length)
            open_, size = left, min(max(cut, default=size * 2), MOST_BYTES)

    def _usual(self) -> int:
        if not self._sizes:
            return FIRST_BYTES
        usual = sorted(self._sizes)[int(USUAL * (len(self._sizes) - 1))]
        return min(max(usual, FIRST_BYTES), MOST_BYTES)

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
        if length := _first_length(answer.data):
            self._sizes.append(length)
        spot = self._spot(hunt)
        try:
            for batch in batches(answer.data, start=offset, aborted=answer.aborted):
                self.counts["records_read"] += _fetched(batch)
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


def _fetched(batch: Batch) -> int:
    """How many records came with a batch, those before the hunt's beginning too."""
    return batch.next_offset - batch.first_offset if batch.first_offset >= 0 else len(batch.records)


def _first_length(data: bytes) -> int:
    """The size in bytes of the first batch, also where the answer's limit cut it short; 0 where untold."""
    if len(data) < _BEFORE_LENGTH:
        return 0
    return _BEFORE_LENGTH + int.from_bytes(data[_LENGTH], "big", signed=True)
