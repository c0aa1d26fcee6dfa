"""Between two neighbouring topics, where offsets do not match: a sample by id, followed to the end.

Sound without any clock of the pipeline: the later topic's ends are read before the earlier one's, so whatever
is sampled from there on has its copy behind them. A missing one is called lost only after the consumer in
between has passed all of its records, the later topic and the dead letters were read to ends taken after
that, and a second look, later, does not show it either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from alerts.condition import Amendment
from canary.audit import sought
from canary.audit.beside import Hears
from canary.audit.sought import MOST, Sought, TurnedUp, kept
from canary.metrics import Metrics
from canary.sampled import Place, Sample, TopicTroubleError
from canary.traffic import BETWEEN, TrafficWindow
from canary.values import Now
from reconcile.sampling import CONFIDENCE, OUTCOMES, Sampled, count, judge

IDS = 20_000
"""More ids than that are thinned out by their hash."""

SHOWN = 5
PAUSE = timedelta(seconds=1)
NO_MATCH = "no id of a sample was ever found in the later topic: its ids may be others"


class Topic(sought.Topic, Protocol):
    """A stage's topics. Raises TopicTroubleError."""

    name: str

    def positions(self) -> Mapping[Place, int | None]: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """A sample every `window`, taken `after` its start and given up `lost_after` it; `messages` are read for
    one sample, of both topics together. What it leaves of them goes to the lost of earlier ones, which are
    looked for `again_for`; people hear of a loss for `told_for`."""

    window: timedelta
    after: timedelta
    lost_after: timedelta
    messages: int
    again_for: timedelta = timedelta(hours=24)
    told_for: timedelta = timedelta(minutes=10)


@dataclass
class _Round:
    """One sample under way."""

    at: datetime
    starts: Mapping[Place, int]
    following: Mapping[Place, int]
    letters_from: Mapping[Place, int]
    sample: Sample | None = None
    arrived: set[UUID] = field(default_factory=set)
    letters: set[UUID] = field(default_factory=set)
    left: int = 0
    whole: bool = True
    share: float = 1.0
    taken_at: datetime | None = None
    lost: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Between:
    """What a sample showed. `share` of the events between the two ends is in it."""

    at: datetime
    first: str
    second: str
    told: Sampled
    share: float
    lost: tuple[UUID, ...]

    def as_json(self) -> dict[str, Any]:
        """For reports; keys may be added."""
        told = self.told
        return {
            "sampled": told.sampled,
            **{name: getattr(told, name) for name in OUTCOMES},
            "share": self.share,
            "lost_at_most": told.bound,
            "first_ids": [str(one) for one in self.lost[:SHOWN]],
        }

    def line(self) -> str:
        """For a person."""
        told = self.told
        parts = OUTCOMES[1:]
        rest = "".join(f", {getattr(told, n)} {n.replace('_', ' ')}" for n in parts if getattr(told, n))
        ids = f"; lost: {', '.join(map(str, self.lost[:SHOWN]))}" if self.lost else ""
        return (
            f"{self.first}->{self.second} {self.at:%H:%M:%S}: {told.sampled} sampled ({self.share:.1%}), "
            f"{told.arrived} arrived{rest}; at most {told.bound:.3%} lost by {CONFIDENCE:.0%}{ids}"
        )


class BetweenAudit:
    """Takes a sample a window. One thread. `earlier` are the windows of runs before this one."""

    def __init__(
        self,
        first: Topic,
        second: Topic,
        pace: Pace,
        *,
        now: Now,
        metrics: Metrics,
        hears: Hears,
        tell: Callable[[Sequence[Amendment]], object],
        earlier: Sequence[TrafficWindow] = (),
    ) -> None:
        self._first = first
        self._second = second
        self._pace = pace
        self._now = now
        self._metrics = metrics
        self._hears = hears
        self._tell = tell
        self._sought = Sought(pace.again_for)
        self._sought.restore(earlier)
        self._matched = any(window.report.get("arrived") for window in earlier)
        self._doubt = ""
        self._last: _Round | None = None
        self._round: _Round | None = None
        self._next = now()
        self._due = now()
        self._hop = f"{first.name}->{second.name}"

    def step(self) -> timedelta:
        """Begin, sample or look again, whatever is due; how long until the next."""
        now = self._now()
        if now >= self._due:
            try:
                self._due = now + self._work(now)
                self._said(self._doubt)
            except TopicTroubleError as trouble:
                self._said(str(trouble))
                self._due = now + self._pace.after
                if self._round is not None and now - self._round.at > self._pace.lost_after:
                    self._round = None
        return min(max(self._due - now, timedelta(0)), PAUSE)

    def _said(self, trouble: str) -> None:
        self._metrics.gauge("between_blind", self._hop).set(bool(trouble))
        self._hears.blind(trouble)

    def _work(self, now: datetime) -> timedelta:
        if self._round is None:
            self._seek(now)
            following = self._second.ends()
            letters = self._first.ends(letters=True)
            self._round = _Round(now, self._first.ends(), following, letters, left=self._pace.messages)
            return self._pace.after
        if self._round.sample is None:
            self._take(self._round, now)
        return self._look(self._round, now)

    def _take(self, one: _Round, now: datetime) -> None:
        ends = self._first.ends()
        between = sum(max(0, end - one.starts.get(place, 0)) for place, end in ends.items())
        most = self._pace.messages // 3
        share = min(1.0, IDS / max(1, min(between, most)))
        one.sample = self._first.sample(one.starts, ends, share=share, budget=most)
        one.left -= one.sample.read
        one.taken_at = now
        one.share = share * min(1.0, one.sample.read / between) if between else 1.0

    def _look(self, one: _Round, now: datetime) -> timedelta:
        assert one.sample is not None  # it was taken before
        positions = self._first.positions()
        self._read_on(one)
        self._matched = self._matched or not one.arrived.isdisjoint(one.sample.ids)
        passed = {id_: _passed(places, positions) for id_, places in one.sample.ids.items()}
        outcomes = judge(passed, arrived=one.arrived, letters=one.letters, whole=one.whole and self._matched)
        lost = frozenset(id_ for id_, outcome in outcomes.items() if outcome == "lost")
        told = count(outcomes)
        confirmed = lost == one.lost or not lost
        one.lost = lost
        overdue = now - one.at > self._pace.lost_after or not one.whole
        if not confirmed or ((told.waiting or told.unread) and not overdue):
            return self._pace.after
        self._doubt = "" if self._matched else NO_MATCH if told.unread else self._doubt
        self._finish(one, told, lost, now)
        self._round, self._last = None, one
        self._next = max(self._next + self._pace.window, now)
        return self._next - now

    def _read_on(self, one: _Round) -> None:
        """To ends taken now, as far as the budget reaches; whatever gap there is, it is never a loss."""
        for letters in (False, True):
            source = self._first if letters else self._second
            ends = source.ends(letters=letters)
            starts = one.letters_from if letters else one.following
            read = source.sample(starts, ends, share=1.0, budget=max(0, one.left))
            one.left -= read.read
            again = any(ends.get(place, 0) < start for place, start in starts.items())  # made again
            one.whole = one.whole and not read.gap and not again
            if letters:
                one.letters_from, one.letters = read.next, one.letters | read.ids.keys()
            else:
                one.following, one.arrived = read.next, one.arrived | read.ids.keys()

    def _seek(self, now: datetime) -> None:
        """What was lost and turned up since, in what the last sample read and in what its budget leaves."""
        if (last := self._last) is None:
            return
        for found in self._sought.seen(last.arrived, last.letters):
            self._amended(found)
        for found in self._sought.look(self._first, self._second, budget=max(0, last.left), now=now):
            self._amended(found)
        self._last = None

    def _amended(self, found: TurnedUp) -> None:
        """Tell it before the ledger knows; the loss stays counted."""
        self._tell(list(found.amendments(self._pace.told_for)))
        for outcome, ids in found.found.items():
            self._metrics.counter("between_sampled_total", self._hop, outcome).inc(len(ids))
        self._metrics.counter("between_amended_total", self._hop).inc()
        self._hears.found(found.after, found.line())

    def _finish(self, one: _Round, told: Sampled, lost: frozenset[UUID], now: datetime) -> None:
        for name in OUTCOMES:
            self._metrics.counter("between_sampled_total", self._hop, name).inc(getattr(told, name))
        self._metrics.gauge("between_lost_at_most", self._hop).set(told.bound)
        self._metrics.gauge("between_share", self._hop).set(one.share)
        named = tuple(sorted(lost))
        found = Between(one.at, self._first.name, self._second.name, told, one.share, named)
        end = one.taken_at or now
        report = {**found.as_json(), **kept(named, one.following, one.letters_from)}
        window = TrafficWindow(BETWEEN, self._hop, one.at, end, now, told.verdict, report)
        if named:
            self._sought.note(window, named[:MOST], one.following, one.letters_from)
        self._hears.found(window, found.line())


def _passed(places: Mapping[Place, int], positions: Mapping[Place, int | None]) -> bool | None:
    """Whether the consumer has finished with all records of an event; None where one cannot be told."""
    told = [positions.get(place) for place in places]
    if any(at is not None and at <= offset for at, offset in zip(told, places.values(), strict=True)):
        return False
    return None if None in told else True
