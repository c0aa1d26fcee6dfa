"""Which broker to read each partition from: its leader, or a follower near us that the leader has named.

The leader is asked again every second: it names the follower anew, and only its watermark tells how far the
partition really reaches. A follower that fails sends us back to the leaders for some minutes.
"""

import time

from canary.edges.kafka.requests import Place

ASK_LEADER_EVERY = 1.0
LEADERS_ONLY = 120.0


class Replicas:
    """Knows the followers in use. Times in monotonic seconds."""

    def __init__(self, rack: str) -> None:
        self._rack = rack
        self._near: dict[Place, int] = {}
        self._named_at: dict[Place, float] = {}
        self._leaders_until = float("-inf")

    @property
    def rack(self) -> str:
        """The rack to name in a fetch; none while followers are not to be used."""
        return self._rack if time.monotonic() >= self._leaders_until else ""

    def choose(self, place: Place, leader: int) -> int:
        """The broker to ask next."""
        if place in self._near and time.monotonic() - self._named_at[place] < ASK_LEADER_EVERY:
            return self._near[place]
        return leader

    def named(self, place: Place, node: int) -> None:
        """The leader would have this partition read from `node`, -1 for itself."""
        if node < 0 or not self.rack:
            self._near.pop(place, None)
        else:
            self._near[place] = node
            self._named_at[place] = time.monotonic()

    def failed(self) -> None:
        """A follower could not be read, or not as far as we had come."""
        self._near.clear()
        self._leaders_until = time.monotonic() + LEADERS_ONLY
