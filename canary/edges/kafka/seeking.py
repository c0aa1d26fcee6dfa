"""What of a busy topic is worth reading: where each canary must be, and when all must be read; pure.

*full*: all of it, always. *targeted*: each canary is hunted for in the partition where its key leads it.
*on_demand*: the same, but only for canaries that the last stage has not shown after `seek_after`. A hunt
begins where the topic stood when the canary was sent, or later by a hint (the time of its record), and
covers nothing: only what was read without a gap from such a floor is covered. So who is not found in time
is *searched*: every partition is read from that floor on, until it is seen or its outcome is final.
Thus no verdict rests on a prediction, a record's time or a partition that was not read.
"""

from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from canary.edges.kafka.floors import Floor, Floors, Place
from canary.edges.kafka.trust import Rate, Reading, Trust
from canary.values import Sighting, Wanted

SLACK = timedelta(milliseconds=15)
"""A record's time may lie so much before what the earliest of the last ones lets us expect."""

FIRST_LOOK = timedelta(milliseconds=250)
LEADS = 100
LEADS_ENOUGH = 5

GROWN = timedelta(minutes=5)
"""Producers learn of new partitions so late; until then their keys do not tell where canaries go."""

ANCHOR = timedelta(seconds=60)
"""How often a topic that is not read notes where it stands: from there a restart reads on."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """Look for one canary in one partition, from `offset`; or, where that is None, from the first record of
    `hint` or later (from `floor` on without one). `missed_at`: it was not there yet at this time."""

    id: UUID
    partition: int
    floor: int
    offset: int | None
    hint: datetime | None
    missed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `read`: all partitions, and those whose reading does not reach back to `since` first
    go to `floor`. `anchor`: where those that are not read may skip to, once in a while (`due`)."""

    read: bool
    since: datetime | None = None
    floor: Floor | None = None
    anchor: Floor | None = None
    due: bool = False


@dataclass(slots=True)
class _Target:
    at: int | None = None
    missed_at: datetime | None = None
    whole: bool = False
    over: bool = False


@dataclass(slots=True)
class _Trail:
    """What hunts have read of one partition: from `start` to `at`, which was its end at `missed_at`."""

    start: int
    at: int
    missed_at: datetime | None


class Seeking:
    """Decides for one stage. `notes` collects what a person should know."""

    def __init__(self, reading: Reading, *, topic: str, seek_after: timedelta, above: float) -> None:
        self.notes: list[str] = []
        self._reading = reading
        self._topic = topic
        self._seek_after = seek_after
        self._trust = Trust()
        self._rate = Rate(above)
        self._floors = Floors()
        self._targets: dict[UUID, _Target] = {}
        self._wanted: dict[UUID, Wanted] = {}
        self._trails: dict[int, _Trail] = {}
        self._leads: deque[timedelta] = deque(maxlen=LEADS)
        self._partitions: int | None = None
        self._grown_at: datetime | None = None
        self._anchored_at: datetime | None = None

    @property
    def seeks(self) -> bool:
        """Whether it has to be told which canaries are wanted."""
        return self._reading != "full"

    @property
    def mode(self) -> str:
        """How the topic is read now."""
        if self._reading == "auto":
            return "on_demand" if self._rate.busy else "full"
        if self._reading == "targeted" and not self._trust.believed:
            return "full"
        return self._reading

    def astray(self) -> int:
        """How many canaries were not where their keys lead, since the last call."""
        count, self._trust.astray = self._trust.astray, 0
        return count

    def resume(self, at: datetime, offsets: Mapping[Place, int]) -> None:
        """Where an earlier run stopped: a floor as well."""
        if offsets:
            self._floors.learn(at, offsets)

    def forget(self) -> None:
        """The topic was made again: no offset means what it did."""
        self._floors.clear()
        self._targets.clear()
        self._trails.clear()

    def counted(self, partitions: int | None, at: datetime) -> None:
        """How many partitions the topic has, by the cluster's word."""
        if partitions is not None:
            if self._partitions is not None and partitions > self._partitions:
                self._grown_at = at
            self._partitions = partitions

    def ends(self, at: datetime, ends: Mapping[Place, int], *, asked: bool) -> None:
        """Take the watermarks as they were told by `at`; `asked` just for this, or noted some time before."""
        if not self.seeks or not ends:
            return
        if asked and self._floors.went_back(ends):
            self.forget()
        self._floors.learn(at, ends)
        if self._rate.learn(at, ends) and self._reading == "auto":
            how = "reading it on demand" if self._rate.busy else "reading all of it again"
            self.notes.append(f"topic {self._topic} has {self._rate.rate:,.0f} messages a second: {how}")

    def plan(self, wanted: Sequence[Wanted], now: datetime) -> Plan:
        """What to read now for these canaries, all that the stage has not shown."""
        self._wanted = {one.id: one for one in wanted}
        self._targets = {id_: item for id_, item in self._targets.items() if id_ in self._wanted}
        self._floors.forget(min((one.sent_at for one in wanted), default=now))
        if self.mode == "full":
            return Plan(read=True)
        open_ = [one for one in wanted if not one.arrived]
        searched = [one.sent_at for one in open_ if self._late(one, now - one.sent_at)]
        if searched:
            since = min(searched)
            return Plan(read=True, since=since, floor=self._floors.before(since))
        anchor = self._floors.before(min((one.sent_at for one in open_), default=now))
        if anchor is None:
            return Plan(read=False)
        due = self._anchored_at is None or anchor.at - self._anchored_at >= ANCHOR
        self._anchored_at = anchor.at if due else self._anchored_at
        return Plan(read=False, anchor=anchor, due=due)

    def hunts(self, now: datetime, *, but: Container[UUID] = ()) -> Sequence[Hunt]:
        """Whom to look for next, one a partition, the oldest first; these aside."""
        found: dict[int, Hunt] = {}
        if self.mode == "full":
            return ()
        for one in sorted(self._wanted.values(), key=lambda one: one.sent_at):
            age = now - one.sent_at
            if one.id in but or (self.mode == "on_demand" and (one.arrived or age < self._seek_after)):
                continue
            target = self._targets.setdefault(one.id, _Target())
            if target.over or age < self._patience() or (not one.arrived and self._late(one, age)):
                continue
            if (hunt := self._hunt(one, target)) is not None:
                found.setdefault(hunt.partition, hunt)
        return list(found.values())

    def _late(self, one: Wanted, age: timedelta) -> bool:
        """Whether it has to be searched for: hunting did not find it in time, or cannot."""
        if age < self._seek_after:
            return False
        target = self._targets.setdefault(one.id, _Target())
        hunted = target.missed_at is not None and target.missed_at - one.sent_at >= self._seek_after
        return hunted or target.over or not self._aimed(one) or age >= 2 * self._seek_after

    def _aimed(self, one: Wanted) -> bool:
        if one.partition is None or not self._trust.believed:
            return False
        return self._grown_at is None or one.sent_at > self._grown_at + GROWN

    def _patience(self) -> timedelta:
        """How old a canary is when most are there: who looks earlier reads twice."""
        if len(self._leads) < LEADS_ENOUGH:
            return FIRST_LOOK
        usual = sorted(self._leads)[int(0.9 * (len(self._leads) - 1))]
        return min(max(usual, timedelta(0)) + FIRST_LOOK, self._seek_after)

    def _hunt(self, one: Wanted, target: _Target) -> Hunt | None:
        floor = self._floors.before(one.sent_at)
        if floor is None or one.partition is None or not self._aimed(one):
            return None
        hint, trail = None, self._trails.get(one.partition)
        if target.at is not None and trail is not None and trail.start <= target.at <= trail.at:
            target.at = trail.at
        if target.at is None and not target.whole and len(self._leads) >= LEADS_ENOUGH:
            hint = one.sent_at + min(self._leads) - SLACK
        offset = floor.offset((self._topic, one.partition))
        return Hunt(one.id, one.partition, offset, target.at, hint, target.missed_at)

    def begun(self, hunt: Hunt, offset: int) -> Hunt:
        """The hunt with its beginning found: past what was read already."""
        trail = self._trails.get(hunt.partition)
        missed_at = hunt.missed_at
        if trail is not None and trail.start <= offset <= trail.at:
            offset, missed_at = trail.at, trail.missed_at
        elif trail is None or offset > trail.at or offset < trail.start:
            self._trails[hunt.partition] = _Trail(offset, offset, None)
        return Hunt(hunt.id, hunt.partition, hunt.floor, offset, None, missed_at)

    def hunted(self, hunt: Hunt, next_offset: int, ended_at: datetime | None, now: datetime) -> None:
        """The partition was read up to `next_offset`, which was its end when asked at `ended_at`."""
        trail = self._trails.get(hunt.partition)
        if trail is not None and hunt.offset == trail.at:
            trail.at, trail.missed_at = next_offset, ended_at
        target, one = self._targets.get(hunt.id), self._wanted.get(hunt.id)
        if target is None or one is None:
            return
        target.at, target.missed_at = next_offset, ended_at or target.missed_at
        if ended_at is None or not one.arrived:
            return
        if not target.whole:  # a record's time may have led us past it
            target.at, target.whole = None, True
            self._trails.pop(hunt.partition, None)
            return
        target.over = True
        if self._trust.missing(now):
            self._tell_wrong()

    def failed(self, hunt: Hunt) -> None:
        """Its offsets are not there (any more): only a search can tell."""
        target = self._targets.get(hunt.id)
        self._trails.pop(hunt.partition, None)
        if target is not None:
            target.over = True

    def saw(self, sightings: Iterable[Sighting], now: datetime) -> None:
        """Hold what was seen against where it should have been."""
        for item in sightings:
            one = self._wanted.get(item.id)
            if one is None or item.side:
                continue
            self._targets.pop(item.id, None)
            if item.at is not None:
                self._leads.append(item.at - one.sent_at)
            if one.partition is None or (
                self._grown_at is not None and one.sent_at <= self._grown_at + GROWN
            ):
                continue
            if item.partition != one.partition:
                if self._trust.wrong(now):
                    self._tell_wrong()
            elif self._trust.right(now):
                self.notes.append(f"topic {self._topic}: canaries are where their keys lead again")

    def _tell_wrong(self) -> None:
        how = "all of it is read" if self._reading == "targeted" else "nothing is looked for by them"
        self.notes.append(
            f"topic {self._topic}: canaries are not in the partitions where key and partitioner lead: "
            f"{how} until they are right again"
        )
