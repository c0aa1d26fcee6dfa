"""Four faults of a pipeline as the rules see them, so that what is rendered is what people would be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from alerts.condition import Condition
from canary.background import Background
from canary.book import Book, Entry
from canary.described import Change, Keeps
from canary.readings import StageSpec
from canary.rules import conditions
from canary.scene import Scene
from canary.values import Answer, Judged, Look, Owed, Position, Seen, WindowReport
from reconcile.outcome import INGRESS, Outcome, Receipt

T0 = datetime(2026, 3, 14, 2, 16, 5, tzinfo=UTC)
"""When people are told."""
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NAMES = (INGRESS, "raw", "processed", "events")
KEEPS = {name: Keeps(timedelta(days=7), "retention.ms") for name in ("raw", "processed")}
COLUMN = "posthog.events: column plan LowCardinality(String) -> Enum8('free' = 0, 'paid' = 1)"


@dataclass
class Case:
    """A pipeline of two topics and a table; `main` sends to it once a second."""

    now: datetime = T0
    down: Mapping[str, list[datetime]] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    outcome: Outcome = Outcome.ON_TIME

    def __post_init__(self) -> None:
        specs = [StageSpec(name, topic=name != "events", place=name) for name in NAMES[1:]]
        self.book = Book(specs, epoch_started_at=T0 - timedelta(days=1), grace=MINUTE)
        for name in NAMES[1:]:
            self.book.readings[name].learn(Look(name, self.now, self.now))

    def canary(self, number: int, sent_at: datetime, outcome: Outcome, why: str) -> Entry:
        """Seen in both topics, and then no more."""
        id_ = UUID(int=0x019CEAC5_2A00_7CC9_8C92_6D6A3D7A1F00 + (number << 80) + number)
        window = sent_at.replace(second=0, microsecond=0)
        owed = Owed(id_, "main", number % 3 + 4, "canary-1", sent_at, window, window + 2 * MINUTE, 1, "")
        entry = self.book.add(owed)
        entry.answer = Answer(Receipt.ACCEPTED, sent_at, sent_at, 1, 200, "200 OK")
        for place, name in enumerate(NAMES[1:3]):
            self.book.saw(entry, Seen(id_, name, name, sent_at + place * SECOND, partition=0, offset=number))
        hop = (NAMES[2], NAMES[3]) if outcome is Outcome.LOST else None
        entry.judged = Judged(id_, outcome, outcome is Outcome.LOST, self.now, hop, reason=why)
        return entry

    def found(self, kind: str, *recent: Entry) -> Condition:
        """The condition of this kind, by the rules."""
        window = self.now.replace(second=0, microsecond=0) - 2 * MINUTE
        outcomes = dict.fromkeys(Outcome, 0) | {Outcome.ON_TIME: 60 - len(recent), Outcome.LOST: len(recent)}
        report = WindowReport(
            "main", window, window + MINUTE, self.now, 60, 60, outcomes, {}, {}, {"max": 1.0}
        )
        scene = Scene(
            now=self.now,
            book=self.book,
            latest={"main": report},
            recent=recent,
            down=self.down,
            background=Background(changes=self.changes, keeps=KEEPS),
        )
        return next(one for one in conditions(scene)[0] if one.key.startswith(kind))


def lost() -> Condition:
    """Three of sixty, twelve minutes after a column was altered."""
    began = T0 - 58 * SECOND
    case = Case(changes=(Change("events", COLUMN, began - 12 * MINUTE, began - 12 * MINUTE),))
    why = "its consumer has passed it, and events does not show it"
    return case.found("lost:", *(case.canary(n, began + n * SECOND, Outcome.LOST, why) for n in range(3)))


def behind() -> Condition:
    """The consumer into the table works off less than what comes in, since partitions were added."""
    began = T0 - 243 * SECOND
    case = Case(
        changes=(
            Change(
                "processed", "topic processed: partitions 8 -> 16", began - 9 * MINUTE, began - 4 * MINUTE
            ),
        )
    )
    window = (began.replace(second=0, microsecond=0), "main")
    for number in range(118):
        entry = case.canary(
            number, began + number * SECOND, Outcome.OVERDUE, "queued: its consumer has not come to it yet"
        )
        case.book.settled.setdefault((window[1], window[0]), {})[entry.owed.id] = entry
    for seconds, committed, end in ((-90, 300_000, 342_000), (-30, 300_600, 345_000), (0, 300_900, 349_111)):
        at = T0 + seconds * SECOND
        position = Position("processed", 0, committed, 0, end, at)
        case.book.readings["processed"].learn(Look("processed", at, at, positions=[position], partitions=1))
    return case.found("behind:")


def blind() -> Condition:
    """A table that does not answer."""
    case = Case()
    at = T0 - 81 * SECOND
    case.book.readings["events"].learn(Look("events", at, at))
    case.book.readings["events"].learn(Look("events", T0, T0, blind="timed out after 2 s"))
    return case.found("blind:")


def down() -> Condition:
    """Four minutes of the last fifteen."""
    minute = T0.replace(second=0)
    minutes = [minute - back * MINUTE for back in (8, 7, 6, 5)]
    assert all(b - a == MINUTE for a, b in pairwise(minutes))
    return Case(down={"main": minutes}).found("down:")
