"""Sampled events that were lost, looked for in whatever the next topic and the dead letters got since."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from alerts.condition import Amendment
from canary.sampled import Place, Sample
from canary.traffic import TrafficWindow
from reconcile.sampling import OUTCOMES, Sampled

MOST = 1_000
"""So many lost events of one sample are looked for."""

WORDS = {"arrived": "arrived after all", "dead_lettered": "dead-lettered after all"}


class Topic(Protocol):
    """A stage's topics. Raises TopicTroubleError."""

    def ends(self, *, letters: bool = False) -> Mapping[Place, int]: ...
    def sample(
        self, starts: Mapping[Place, int], ends: Mapping[Place, int], *, share: float, budget: int
    ) -> Sample: ...


@dataclass(frozen=True, slots=True)
class TurnedUp:
    """A sample's window as it is now, the one before, and by outcome the ids that it lost no longer."""

    before: TrafficWindow
    after: TrafficWindow
    found: Mapping[str, Sequence[UUID]]

    def line(self) -> str:
        """For a person."""
        told = "; ".join(f"{len(ids)} {WORDS[outcome]}" for outcome, ids in self.found.items() if ids)
        left = self.after.report["lost"]
        return f"{self.after.place} {self.after.start:%H:%M:%S}: of the lost {told}; {left} still lost"

    def amendments(self, told_for: timedelta) -> Iterator[Amendment]:
        """For those who were told; the loss counted for so long."""
        at = self.before.told_at
        for outcome, ids in self.found.items():
            for id_ in ids:
                key = f"audit_lost:{self.before.place}"
                yield Amendment(key, str(id_), at, at + told_for, WORDS[outcome])


@dataclass
class Sought:
    """The lost of all samples for `again_for`, and how far the next topic and the dead letters were read."""

    again_for: timedelta
    lost: dict[datetime, tuple[TrafficWindow, frozenset[UUID]]] = field(default_factory=dict)
    second: dict[Place, int] = field(default_factory=dict)
    letters: dict[Place, int] = field(default_factory=dict)

    def restore(self, windows: Sequence[TrafficWindow]) -> None:
        """What earlier runs lost; read on from where their samples ended."""
        for window in windows:
            ids = window.report.get("lost_ids", ())
            if ids:
                to = window.report["read_to"]
                self.note(window, [UUID(one) for one in ids], _places(to["second"]), _places(to["letters"]))

    def note(
        self,
        window: TrafficWindow,
        ids: Sequence[UUID],
        second: Mapping[Place, int],
        letters: Mapping[Place, int],
    ) -> None:
        """Look for these too, in what comes after these offsets."""
        self.lost[window.start] = window, frozenset(ids)
        for kept, told in ((self.second, second), (self.letters, letters)):
            kept |= {place: min(offset, kept.get(place, offset)) for place, offset in told.items()}

    def look(self, first: Topic, second: Topic, *, budget: int, now: datetime) -> Iterator[TurnedUp]:
        """Read on, as far as the budget goes. Raises TopicTroubleError."""
        for start in [start for start in self.lost if now - start > self.again_for]:
            del self.lost[start]
        if not self.lost:
            self.second, self.letters = {}, {}
            return
        dead = first.sample(self.letters, first.ends(letters=True), share=1.0, budget=budget)
        self.letters = dict(dead.next)
        came = second.sample(self.second, second.ends(), share=1.0, budget=max(0, budget - dead.read))
        self.second = dict(came.next)
        yield from self.seen(came.ids.keys(), dead.ids.keys())

    def seen(self, arrived: AbstractSet[UUID], letters: AbstractSet[UUID]) -> Iterator[TurnedUp]:
        """These were seen there, whoever looked."""
        for start, (window, ids) in list(self.lost.items()):
            found = {"arrived": sorted(ids & arrived), "dead_lettered": sorted((ids & letters) - arrived)}
            left = ids.difference(*found.values())
            if left == ids:
                continue
            after = _amended(window, found, sorted(left))
            if left:
                self.lost[start] = after, left
            else:
                del self.lost[start]
            yield TurnedUp(window, after, found)


def kept(ids: Sequence[UUID], second: Mapping[Place, int], letters: Mapping[Place, int]) -> Mapping[str, Any]:
    """What a window's report keeps of them, so that they are looked for after a restart."""
    if not ids:
        return {}
    to = {"second": _told(second), "letters": _told(letters)}
    return {"lost_ids": [str(one) for one in ids[:MOST]], "read_to": to}


def _amended(
    window: TrafficWindow, found: Mapping[str, Sequence[UUID]], left: Sequence[UUID]
) -> TrafficWindow:
    report = dict(window.report)
    for outcome, ids in found.items():
        report[outcome] += len(ids)
        report["lost"] -= len(ids)
    gone = {str(id_) for ids in found.values() for id_ in ids}
    names = [str(one) for one in left]
    shown = [one for one in report["first_ids"] if one not in gone]
    told = Sampled(*(report[name] for name in OUTCOMES))
    report |= {
        "first_ids": shown or names[: len(report["first_ids"])],
        "lost_ids": names,
        "lost_at_most": told.bound,
        "amendments": report.get("amendments", 0) + 1,
    }
    return replace(window, verdict=told.verdict, report=report)


def _told(places: Mapping[Place, int]) -> list[list[Any]]:
    return [[topic, partition, offset] for (topic, partition), offset in places.items()]


def _places(told: Sequence[Sequence[Any]]) -> dict[Place, int]:
    return {(topic, partition): offset for topic, partition, offset in told}
