"""Which partitions are read and from where: the start, new partitions, topics made again, retention."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from canary.edges.kafka import requests
from canary.edges.kafka.client import Client
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.requests import NO_ID, Place, Topic
from canary.values import Coverage, Now, Resume

ALTERNATE, DEAD_LETTER = "alternate", "dead_letter"


class Partitions:
    """The readings of one stage's topics. `notes` collects what a person should know.

    `idle` are not to be read for now. `generation` grows when offsets begin to mean something else.
    """

    def __init__(self, sides: Mapping[str, str], *, now: Now, resume: Resume) -> None:
        self.readings: dict[Place, Reading] = {}
        self.notes: list[str] = []
        self.idle: frozenset[Place] = frozenset()
        self.generation = 0
        self._sides = sides
        self._now = now
        self._resume = {
            place: (offset, min(covered, now())) for place, (offset, covered) in resume.offsets.items()
        }  # what a clock in a wrong year wrote of the future covers nothing
        self._topic_ids, self._read_epochs = resume.topic_ids, resume.epochs
        self._known: dict[str, Topic] = {}
        self._leaders: dict[Place, int] = {}
        self._epochs: dict[Place, int] = {}
        self._unplaced: dict[Place, str] = {}
        self._started = {topic for topic, _ in resume.offsets}
        self._met = False
        self._missing: dict[str, str] = {}

    def arrange(self, client: Client, topics: Mapping[str, Topic], *, until: float) -> str:
        """Follow what the cluster says of the topics; return why the stage is blind, "" if it is not."""
        blind = ""
        for name, side in self._sides.items():
            topic = topics.get(name)
            reason = self._absence(name, topic)
            if reason and (side == "" or (topic is not None and topic.error != requests.UNKNOWN_TOPIC)):
                blind = blind or ("" if side == DEAD_LETTER else reason)
            if reason and reason != self._missing.get(name):
                self._tell(name, reason)
            self._missing[name] = reason
            if topic is not None and not reason:
                self._follow(topic, side)
        self._met = True
        self._place_new(client, until)
        return blind

    def _tell(self, name: str, reason: str) -> None:
        if self._sides[name]:
            self.notes.append(f"{self._sides[name].replace('_', ' ')}: {reason}")

    def _absence(self, name: str, topic: Topic | None) -> str:
        if topic is None or topic.error == requests.UNKNOWN_TOPIC:
            return f"topic {name} does not exist"
        if topic.error == requests.DENIED:
            return f"not authorized to read topic {name}"
        if topic.error:
            return f"topic {name}: {topic.reason}"
        return ""

    def _follow(self, topic: Topic, side: str) -> None:
        before = self._known.get(topic.name)
        if topic is before:
            return
        self._known[topic.name] = topic
        self._leaders = {(t.name, part): led for t in self._known.values() for part, led in t.leaders.items()}
        self._epochs = {(t.name, part): led for t in self._known.values() for part, led in t.epochs.items()}
        if before is not None and topic.leaders == before.leaders and topic.id == before.id:
            return
        if before is not None and len(before.leaders) != len(topic.leaders):
            self.notes.append(
                f"topic {topic.name} has {len(topic.leaders)} partitions, had {len(before.leaders)}"
            )
        if before is not None and NO_ID not in (before.id, topic.id) and before.id != topic.id:
            self._again(topic)
        outlived = before is None and self._outlived(topic)
        for partition in topic.leaders:
            place = (topic.name, partition)
            if place not in self.readings and place not in self._unplaced:
                self._meet(place, side)
        if outlived:
            self._again(topic)

    def _outlived(self, topic: Topic) -> bool:
        """Drop places that an earlier run kept of another topic of this name; say whether none is left."""
        kept = [place for place in self._resume if place[0] == topic.name]
        same = {"", str(topic.id)}
        stale = [p for p in kept if topic.id != NO_ID and self._topic_ids.get(p, "") not in same]
        self._resume = {place: at for place, at in self._resume.items() if place not in stale}
        self.generation += bool(stale)
        return bool(stale) and len(stale) == len(kept)

    def _meet(self, place: Place, side: str) -> None:
        """Resume where reading stopped; else read what is new: a new topic's or partition's beginning."""
        if place in self._resume:
            offset, covered = self._resume.pop(place)
            epoch = self._read_epochs.get(place, -1)
            self.readings[place] = Reading(*place, side, offset, since=covered, epoch=epoch)
        elif self._met or place[0] in self._started:
            since = self._earliest(place[0])
            self.readings[place] = Reading(*place, side, 0, since=since)
        else:
            self._unplaced[place] = side

    def _earliest(self, topic: str) -> datetime | None:
        """Since when we have been reading at all: what is read from its beginning is covered since then."""
        own = [r.since for r in self.readings.values() if r.since is not None and r.place == topic]
        every = [r.since for r in self.readings.values() if r.since is not None]
        waiting = [covered for (name, _), (_, covered) in self._resume.items() if name == topic]
        return min(own + waiting or every, default=None)

    def _again(self, topic: Topic) -> None:
        self.notes.append(f"topic {topic.name} was made again: reading it from its beginning")
        self.generation += 1
        for place in [p for p in self.readings if p[0] == topic.name]:
            if place[1] in topic.leaders:
                self.readings[place].jump(0, now=self._now())
            else:
                del self.readings[place]

    def coverage(self) -> list[Coverage]:
        """What is covered of each partition, as far as anything is."""
        ids = {name: "" if topic.id == NO_ID else str(topic.id) for name, topic in self._known.items()}
        told = (reading.coverage(ids.get(reading.place, "")) for reading in self.readings.values())
        return [item for item in told if item is not None]

    def leader(self, place: Place) -> int:
        """The broker to read a partition from, -1 when it has none."""
        return self._leaders.get(place, -1)

    def epoch(self, place: Place) -> int:
        """The number of the leadership of a partition, -1 where it is not known."""
        return self._epochs.get(place, -1)

    def by_leader(self, places: Iterable[Place]) -> dict[int, list[Place]]:
        """The partitions that can be asked for now, by the broker that leads them."""
        found: dict[int, list[Place]] = {}
        for place in places:
            if (leader := self.leader(place)) >= 0:
                found.setdefault(leader, []).append(place)
        return found

    def ids(self) -> Mapping[str, UUID]:
        """The topics' ids, where the cluster tells them."""
        return {name: topic.id for name, topic in self._known.items()}

    def count(self, topic: str) -> int | None:
        """How many partitions a topic has."""
        known = self._known.get(topic)
        return None if known is None else len(known.leaders)

    def leaderless(self) -> Sequence[Place]:
        """Partitions that nobody leads at the moment."""
        return [place for place in (*self.readings, *self._unplaced) if self.leader(place) < 0]

    def _place_new(self, client: Client, until: float) -> None:
        """Put partitions without a past at their end; covered from when that end is known."""
        if not self._unplaced:
            return
        found = self._offsets(client, self._unplaced, requests.LATEST, until)
        since = self._now()
        for place, offset in found.items():
            side = self._unplaced.pop(place)
            self.readings[place] = Reading(*place, side, offset, since=since)

    def _offsets(self, client: Client, places: Iterable[Place], which: int, until: float) -> dict[Place, int]:
        found: dict[Place, int] = {}
        for node, some in self.by_leader(places).items():
            found.update(client.ask(requests.offsets, client, node, some, which, until=until))
        return found

    def relocate(self, client: Client, refused: Mapping[Place, int], *, until: float) -> int:
        """Go on after offsets that the broker no longer (or not yet) has; return how many records expired.

        Below the log: retention passed us. Above it: the topic was made again, or, where topic ids say
        that it is the same one, the cluster lost the end of its log; that may have grown again since.
        """
        lost = [r for place, at in refused.items() if (r := self.readings.get(place)) and r.next_offset == at]
        places = [(r.place, r.partition) for r in lost]
        first = self._offsets(client, places, requests.EARLIEST, until)
        last = self._offsets(client, places, requests.LATEST, until)
        expired = 0
        for place, reading in zip(places, lost, strict=True):
            reading.log_start = first.get(place, reading.log_start)
            if place not in first or place not in last:
                reading.failed("its offsets cannot be read", now=self._now())
            elif reading.next_offset < first[place]:
                expired += first[place] - reading.next_offset
                self._expire(reading, first[place])
            elif reading.next_offset > last[place] and self._known[reading.place].id == NO_ID:
                self._tell_of(reading, "it was made again")
                reading.jump(first[place], now=self._now())
            else:
                self.parted(reading, last[place])
        return expired

    def _expire(self, reading: Reading, start: int) -> None:
        count = start - reading.next_offset
        self.notes.append(
            f"topic {reading.place}, partition {reading.partition}: retention removed {count} offsets unread"
        )
        reading.jump(start, now=self._now(), expired=count)

    def parted(self, reading: Reading, offset: int) -> None:
        """Go on where the log parted from what was read of it; what stands there now was written since."""
        self._tell_of(reading, "the cluster lost the end of its log")
        reading.jump(min(offset, reading.next_offset), now=self._now())

    def _tell_of(self, reading: Reading, what: str) -> None:
        self.notes.append(f"topic {reading.place}, partition {reading.partition}: {what}")
        self.generation += 1
