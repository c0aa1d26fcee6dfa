"""`canary trace`: one real event in every place where it may be, asked in the order that makes it sound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from canary.trails import ALTERNATE, DEAD_LETTER, Find, Passage, Question, Searched, Seen
from canary.values import Now
from canary.verdict import EXIT, Evidence, State, Verdict, judge

EARLY = timedelta(minutes=5)
"""An event's record may be older than its id says: clocks differ."""

JUST_AFTER = timedelta(minutes=1)


@runtime_checkable
class TopicPlaces(Protocol):
    """A topic with its alternates and dead letters."""

    name: str

    def search(self, question: Question) -> Sequence[Searched]: ...
    def letters(self, question: Question) -> Sequence[Searched]: ...
    def passage(self, finds: Sequence[Seen]) -> Passage: ...


class TablePlaces(Protocol):
    """A table, and what hangs beside it."""

    name: str

    def search(self, question: Question) -> Searched: ...
    def beside(self, question: Question) -> Sequence[Searched]: ...


@dataclass(frozen=True, slots=True)
class Hint:
    """When the event was sent, if somebody knows; its record is looked for `within` of that."""

    around: datetime | None
    within: timedelta


@dataclass(frozen=True, slots=True)
class Traced:
    """Everything that is known of one event."""

    id: UUID
    around: datetime | None
    evidence: Evidence
    verdict: Verdict

    @property
    def exit_code(self) -> int:
        return EXIT[self.verdict.state]

    @property
    def last_seen(self) -> tuple[Searched, Find] | None:
        """The place furthest down the line that shows it; a dead letter comes after its own stage."""
        order = {name: number for number, name in enumerate(self.evidence.stages)}
        sides = ("", ALTERNATE, DEAD_LETTER)
        shown = [one for one in self.evidence.searched if one.finds and one.side in sides]
        if not shown:
            return None
        place = max(shown, key=lambda one: (order.get(one.stage, -1), one.side == DEAD_LETTER))
        return place, place.finds[-1]

    def as_json(self) -> dict[str, Any]:
        """The stable object: keys may be added, null where not known."""
        last = self.last_seen
        return {
            "schema": 1,
            "id": str(self.id),
            "state": self.verdict.state.value,
            "exit_code": self.exit_code,
            "why": self.verdict.why,
            "around": _stamp(self.around),
            "hop": None
            if self.verdict.hop is None
            else dict(zip(("from", "to"), self.verdict.hop, strict=True)),
            "spanned": list(self.verdict.spanned),
            "last_seen": None if last is None else _place(last[0]) | _find(last[1]),
            "places": [
                _place(one)
                | {
                    "gap": one.gap or None,
                    "read": one.read,
                    "notes": list(one.notes),
                    "finds": [_find(find) for find in one.finds],
                }
                for one in self.evidence.searched
            ],
            "consumers": [
                {"stage": name, "passed": p.passed, "drained": p.drained, "words": p.words}
                for name, p in self.evidence.passages.items()
            ],
        }


class Trace:
    """Asks all places for one event. `pause` waits; `lost_after` and `passed_grace` as for canaries."""

    def __init__(
        self,
        places: Sequence[TopicPlaces | TablePlaces],
        *,
        now: Now,
        lost_after: timedelta,
        passed_grace: timedelta,
        pause: Callable[[timedelta], object],
    ) -> None:
        self._places = places
        self._now = now
        self._lost_after = lost_after
        self._passed_grace = passed_grace
        self._pause = pause

    def run(self, id_: UUID, hint: Hint, *, messages: int, payload: bool = False) -> Traced:
        """Topics, positions, tables; a loss is called one only after a second look at the last table."""
        around = hint.around or told_by(id_, self._now())
        question = Question(id_, None, None, messages, payload)
        if around is not None:
            early = hint.within if hint.around is not None else EARLY
            question = replace(question, since=around - early, until=around + hint.within)
        tables: dict[str, Searched] = {}
        if around is None:
            around, question, tables = self._ask_tables_first(question, hint)
        searched, passages = self._topics(question)
        for place in self._places:
            if not isinstance(place, TopicPlaces):
                searched += [tables.get(place.name) or place.search(question), *place.beside(question)]
        traced = self._judged(id_, around, searched, passages)
        if traced.verdict.state not in (State.LOST, State.DROPPED):
            return traced
        return self._second(traced, question)

    def _second(self, traced: Traced, question: Question) -> Traced:
        """Before a loss is told: whether a second copy is under way, and the last table once more."""
        evidence, passages = traced.evidence, dict(traced.evidence.passages)
        searched = list(evidence.searched)
        for place in self._places:
            if isinstance(place, TopicPlaces) and evidence.finds(place.name, "", ALTERNATE):
                fresh = list(place.search(replace(question, until=None, copies=True)))
                passages[place.name] = place.passage(_seen(fresh))
                searched = _renewed(searched, fresh)
        self._pause(self._passed_grace)
        for place in self._places:  # a letter is written before the commit, perhaps after we read them
            if isinstance(place, TopicPlaces) and evidence.finds(place.name, "", ALTERNATE):
                searched = _renewed(searched, place.letters(replace(question, until=None)))
        last = self._places[-1]
        if isinstance(last, TopicPlaces):
            fresh = list(last.search(replace(question, until=None)))
        else:
            fresh = [last.search(question)]
        return self._judged(traced.id, traced.around, _renewed(searched, fresh), passages)

    def _topics(self, question: Question) -> tuple[list[Searched], dict[str, Passage]]:
        """Down the line: what is found in one topic says since when to read the next."""
        searched: list[Searched] = []
        passages: dict[str, Passage] = {}
        for place in self._places:
            if not isinstance(place, TopicPlaces):
                continue
            here = list(place.search(question))
            searched += here
            passages[place.name] = place.passage(_seen(here))
            times = [f.at for one in here if one.side != DEAD_LETTER for f in one.finds if f.at is not None]
            question = replace(question, since=min(times) - EARLY if times else question.since, until=None)
        return searched, passages

    def _ask_tables_first(
        self, question: Question, hint: Hint
    ) -> tuple[datetime | None, Question, dict[str, Searched]]:
        """Nobody knows when it was: a table that has it says so. What is absent is asked for again later."""
        tables: dict[str, Searched] = {}
        times: list[datetime] = []
        for place in self._places:
            if not isinstance(place, TopicPlaces):
                one = place.search(question)
                if one.finds:
                    tables[place.name] = one
                times += [find.at for find in one.finds if find.at is not None]
        if not times:
            return None, question, tables
        around = min(times)
        return around, replace(question, since=around - hint.within, until=around + JUST_AFTER), tables

    def _judged(
        self,
        id_: UUID,
        around: datetime | None,
        searched: Sequence[Searched],
        passages: dict[str, Passage],
    ) -> Traced:
        names = [place.name for place in self._places]
        evidence = Evidence(names, searched, passages, self._now(), self._lost_after)
        return Traced(id_, around, evidence, judge(evidence))


def _seen(searched: Sequence[Searched]) -> list[Seen]:
    return [
        Seen(one.place, find.partition, find.offset)
        for one in searched
        if one.side != DEAD_LETTER
        for find in one.finds
        if find.partition is not None and find.offset is not None
    ]


def _renewed(before: Sequence[Searched], fresh: Sequence[Searched]) -> list[Searched]:
    known = {(one.stage, one.place, one.side): one for one in fresh}
    return [known.get((one.stage, one.place, one.side), one) for one in before]


def told_by(id_: UUID, now: datetime) -> datetime | None:
    """The time in an id of version 7; None in any other, or where it cannot be true."""
    if id_.version != 7:
        return None
    seconds = (id_.int >> 80) / 1000
    latest = now + timedelta(days=1)
    if not 0 < seconds < latest.timestamp():
        return None
    return datetime.fromtimestamp(seconds, now.tzinfo)


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _place(one: Searched) -> dict[str, Any]:
    return {"stage": one.stage, "place": one.place, "side": one.side or None}


def _find(find: Find) -> dict[str, Any]:
    shown = {} if find.payload is None else {"payload": find.payload}
    return {
        "at": _stamp(find.at),
        "partition": find.partition,
        "offset": find.offset,
        "row": find.row or None,
        "reason": find.reason or None,
        "facts": dict(find.facts),
        **shown,
    }
