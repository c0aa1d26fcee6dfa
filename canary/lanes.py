"""Lanes: small fixed pools of distinct_ids whose keys reach every partition of the first topic."""

import hashlib
import re
import threading
import zlib
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from uuid import UUID

Partitioner = Literal["murmur2", "crc32", "unknown"]
"""murmur2: Kafka's own and most clients'; crc32: librdkafka's default; unknown: it cannot be told."""

_PLACEHOLDER = re.compile(r"\{(?:token|distinct_id|uuid)\}")
_OF_A_CANARY = re.compile(r"\{(?:distinct_id|uuid)\}")

_MAX_TRIES_A_NAME = 200
"""How many names are tried, at most, for each one that is needed and each partition there is."""

_KEPT = 4096
"""Partitions kept in mind: pools are small and fixed, and each name is asked for with every canary of its."""


@dataclass(frozen=True, slots=True)
class Keying:
    """How the ingress makes a record's key, and the partition that follows from it.

    `template` may hold `{token}`, `{distinct_id}` and `{uuid}`; wrapped in `sha256(...)`, the key is the
    hex digest of what stands inside (as older PostHog makes it).
    """

    template: str
    partitioner: Partitioner
    token: str = field(default="", repr=False)

    @property
    def tells(self) -> bool:
        """Whether a partition follows from the distinct_id alone."""
        told = self.partitioner != "unknown" and "{distinct_id}" in self.template
        return told and "{uuid}" not in self.template

    @property
    def aims(self) -> bool:
        """Whether a canary's partition can be told before it is seen: a partitioner, and a key of its own."""
        return self.partitioner != "unknown" and bool(_OF_A_CANARY.search(self.template))

    def key(self, distinct_id: str, id_: str = "") -> bytes:
        """The record's key for this distinct_id and event id."""
        hashed = self.template.startswith("sha256(") and self.template.endswith(")")
        inner = self.template[len("sha256(") : -1] if hashed else self.template
        words = {"{token}": self.token, "{distinct_id}": distinct_id, "{uuid}": id_}
        # in one go: a token that looks like a placeholder is text
        key = _PLACEHOLDER.sub(lambda found: words[found[0]], inner)
        return hashlib.sha256(key.encode()).hexdigest().encode() if hashed else key.encode()

    def partition(self, distinct_id: str, partitions: int, id_: UUID | None = None) -> int:
        """The partition its canaries go to, of so many; with an event's id, that event."""
        named = id_ is not None and "{uuid}" in self.template
        return _placed(self, distinct_id, partitions, str(id_) if named else "")


@lru_cache(maxsize=_KEPT)
def _placed(keying: Keying, distinct_id: str, partitions: int, id_: str) -> int:
    key = keying.key(distinct_id, id_)
    if keying.partitioner == "murmur2":
        return (murmur2(key) & 0x7FFFFFFF) % partitions
    return zlib.crc32(key) % partitions


@dataclass(frozen=True, slots=True)
class Lane:
    """One way into the pipeline. `partition` is None where it cannot be known."""

    index: int
    partition: int | None
    distinct_ids: tuple[str, ...]


def distinct_prefix(probe: str, instance: str = "") -> str:
    """What every distinct_id of a probe begins with; `canary-` begins those of all probes."""
    return f"canary-{probe}-{instance}-" if instance else f"canary-{probe}-"


def plan(
    prefix: str, keying: Keying, *, partitions: int | None, lanes: int | None, pool: int
) -> tuple[Lane, ...]:
    """Lanes with `pool` distinct_ids each, the same at every start.

    Without `lanes` there is one for each partition (one in all, where their number is not known). Lanes
    beyond the number of partitions share them; fewer lanes reach the first partitions only.
    """
    if pool < 1:
        raise ValueError(f"probes.pool: must be at least 1 (got {pool})")
    if lanes is not None and lanes < 1:
        raise ValueError(f"probes.lanes: must be at least 1 (got {lanes})")
    if partitions is not None and partitions < 1:
        raise ValueError(f"lanes.partitions: must be at least 1 (got {partitions})")
    count = lanes or partitions or 1
    if partitions is None or not keying.tells:
        return tuple(
            Lane(index, None, tuple(f"{prefix}{index * pool + n}" for n in range(pool)))
            for index in range(count)
        )
    return _aimed(prefix, keying, partitions=partitions, count=count, pool=pool)


def _aimed(prefix: str, keying: Keying, *, partitions: int, count: int, pool: int) -> tuple[Lane, ...]:
    """Try names in their order; each goes to the first lane of its partition that still needs one."""
    pools: list[list[str]] = [[] for _ in range(count)]
    missing = count * pool
    for n in range(_MAX_TRIES_A_NAME * partitions * pool):
        distinct_id = f"{prefix}{n}"
        at = keying.partition(distinct_id, partitions)
        lane = next((lane for lane in range(at, count, partitions) if len(pools[lane]) < pool), None)
        if lane is not None:
            pools[lane].append(distinct_id)
            missing -= 1
            if not missing:
                return tuple(Lane(i, i % partitions, tuple(names)) for i, names in enumerate(pools))
    raise ValueError(
        f"probes.lanes: no distinct_ids found for every partition (got key template {keying.template!r})"
    )


class Rotation:
    """Whose turn it is: over the lanes, and over the pool inside each. Any thread may ask."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        if not lanes:
            raise ValueError("lanes: must not be empty. This is a bug.")
        self.lanes = tuple(lanes)
        self._lock = threading.Lock()
        self._next_lane = 0
        self._next_name = [0] * len(self.lanes)
        self._places = {lane.index: place for place, lane in enumerate(self.lanes)}
        self._expected = {name: lane.partition for lane in self.lanes for name in lane.distinct_ids}

    def next(self, busy: Container[int] = ()) -> tuple[Lane, str] | None:
        """The next lane that is not busy, and the distinct_id to use; None when all are busy."""
        with self._lock:
            for step in range(len(self.lanes)):
                place = (self._next_lane + step) % len(self.lanes)
                lane = self.lanes[place]
                if lane.index in busy:
                    continue
                self._next_lane = (place + 1) % len(self.lanes)
                turn = self._next_name[place]
                self._next_name[place] = (turn + 1) % len(lane.distinct_ids)
                return lane, lane.distinct_ids[turn]
        return None

    def another(self, lane: Lane) -> str:
        """One more distinct_id of the same lane, for a batch."""
        with self._lock:
            place = self._places[lane.index]
            turn = self._next_name[place]
            self._next_name[place] = (turn + 1) % len(lane.distinct_ids)
            return lane.distinct_ids[turn]

    def expected_partition(self, distinct_id: str) -> int | None:
        """Where canaries of this name should be seen; None where that is not known (any more)."""
        return self._expected.get(distinct_id)


def murmur2(data: bytes) -> int:
    """MurmurHash2 (32 bits, by Austin Appleby, public domain) with the seed that Kafka's clients use."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15
