"""Reads given ranges of offsets and nothing else, one fetch a round for each partition."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from canary.edges.kafka import requests
from canary.edges.kafka.batches import Record, UnreadableError, batches
from canary.edges.kafka.client import Client, TroubleError
from canary.edges.kafka.cluster import Cluster
from canary.edges.kafka.requests import Fetched, From, Limits
from canary.edges.kafka.traffic import Reading, letter, message
from canary.traffic import ReadBack
from reconcile.offsets import Range, joined

SMALLEST, LARGEST = 1024, 1024 * 1024
A_MESSAGE = 20.0
"""Bytes to ask for a message before any came: few, since packed ones are small, and more is soon learned.
A fetch brings whole batches all the same."""

FEW = 100
"""Ranges up to this size are asked for apart from larger ones, or each would bring as much as the largest."""

WAIT = 100
"""Milliseconds that a broker may take to find something; records that are there come at once."""

EMPTY_AFTER = 4
"""So many empty answers for a range below the end of the log prove that there is nothing more: a broker that
reads from slow storage answers with nothing, too."""


class Fetchback:
    """Work in progress: `left` is what has not been read, `why` what stopped it. What lies before `local` is
    in tiered storage, where an empty answer may be a slow one, however often it comes."""

    def __init__(self, cluster: Cluster, topic: str, gaps: Sequence[Range], *, timeout: float) -> None:
        self.left = joined(gaps)
        self.fetched = 0
        self.why = ""
        self.local: Mapping[int, int] = {}
        self._cluster = cluster
        self._topic = topic
        self._timeout = timeout
        self._records: list[tuple[int, Record]] = []
        self._read: list[Range] = []
        self._aborted: list[Range] = []
        self._empty: Counter[Range] = Counter()
        self._stuck: Counter[Range] = Counter()
        self._a_message = A_MESSAGE
        self._given_up: list[Range] = []

    def round(self, client: Client) -> None:
        """One fetch from each leader for the first range that is left of each partition."""
        first: dict[int, Range] = {}
        for one in self.left:
            first.setdefault(one.partition, one)
        topic = self._cluster.topics[self._topic]
        nodes: dict[tuple[int, bool], list[Range]] = {}
        for one in first.values():
            leader = topic.leaders.get(one.partition, -1)
            if leader < 0:
                self._give_up(one, f"topic {self._topic}, partition {one.partition} has no leader")
                continue
            nodes.setdefault((leader, one.size > FEW), []).append(one)
        for (node, _), ranges in nodes.items():
            self._fetch(client, node, ranges)

    def _fetch(self, client: Client, node: int, ranges: Sequence[Range]) -> None:
        asked = {(self._topic, one.partition): From(one.start, -1) for one in ranges}
        size = int(min(max(max(one.size for one in ranges) * self._a_message, SMALLEST), LARGEST))
        limits = Limits(wait=WAIT, total_bytes=len(ranges) * size, partition_bytes=size)
        ids = {self._topic: self._cluster.topics[self._topic].id}
        until = time.monotonic() + self._timeout
        answers = client.ask(requests.fetch, client, node, asked, ids, limits, until=until)
        by_partition = {one.partition: one for one in ranges}
        before = len(self.left), sum(one.size for one in self.left)
        for answer in answers:
            if (one := by_partition.get(answer.place[1])) is not None:
                self._take(answer, one)
        if (len(self.left), sum(one.size for one in self.left)) != before:
            return
        for one in ranges:
            self._stuck[one] += 1
            if self._stuck[one] >= EMPTY_AFTER:
                silent = "'s tiered storage" if self._tiered(one) else ""
                self._give_up(one, f"topic {self._topic}, partition {one.partition}{silent} does not answer")

    def _take(self, answer: Fetched, one: Range) -> None:
        if answer.error == requests.OUT_OF_RANGE:
            self._give_up(one, "retention removed it meanwhile")
            return
        if answer.error:
            self._cluster.stale()
            raise TroubleError(f"topic {self._topic}, partition {one.partition}: {answer.reason}")
        at, came = one.start, 0
        try:
            for batch in batches(answer.data, start=one.start, aborted=answer.aborted):
                first = batch.first_offset
                came += batch.next_offset - first if first >= 0 else len(batch.records)
                if batch.broken:
                    self._give_up(Range(one.partition, at, min(batch.next_offset, one.end)), batch.broken)
                elif batch.aborted:
                    self._aborted.append(Range(one.partition, batch.first_offset, batch.next_offset))
                self._records += [
                    (one.partition, record)
                    for record in batch.records
                    if one.start <= record.offset < one.end
                ]
                at = max(batch.next_offset, at)
        except UnreadableError as error:
            self._done(Range(one.partition, one.start, min(at, one.end)))
            self._give_up(Range(one.partition, min(at, one.end), one.end), str(error))
            return
        self.fetched += came
        self._a_message = len(answer.data) / came if came else self._a_message
        self._empty[one] += at == one.start and answer.complete and not self._tiered(one)
        if self._empty[one] >= EMPTY_AFTER:
            at = min(answer.end, one.end)  # nothing is kept below the end
        self._done(Range(one.partition, one.start, min(at, one.end)))

    def _tiered(self, one: Range) -> bool:
        return one.start < self.local.get(one.partition, 0)

    def _done(self, part: Range) -> None:
        self._read.append(part)
        self.left = [rest for one in self.left for rest in _without(one, part)]

    def _give_up(self, part: Range, why: str) -> None:
        self.why = self.why or why
        self._given_up.append(part)
        self.left = [rest for one in self.left for rest in _without(one, part)]

    def result(self, reading: Reading) -> ReadBack:
        """What has been read so far."""
        given_up = joined(self._given_up)
        read = [rest for one in joined(self._read) for rest in _without_all(one, given_up)]
        return ReadBack(
            read=joined(read),
            messages=[message(record, partition, reading) for partition, record in self._records],
            aborted=joined(self._aborted),
            fetched=self.fetched,
            unread=self.why,
        )

    def letters(self, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """What has been read, as dead letters. Raises `TroubleError` after them where not all could be."""
        for _, record in self._records:
            yield letter(record, ids)
        if self.why:
            raise TroubleError(self.why)


def _without_all(one: Range, parts: Sequence[Range]) -> Sequence[Range]:
    left = [one]
    for part in parts:
        left = [rest for each in left for rest in _without(each, part)]
    return left


def _without(one: Range, part: Range) -> Iterator[Range]:
    if one.partition != part.partition or part.end <= one.start or part.start >= one.end:
        yield one
        return
    for rest in (Range(one.partition, one.start, part.start), Range(one.partition, part.end, one.end)):
        if rest.size:
            yield rest
