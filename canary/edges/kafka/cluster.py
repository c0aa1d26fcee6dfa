"""The session with a cluster across its losses: connects, connects again, keeps what topics look like.

What they look like is asked of one broker after the other, of those configured and of the leaders: one that
is cut off from the cluster answers as ever, and holds itself to be the leader of what others lead by now.
"""

import time
from collections.abc import Mapping, Sequence

from canary.edges.kafka import requests
from canary.edges.kafka.client import Access, Bell, Client, Pending, TroubleError
from canary.edges.kafka.requests import Topic

METADATA_EVERY = 2.0
"""New partitions are found within this time; they are then read from their beginning."""

METADATA_PATIENCE = 3
"""So many time-outs may pass without news of the topics, as when one of several brokers hangs."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0


class Cluster:
    """Gives a connected client or says why there is none. Times in monotonic seconds."""

    def __init__(self, access: Access, topics: Sequence[str]) -> None:
        self.bell = Bell()
        self.topics: Mapping[str, Topic] = {}
        self._access = access
        self._names = topics
        self._turn = -1
        self._client: Client | None = None
        self._asked_at = self._told_at = 0.0
        self._pending: Pending[Sequence[Topic]] | None = None
        self._pause = FIRST_PAUSE
        self._not_before = 0.0
        self._reason = ""
        self._closed = False

    def client(self, until: float) -> Client:
        """A client that has reached the cluster and knows the topics. Raises `TroubleError`."""
        if self._closed:
            raise TroubleError("the edge is closed")
        if self._client is None:
            if time.monotonic() < self._not_before:
                raise TroubleError(self._reason)
            client = self._client = self._open()
            client.ask(client.connect, until=until)
            self.refresh(until)
        elif self._pending is None and time.monotonic() - self._asked_at >= METADATA_EVERY:
            self._ask(self._client)
        try:
            self._take()
        except TroubleError:
            self.stale()
            if time.monotonic() - self._told_at > METADATA_PATIENCE * self._access.timeout:
                raise
        return self._client

    def _open(self) -> Client:
        try:
            return Client(self._access, self.bell)
        except (OSError, ValueError) as error:  # a certificate or secret that cannot be read
            raise TroubleError(f"cannot connect: {error}") from error

    def _ask(self, client: Client) -> Pending[Sequence[Topic]]:
        self._asked_at = time.monotonic()
        self._turn += 1
        nodes = [*client.configured, *sorted(self._leaders() & client.addresses().keys())]
        self._pending = client.begin(requests.topics, client, self._names, nodes[self._turn % len(nodes)])
        return self._pending

    def _leaders(self) -> set[int]:
        return {leader for topic in self.topics.values() for leader in topic.leaders.values()}

    def _take(self) -> None:
        if self._pending is not None and self._pending.done:
            pending, self._pending = self._pending, None
            self.topics = {item.name: item.after(self.topics.get(item.name)) for item in pending.result()}
            self._told_at = time.monotonic()

    def refresh(self, until: float) -> None:
        """Ask for the topics now and wait for the answer. Raises `TroubleError`."""
        if self._client is None:
            raise TroubleError("not connected")
        pending = self._ask(self._client)
        if not self.bell.wait(lambda: pending.done, until=until):
            raise TroubleError(f"no answer within {self._access.timeout:g} s")
        self._take()

    def stale(self) -> None:
        """The leaders have moved: ask again at the next look."""
        self._asked_at = 0.0

    def healthy(self) -> None:
        """The cluster answered: the next loss is repaired at once."""
        self._pause = FIRST_PAUSE

    def drop(self, reason: str) -> None:
        """Give the session up; a new one is tried after a pause that grows with each failure."""
        if self._client is None:
            return  # the pause is running
        self._reason = reason
        self._not_before = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        client, self._client, self._pending = self._client, None, None
        if client is not None:
            client.close()

    def close(self) -> None:
        """Hang up for good."""
        self._closed = True
        self.bell.interrupt()
        client, self._client = self._client, None
        if client is not None:
            client.close()
