"""Posts canaries side by side, never two at once over one lane, and keeps the answers until asked."""

import queue
import threading
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from canary.values import Answer, Event


class Ingress(Protocol):
    """Where canaries go in. `post` blocks within its own deadlines and never raises for what it meets."""

    def post(self, events: Sequence[Event], lane: int) -> Answer:
        """Post them in one request over this lane's connection."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...


Post = tuple[tuple[Event, ...], int]


class Courier:
    """A few daemon threads that post. With `workers=0` it posts at once, in the caller's thread."""

    def __init__(self, ingress: Ingress, *, workers: int) -> None:
        self._ingress = ingress
        self._workers = workers
        self._posts: queue.SimpleQueue[Post | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[tuple[UUID, ...], Answer]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._busy: set[int] = set()
        self._failure: Exception | None = None
        self._threads: list[threading.Thread] = []

    @property
    def busy(self) -> frozenset[int]:
        """The lanes with a post in flight."""
        with self._lock:
            return frozenset(self._busy)

    def send(self, events: Sequence[Event], lane: int) -> None:
        """Take a post over; the lane is busy until its answer is there."""
        with self._lock:
            self._busy.add(lane)
            crowded = len(self._busy) > len(self._threads)
        if not self._workers:
            self._deliver(tuple(events), lane)
            return
        if crowded and len(self._threads) < self._workers:
            thread = threading.Thread(target=self._work, name=f"post-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._posts.put((tuple(events), lane))

    def _work(self) -> None:
        while (post := self._posts.get()) is not None:
            self._deliver(*post)

    def _deliver(self, events: tuple[Event, ...], lane: int) -> None:
        try:
            answer = self._ingress.post(events, lane)
            self._answers.put((tuple(event.id for event in events), answer))
        except (
            Exception
        ) as error:  # a bug: raised again by whoever collects, or it would end one worker unheard
            self._failure = error
            raise
        finally:
            with self._lock:
                self._busy.discard(lane)

    def collect(self) -> list[tuple[UUID, Answer]]:
        """The answers that have come since the last call, one for each canary."""
        if self._failure is not None:
            raise self._failure
        answers: list[tuple[UUID, Answer]] = []
        while True:
            try:
                ids, answer = self._answers.get_nowait()
            except queue.Empty:
                return answers
            answers.extend((id_, answer) for id_ in ids)

    def close(self) -> None:
        """Tell the threads to end after what they are doing; nobody waits for them."""
        for _ in self._threads:
            self._posts.put(None)
        self._ingress.close()
