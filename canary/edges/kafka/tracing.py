"""Looks for one event in a topic, its alternates and its dead letters, and at the consumer behind them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from uuid import UUID

from canary.edges.kafka.batches import Record
from canary.edges.kafka.client import TroubleError
from canary.edges.kafka.likeness import Face, Likeness, told, value_of
from canary.edges.kafka.ranges import Bounds, NoTopicError, RangeReader
from canary.edges.kafka.record import moment_of
from canary.edges.kafka.stage import Settings
from canary.edges.kafka.traffic import EVERYTHING, dropped
from canary.trails import ALTERNATE, DEAD_LETTER, Find, Passage, Question, Searched, Seen
from reconcile.traffic import Policy

MARGIN = timedelta(minutes=5)
"""Records are not in the order of their times: so much further than the last time wanted is read."""

MAX_PAYLOAD = 100_000

Predict = Callable[[UUID, int], int | None]
"""The partition, of so many, that follows from an event's id; None where none does."""


class TopicTracer:
    """Never raises for outside trouble: a place that could not be searched says so in its gap."""

    def __init__(
        self,
        settings: Settings,
        *,
        predict: Predict,
        id_fields: Sequence[str] = (),
        policy: Policy = EVERYTHING,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._predict = predict
        self._fields = id_fields
        self._policy = policy
        self._followed = (settings.topic, *settings.alternates)
        self._reader = RangeReader(settings.access, (*self._followed, *settings.dead_letters))

    def search(self, question: Question) -> Sequence[Searched]:
        """The topic itself, then its alternates, then its dead letters."""
        sides = [(self._settings.topic, "")]
        sides += [(topic, ALTERNATE) for topic in self._settings.alternates]
        return [self._searched(topic, side, question) for topic, side in sides] + self.letters(question)

    def letters(self, question: Question) -> list[Searched]:
        """Its dead letters alone."""
        return [self._searched(topic, DEAD_LETTER, question) for topic in self._settings.dead_letters]

    def passage(self, finds: Sequence[Seen]) -> Passage:
        """How far the consumer that carries events out of this topic has come."""
        group = self._settings.next_group
        if group is None:
            return Passage(None, None, "the group of the consumer behind it is not configured")
        try:
            passed, words = self._passed(group, finds)
            return Passage(passed, self._drained(group), words)
        except TroubleError as trouble:
            return Passage(None, None, f"the position of its consumer cannot be read: {trouble}")

    def close(self) -> None:
        """Hang up."""
        self._reader.close()

    def _passed(self, group: str, finds: Sequence[Seen]) -> tuple[bool | None, str]:
        """Whether it has finished with all of them: a second copy that waits may still arrive."""
        words: dict[bool | None, str] = {}
        for find in finds:
            passed, told = self._one_passed(group, find)
            words.setdefault(passed, told)
        for passed in (False, None, True):
            if passed in words:
                return passed, words[passed]
        return None, ""

    def _one_passed(self, group: str, find: Seen) -> tuple[bool | None, str]:
        committed = self._reader.committed(group, find.place).get(find.partition)
        bounds = self._reader.bounds(find.place).get(find.partition)
        where = f"{find.place} partition {find.partition} offset {find.offset}"
        if committed is not None and committed > find.offset:
            return True, f"group {group} has finished with {where} (it is at {committed})"
        if bounds is not None and bounds.start > find.offset:
            return True, f"retention removed {where} before group {group} came to it"
        if committed is None:
            return False, f"group {group} has never committed on {find.place}, partition {find.partition}"
        return False, f"group {group} has not finished with {where}: it is at {committed}"

    def _drained(self, group: str) -> bool | None:
        """Whether it has finished with all that the topic and its alternates hold at this moment."""
        told_all = True
        for topic in self._followed:
            bounds = self._reader.bounds(topic)
            committed = self._reader.committed(group, topic)
            for partition in self._reader.topic(topic).leaders:
                if (held := bounds.get(partition)) is None:
                    told_all = False
                elif held.end > held.start and (committed.get(partition) or 0) < held.end:
                    return False
        return True if told_all else None

    def _searched(self, topic: str, side: str, question: Question) -> Searched:
        try:
            return self._look(topic, side, question)
        except NoTopicError as trouble:
            if side == DEAD_LETTER:  # it is made with the first of them
                return Searched(self.name, topic, side, notes=(str(trouble),))
            return Searched(self.name, topic, side, gap=str(trouble))
        except TroubleError as trouble:
            return Searched(self.name, topic, side, gap=str(trouble))

    def _look(self, topic: str, side: str, question: Question) -> Searched:
        bounds = self._reader.bounds(topic)
        if side:  # what takes another way may come there much later
            question = replace(question, until=None)
        ranges, gaps = self._ranges(topic, bounds, question)
        gaps += [f"partition {p} has no leader" for p in self._reader.topic(topic).leaders if p not in bounds]
        face = Face(question.id, self._fields)
        hunt = _Hunt(question, face, letters=side == DEAD_LETTER, policy=self._policy)
        read, notes = 0, []
        first = (
            None
            if side == DEAD_LETTER
            else self._predict(question.id, len(self._reader.topic(topic).leaders))
        )
        for some in _turns(ranges, first):
            reach = self._reader.read(topic, some, hunt.visit, budget=question.messages - read)
            read += reach.read
            gaps += [f"partition {p}: {why}" for p, why in sorted(reach.gaps.items())]
            if reach.broken:
                gaps.append(f"{reach.broken} record batches could not be unpacked")
            if reach.stopped:
                break
        if hunt.mentions:
            notes.append(f"{hunt.mentions} other records mention this id")
        return Searched(
            self.name,
            topic,
            side,
            finds=tuple(hunt.finds),
            gap="; ".join(_short(gaps)),
            read=read,
            notes=tuple(notes),
        )

    def _ranges(
        self, topic: str, bounds: Mapping[int, Bounds], question: Question
    ) -> tuple[dict[int, tuple[int, int]], list[str]]:
        """What to read of each partition, and what lies outside of it though it might hold the event."""
        if question.since is None:
            share = max(1, question.messages // max(len(bounds), 1))
            spans = {p: (max(one.start, one.end - share), one.end) for p, one in bounds.items()}
            older = any(start > 0 for start, _ in spans.values())
            words = "no time is known: only the newest records were read (give --around)"
            return spans, [words] if older else []
        first = self._reader.offsets_at(topic, question.since)
        last = {} if question.until is None else self._reader.offsets_at(topic, question.until + MARGIN)
        spans, gaps = {}, []
        for partition, held in bounds.items():
            start, at = first.get(partition, (held.end, question.since))
            end = last[partition][0] if partition in last else held.end
            spans[partition] = (max(start, held.start), max(end, held.start))
            if start <= held.start and held.start > 0 and (partition not in first or at > question.since):
                since = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
                gaps.append(f"partition {partition}: retention has removed what came before {since}")
        return spans, gaps


class _Hunt:
    """Takes records until the event is among them."""

    def __init__(self, question: Question, face: Face, *, letters: bool, policy: Policy) -> None:
        self.finds: list[Find] = []
        self.mentions = 0
        self._question = question
        self._face = face
        self._letters = letters
        self._policy = policy

    def visit(self, partition: int, record: Record) -> bool:
        likeness = self._face.of(record)
        if likeness is Likeness.OTHER:
            return False
        if likeness is Likeness.MENTIONS and not self._letters:
            self.mentions += 1
            return False
        reason, facts = told(record) if self._letters else (dropped(record, self._policy), ())
        payload = value_of(record) if self._question.payload else None
        self.finds.append(
            Find(
                at=moment_of(record.timestamp),
                partition=partition,
                offset=record.offset,
                reason=reason,
                facts=facts,
                payload=None if payload is None else payload[:MAX_PAYLOAD].decode("utf-8", "replace"),
            )
        )
        return not self._question.copies


def _turns(
    ranges: Mapping[int, tuple[int, int]], first: int | None
) -> Sequence[Mapping[int, tuple[int, int]]]:
    """The partition that the id leads to comes first; the others after it, should it be wrong."""
    if first is None or first not in ranges:
        return [ranges]
    return [{first: ranges[first]}, {p: span for p, span in ranges.items() if p != first}]


def _short(gaps: Sequence[str], most: int = 4) -> Sequence[str]:
    rest = len(gaps) - most
    return gaps if rest <= 0 else [*gaps[:most], f"and {rest} more"]
