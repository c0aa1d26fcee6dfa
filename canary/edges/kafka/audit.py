"""A topic as an audit needs it: its offsets by time, its ends, its consumer, and exactly its gaps read back.

No group, no commit, and nothing is read but what was asked for. Only committed records count.
"""

import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from canary.edges.kafka import audit_requests, requests
from canary.edges.kafka.client import Client, TroubleError
from canary.edges.kafka.cluster import Cluster
from canary.edges.kafka.fetchback import Fetchback
from canary.edges.kafka.ranges import believed
from canary.edges.kafka.requests import Place
from canary.edges.kafka.stage import Settings
from canary.edges.kafka.traffic import EPOCH, Reading
from canary.traffic import BY_TIME, CannotAskError, Holds, Log, ReadBack, TopicState
from canary.values import Now
from reconcile.offsets import Range

Question = Callable[..., Coroutine[Any, Any, Mapping[Place, int | None]]]

SIZE, POLICY = "retention.bytes", "cleanup.policy"
TIERED = ("remote.storage.enable", "confluent.tier.enable", "redpanda.remote.read")
"""What turns a topic's tiered storage on: Apache Kafka's (KIP-405), Confluent's, Redpanda's."""

EVERYTHING = 2**63 - 1
"""Behind all offsets."""

ESTIMATE_FROM = timedelta(minutes=5)
"""A topic whose oldest record is younger than this says nothing about how long records are kept."""


class TopicAudit:
    """One topic and its dead letters. One thread uses it; `interrupt` and `close` may be called from any."""

    def __init__(self, settings: Settings, *, ids: Sequence[str], now: Now) -> None:
        self.topic = settings.topic
        self._settings = settings
        self._ids = tuple(ids)
        self._now = now
        self._timeout = settings.timeout.total_seconds()
        self._stopped = False
        self._cluster = Cluster(settings.access, sorted({settings.topic, *settings.dead_letters}))
        self._told: dict[str, Mapping[str, str] | None] = {}

    def state(self) -> TopicState:
        """The topic now. Raises `CannotAskError`."""
        try:
            client = self._client()
            start = self._offsets(client, self.topic, requests.EARLIEST)
            self._learn(client, self.topic)
            local = self._local(client, self.topic)
            stable = self._offsets(client, self.topic, requests.LATEST, audit_requests.COMMITTED)
            end = self._offsets(client, self.topic, requests.LATEST)
            positions, unreadable = self._positions(client)
            if any(told is not None and told > (end.get(p) or 0) for p, told in positions.items()):
                last = self._offsets(client, self.topic, requests.LATEST)  # it may have grown meanwhile
                positions = believed(positions, {p: offset or 0 for p, offset in last.items()})
            read_at = self._now()
            kept, source = self._retention(client, start)
        except TroubleError as trouble:
            raise self._failed(trouble) from trouble
        return TopicState(
            topic=self.topic,
            id=self._cluster.topics[self.topic].id,
            logs={p: Log(start[p] or 0, end[p] or 0, stable[p] or 0, local.get(p, 0)) for p in start},
            positions=positions,
            positions_unreadable=unreadable,
            read_at=read_at,
            retention=kept,
            retention_from=source,
        )

    def offsets_at(self, at: datetime) -> Mapping[int, int | None]:
        """By partition the first offset of this time or later; None where there is none yet."""
        try:
            return self._offsets(self._client(), self.topic, _milliseconds(at))
        except TroubleError as trouble:
            raise self._failed(trouble) from trouble

    def read(self, gaps: Sequence[Range], *, holds: Holds, payloads: bool, until: datetime) -> ReadBack:
        """These offsets and no others, until a time on our line. Trouble is told in `unread`, not raised."""
        reading = Reading(self._ids, holds, payloads)
        back = Fetchback(self._cluster, self.topic, gaps, timeout=self._timeout)
        try:
            client = self._client()
            back.local = self._local(client, self.topic)
            while back.left and not self._stopped:
                if self._now() >= until:
                    back.why = "the seconds of its budget were used up"
                    break
                back.round(client)
        except TroubleError as trouble:
            back.why = str(trouble)
            self._failed(trouble)
        return back.result(reading)

    def letters(self, since: datetime, *, most: int, until: datetime) -> tuple[Mapping[str, str], str]:
        """The ids among the dead letters since a time ("" for none) -> why each is one; and why not all could
        be read."""
        found: dict[str, str] = {}
        try:
            for topic in self._settings.dead_letters:
                found.update(self._letters(topic, since, most=most - len(found), until=until))
        except TroubleError as trouble:
            self._failed(trouble)
            return found, f"dead letters: {trouble}"
        return found, "dead letters: more than the budget allows to read" if len(found) >= most else ""

    def _letters(
        self, topic: str, since: datetime, *, most: int, until: datetime
    ) -> Iterable[tuple[str, str]]:
        client = self._client()
        known = self._cluster.topics.get(topic)
        if known is None or known.error == requests.UNKNOWN_TOPIC:
            return ()
        if known.error:
            raise TroubleError(f"topic {topic}: {known.reason}")
        first = self._offsets(client, topic, _milliseconds(since))
        end = self._offsets(client, topic, requests.LATEST, audit_requests.COMMITTED)
        gaps = [Range(p, start, end[p] or 0) for p, start in first.items() if start is not None]
        back = Fetchback(self._cluster, topic, gaps, timeout=self._timeout)
        self._learn(client, topic)
        back.local = self._local(client, topic)
        while back.left and back.fetched < most and self._now() < until and not self._stopped:
            back.round(client)
        if back.left:
            raise TroubleError(f"topic {topic} holds more than the budget allows to read")
        return back.letters(self._ids)

    def interrupt(self) -> None:
        """Make what is going on end soon."""
        self._stopped = True
        self._cluster.bell.interrupt()

    def close(self) -> None:
        """Hang up."""
        self._stopped = True
        self._cluster.close()

    def _client(self) -> Client:
        client = self._cluster.client(self._until())
        topic = self._cluster.topics.get(self.topic)
        if topic is None or topic.error:
            reason = (
                "does not exist" if topic is None or topic.error == requests.UNKNOWN_TOPIC else topic.reason
            )
            raise TroubleError(f"topic {self.topic}: {reason}")
        return client

    def _until(self) -> float:
        return time.monotonic() + self._timeout

    def _failed(self, trouble: TroubleError) -> CannotAskError:
        self._cluster.drop(str(trouble))
        return CannotAskError(str(trouble))

    def _offsets(
        self, client: Client, topic: str, which: int, isolation: int = audit_requests.UNCOMMITTED
    ) -> dict[int, int | None]:
        return self._asked(client, topic, audit_requests.offsets_at, which, isolation)

    def _learn(self, client: Client, topic: str) -> None:
        """How the topic is kept, as far as we may know it."""
        names = [BY_TIME, SIZE, POLICY, *TIERED]
        try:
            told = client.ask(audit_requests.settings, client, topic, names, until=self._until())
        except TroubleError:
            told = None
        self._told[topic] = told

    def _local(self, client: Client, topic: str) -> dict[int, int]:
        """Where tiered storage ends; nothing of a topic that has none. A topic that has it, of a broker that
        does not say where it ends, may have all there."""
        told = self._told.get(topic)
        if told is not None and all(told.get(name) != "true" for name in TIERED):
            return {}
        leaders = self._cluster.topics[topic].leaders
        try:
            found = self._asked(client, topic, audit_requests.local_starts)
        except TroubleError:
            found = {}
        unsaid = 0 if told is None else EVERYTHING
        return {p: unsaid if found.get(p) is None else found[p] or 0 for p in leaders}

    def _asked(self, client: Client, topic: str, question: Question, *about: int) -> dict[int, int | None]:
        """Of each partition's leader."""
        leaders: dict[int, list[Place]] = {}
        for partition, leader in self._cluster.topics[topic].leaders.items():
            if leader < 0:
                self._cluster.stale()
                raise TroubleError(f"topic {topic}, partition {partition} has no leader")
            leaders.setdefault(leader, []).append((topic, partition))
        found: dict[int, int | None] = {}
        for node, places in leaders.items():
            told = client.ask(question, client, node, places, *about, until=self._until())
            found.update({partition: offset for (_, partition), offset in told.items()})
        return dict(sorted(found.items()))

    def _positions(self, client: Client) -> tuple[Mapping[int, int | None], str]:
        group = self._settings.next_group
        if group is None:
            return {}, "no consumer group is configured for the table"
        places = [(self.topic, p) for p in self._cluster.topics[self.topic].leaders]
        try:
            _, told = client.ask(requests.committed, client, group, places, None, until=self._until())
        except TroubleError as trouble:
            return {}, str(trouble)
        return {partition: position for (_, partition), position in told.items()}, ""

    def _retention(self, client: Client, start: Mapping[int, int | None]) -> tuple[timedelta | None, str]:
        """As configured; else estimated from the age of the oldest records, where some were removed."""
        told = self._told.get(self.topic) or {}
        configured, policy = told.get(BY_TIME), told.get(POLICY, "")
        if policy and "delete" not in policy:
            return None, "kept for ever, but compacted"
        if configured is not None:
            kept = int(configured)
            forever = kept < 0 or kept > timedelta(days=36_500).total_seconds() * 1000
            sooner = f"; {SIZE} may come first" if int(told.get(SIZE, -1)) >= 0 else ""
            sooner += "; compaction may come first" if "compact" in policy else ""
            if forever:
                return None, f"kept for ever{sooner}"
            return timedelta(milliseconds=kept), f"{BY_TIME}{sooner}"
        removed = [Range(p, first, first + 1) for p, first in start.items() if first]
        if not removed:
            return None, "not known"
        back = Fetchback(self._cluster, self.topic, removed, timeout=self._timeout)
        back.round(client)
        ages = [self._now() - m.at for m in back.result(Reading()).messages if m.at is not None]
        age = min((age for age in ages if age > ESTIMATE_FROM), default=None)
        return age, "not known" if age is None else "estimated from the oldest record"


def _milliseconds(at: datetime) -> int:
    return max((at - EPOCH) // timedelta(milliseconds=1), 0)
