"""How far the consumer behind a topic has come: its group's committed offsets, once a second at most."""

import time
from collections.abc import Mapping, Sequence

from canary.edges.kafka import requests
from canary.edges.kafka.client import Client, Pending, TroubleError
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.requests import Place
from canary.values import Now, Position

EVERY = 1.0


class Positions:
    """Asks beside the reading, so that a slow coordinator never holds up a look."""

    def __init__(self, group: str | None, *, now: Now) -> None:
        self.unreadable = "not read yet" if group else "no consumer group is configured for the next stage"
        self._group = group
        self._now = now
        self._asked_at = 0.0
        self._coordinator: int | None = None
        self._pending: Pending[tuple[int, Mapping[Place, int | None]]] | None = None

    def take(self, client: Client, readings: Sequence[Reading]) -> Sequence[Position]:
        """The positions that have come in since the last call, and ask again when it is time."""
        found = self._finish(readings)
        self.ask(client, readings)
        return found

    def ask(self, client: Client, readings: Sequence[Reading]) -> None:
        """Ask when it is time. Just before a fetch both travel together, and the answer is not left lying."""
        if self._group is None or self._pending is not None or not readings:
            return
        if time.monotonic() - self._asked_at >= EVERY:
            self._asked_at = time.monotonic()
            places = [(reading.place, reading.partition) for reading in readings]
            self._pending = client.begin(requests.committed, client, self._group, places, self._coordinator)

    def _finish(self, readings: Sequence[Reading]) -> Sequence[Position]:
        if self._pending is None or not self._pending.done:
            return ()
        pending, self._pending = self._pending, None
        try:
            self._coordinator, committed = pending.result()
        except TroubleError as trouble:
            self._coordinator = None  # it may have moved
            self.unreadable = str(trouble)
            return ()
        self.unreadable = ""
        read_at = self._now()
        return [
            Position(
                place=reading.place,
                partition=reading.partition,
                committed=committed[(reading.place, reading.partition)],
                log_start=reading.log_start,
                end=reading.end,
                read_at=read_at,
            )
            for reading in readings
            if (reading.place, reading.partition) in committed
        ]

    def lost(self, reason: str) -> None:
        """The connection is gone, and with it what was asked."""
        self._pending = self._coordinator = None
        if self._group is not None:
            self.unreadable = reason
