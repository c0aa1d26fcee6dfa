"""What passes between the edges that count for somebody else and the audit of the way into Kafka."""

from typing import Protocol

from reconcile.counters import Counters


class CounterTroubleError(Exception):
    """A counter could not be read; one line, no secrets."""


class Replica(Protocol):
    """One process that counts."""

    url: str

    def read(self) -> Counters:
        """Its counters now. Raises CounterTroubleError."""
        ...


class Ends(Protocol):
    """How far the topics behind the ingress reach."""

    def ends(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> next offset. Raises CounterTroubleError."""
        ...
