"""One fault of a check: its kind and place, its canaries, how bad it is, and what to look at next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

State = Literal["ok", "degraded", "fault", "unknown"]
EXIT_CODES: Mapping[State, int] = {"ok": 0, "degraded": 1, "fault": 2, "unknown": 3}
SEVERITY: Sequence[State] = ("fault", "unknown", "degraded", "ok")
HINTS = {
    "lost": "read the logs of the consumer between these two for the minute of the send",
    "corrupt": "compare the row with `canary explain`; look for a change of schema, type or parser there",
    "rejected": "read the ingress's answer; check the token and that something listens at the URL",
    "undelivered": "the ingress answered with an error or not at all: look at its logs and its broker",
    "overdue": "look at the consumer's lag: it is behind, or it stands still",
    "late": "look at the consumers' batch sizes and lag, and at ClickHouse's insert times",
    "duplicated": "look for a producer that retries without idempotence, or a consumer that replayed",
    "out_of_order": "look for retries in the producer, or more than one request in flight",
    "detoured": "look at overflow and alternate topics, and at our own reader",
    "stored_after_refusal": "the ingress refuses what it stores: clients will send it again",
    "blind": "check that it is up, and the address, rights and password that this check reads it with",
    "down": "nothing went in: check that the ingress is up and reachable from here",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault at one place, with its canaries."""

    kind: str
    state: State
    count: int
    ids: tuple[UUID, ...] = ()
    hop: tuple[str, str] | None = None
    spanned: tuple[tuple[str, str], ...] = ()
    stage: str | None = None
    field: str | None = None
    expected: str | None = None
    found: str | None = None
    reason: str = ""

    @property
    def where(self) -> str:
        """The place in words."""
        if self.hop is not None:
            return f"between {self.hop[0]} and {self.hop[1]}"
        return f"at {self.stage}" if self.stage is not None else ""

    def as_json(self) -> dict[str, Any]:
        """The stable shape of the JSON output."""
        return {
            "kind": self.kind,
            "hop": hop_json(self.hop),
            "spanned": [hop_json(hop) for hop in self.spanned],
            "stage": self.stage,
            "count": self.count,
            "ids": [str(id_) for id_ in self.ids],
            "field": self.field,
            "expected": self.expected,
            "found": self.found,
            "reason": self.reason,
            "hint": HINTS[self.kind],
        }


def hop_json(hop: tuple[str, str] | None) -> dict[str, str] | None:
    """A hop as the JSON output has it."""
    return None if hop is None else {"from": hop[0], "to": hop[1]}
