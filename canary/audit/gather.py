"""Looks into the gaps of a window: reads them back from Kafka, asks where their ids are, and once more
before anything is called lost."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import islice

from canary.audit.passed import passed, position, removed
from canary.audit.protocols import Table, Topic
from canary.audit.report import Lost
from canary.audit.work import Limits, Work
from canary.traffic import CannotAskError, Holds, ReadBack, Times
from canary.values import Now
from reconcile.amended import overlaid, still_explained
from reconcile.offsets import Range, appended, budgeted, holes, joined
from reconcile.traffic import Evidence, Fate, Message, Policy, Run, explained, worth_reading

NEIGHBOURS = 3
"""Stored offsets beside gaps that are read along: they show whether ids can be matched at all."""

FIRST_IDS = 10
SAMPLE = 5
DOUBTED = frozenset(
    {Fate.LOST, Fate.UNPARSABLE, Fate.FILTERED, Fate.DEAD_LETTERED, Fate.UNAUDITED, Fate.EXPIRED}
)
"""Fates that rest on the table's having no row."""

NO_MATCH = "the ids of stored events are not found in the table"


@dataclass(frozen=True, slots=True)
class Gathered:
    """Every gap's runs, what is known of the lost, and what a person should know."""

    runs: Sequence[Run] = ()
    lost: Lost = field(default_factory=Lost)
    fetched: int = 0
    notes: Sequence[str] = ()


class Gatherer:
    """Gathers the evidence for one window."""

    def __init__(
        self,
        topic: Topic,
        table: Table,
        *,
        limits: Limits,
        policy: Policy,
        now: Now,
        settle: Callable[[Work], object],
    ) -> None:
        self._topic = topic
        self._table = table
        self._limits = limits
        self._policy = policy
        self._now = now
        self._settle = settle
        self._notes: list[str] = []
        self._found: dict[str, set[tuple[int, int]]] = {}
        self._letters: dict[str, str] = {}
        self._unsure = ""
        self._letters_unread = ""
        self._no_ids = ""
        self._holds = Holds()
        self._passed: Mapping[int, int | None] = {}
        self._foreign = False
        self._times: Times | None = None

    def gather(
        self, work: Work, gaps: Sequence[Range], *, by_id: bool, all_of_it: bool, proven: bool = False
    ) -> Gathered:
        """What became of every offset in the gaps. `by_id`: the table tells no offsets; `all_of_it`: the
        gaps are the whole window, whatever rows there are; `proven`: their ids could be matched before."""
        if not gaps:
            return Gathered()
        self._foreign = all_of_it
        if not all_of_it:
            self._times = work.times(self._limits.slack)
        taken, over = self._budgeted(work, self._worth(work, gaps))
        beside = [] if all_of_it or proven else _beside(work, taken, gaps)
        holds = self._holds = self._table.holds()
        back = self._topic.read([*taken, *beside], holds=holds, payloads=work.payloads, until=work.deadline)
        unread = back.unread or over
        self._settle(work)  # from here on the table's answers count against an event
        neighbours = _at(back.messages, beside)
        known = [] if by_id or proven else back.messages if all_of_it else neighbours
        if len(back.messages) > len(neighbours):  # else Kafka has no record in the gaps: no id to look for
            self._ask_ids(back.messages)
            self._match_ids(known)
        if any(m.error for m in (*neighbours, *self._stored(back.messages))):
            back = replace(back, messages=[replace(m, error="") for m in back.messages])
        self._ask_letters(work, [m for m in back.messages if m.id not in self._found])
        told_by = None if by_id or all_of_it else self._table
        self._passed = passed(work, gaps, told_by, slack=self._limits.slack, forgets=bool(holds.ttl))
        runs = self._runs(work, gaps, back, unread, {}, by_id=by_id)
        doubted = _doubted(runs, back)
        if doubted:
            present = self._once_more(doubted, back.messages, known, by_id=by_id)
            runs = self._runs(work, gaps, back, unread, present, by_id=by_id)
        if any(run.fate is Fate.LOST for run in runs) and (why := self._table.lagging()):
            self._unsure = why
            runs = self._runs(work, gaps, back, unread, present, by_id=by_id)
        lost = self._lost(work, runs, back.messages)
        return Gathered(runs, lost, back.fetched, self._notes)

    def _worth(self, work: Work, gaps: Sequence[Range]) -> list[Range]:
        """What of the gaps must be read back."""
        worth = []
        for gap in gaps:
            log = work.state.logs[gap.partition]
            evidence = Evidence(
                log_start=log.start,
                position=position(work, gap.partition),
                unread_from=work.unread.get(gap.partition),
                aged=work.aged.get(gap.partition, 0),
            )
            worth.append(worth_reading(gap, evidence))
        return joined(worth)

    def _budgeted(self, work: Work, worth: Sequence[Range]) -> tuple[list[Range], str]:
        """What of it may be read back, and why not the rest. Tiered storage is slow and costs by request."""
        logs, limits = work.state.logs, self._limits
        tiered = joined(one.clip(one.start, logs[one.partition].local) for one in worth)
        local = [one.clip(logs[one.partition].local, one.end) for one in worth]
        some, left = budgeted(tiered, min(limits.tiered, limits.messages))
        taken, more = budgeted(joined([*some, *local]), limits.messages)
        over = [f"more than {limits.tiered} messages to read back from tiered storage"] if left else []
        over += [f"more than {limits.messages} messages to read back"] if more else []
        if over:
            self._notes.append(f"{appended([*left, *more])} offsets of gaps were over the budget")
        return taken, " or ".join(over)

    def _ask_ids(self, messages: Sequence[Message]) -> None:
        try:
            ids = {m.id for m in messages if m.id is not None}
            for id_, places in self._table.having(ids, self._times).items():
                self._found.setdefault(id_, set()).update(places)
        except CannotAskError as error:
            self._unsure = f"the table could not be asked for ids: {error.reason}"

    def _stored(self, messages: Sequence[Message]) -> list[Message]:
        """Those that have their row. What we cannot make a row of among them is of another format than ours,
        and no other is missing for that reason."""
        places = self._found
        return [m for m in messages if m.id is not None and (m.partition, m.offset) in places.get(m.id, ())]

    def _match_ids(self, known: Sequence[Message]) -> None:
        """Of events that are stored some must be found by their ids, or ids prove nothing here."""
        if known and not self._unsure and not any(m.id in self._found for m in known):
            self._no_ids = NO_MATCH

    def _ask_letters(self, work: Work, missing: Sequence[Message]) -> None:
        ids = {m.id for m in missing if m.id is not None}
        nameless = any(m.id is None for m in missing)
        told, trouble = self._table.letters(ids) if ids else ({}, "")
        self._letters.update(told)
        if nameless or ids - told.keys():
            most = max(self._limits.messages - len(missing), 1)
            times = [m.at for m in missing if m.at is not None]  # a letter may carry its record's time
            since = min([work.since, *times]) - self._limits.slack
            others, more = self._topic.letters(since, most=most, until=work.deadline)
            self._letters.update({id_: why for id_, why in others.items() if id_ in {*ids, ""}})
            trouble = trouble or more
        if trouble:
            self._notes.append(trouble)
            self._letters_unread = trouble
        self._letters = {id_: why or "dead-lettered" for id_, why in self._letters.items()}

    def _once_more(
        self, doubted: Sequence[Range], messages: Sequence[Message], known: Sequence[Message], *, by_id: bool
    ) -> Mapping[int, AbstractSet[int]]:
        """Ask again, whatever the rows' times: a row may have come between the questions.

        By offset, and then for the ids of what has a row: it may be another event's.
        """
        try:
            present = {} if by_id else self._table.present(doubted)
        except CannotAskError as error:
            self._unsure = f"the table could not be asked again: {error.reason}"
            return {}
        again = [m for m in _at(messages, doubted) if by_id or m.offset in present.get(m.partition, ())]
        if by_id or self._unsure:
            self._unsure = ""
            again = [*_at(messages, doubted), *known]
        if again:
            self._ask_ids(again)
            self._match_ids(known)
        return present

    def _runs(
        self,
        work: Work,
        gaps: Sequence[Range],
        back: ReadBack,
        unread: str,
        present: Mapping[int, AbstractSet[int]],
        *,
        by_id: bool,
    ) -> list[Run]:
        base = Evidence(
            unread=unread,
            found=self._found,
            letters=self._letters,
            policy=self._policy,
            by_id=by_id,
            foreign=self._foreign,
            no_ids=self._no_ids,
            unsure=self._unsure,
            letters_unread=self._letters_unread,
            replaces=self._holds.replaces,
            merges=self._holds.merges,
            hides=self._holds.hides,
        )
        runs: list[Run] = []
        for partition in {gap.partition for gap in gaps}:
            evidence = replace(
                base,
                log_start=work.state.logs[partition].start,
                position=position(work, partition),
                passed=self._passed.get(partition),
                unread_from=work.unread.get(partition),
                aged=work.aged.get(partition, 0),
                read=[one for one in back.read if one.partition == partition],
                messages={m.offset: m for m in back.messages if m.partition == partition},
                aborted=[one for one in back.aborted if one.partition == partition],
                present=present.get(partition, frozenset()),
            )
            for gap in gaps:
                if gap.partition == partition:
                    runs += explained(gap, evidence)
        told = still_explained(work.known.runs, removed(work, gaps))
        return overlaid(runs, told) if told else runs

    def _lost(self, work: Work, runs: Sequence[Run], messages: Sequence[Message]) -> Lost:
        ranges = [run.range for run in runs if run.fate is Fate.LOST]
        if not ranges:
            return Lost()
        gone = sorted(_at(messages, ranges), key=lambda m: (m.partition, m.offset))
        times = [m.at for m in gone if m.at is not None]
        kept, until = work.state.retention, None
        if times and kept is not None:  # old records may be kept all the same: until any moment
            until = max(min(times) + kept, work.state.read_at)
        return Lost(
            since=min(times, default=None),
            until=max(times, default=None),
            ids=tuple(m.id for m in gone if m.id is not None)[:FIRST_IDS],
            events=dict(Counter(m.event for m in gone if m.event is not None).most_common(SAMPLE)),
            keys=dict(Counter(m.key for m in gone if m.key is not None).most_common(SAMPLE)),
            replayable_until=until,
            retention_from=work.state.retention_from,
            payloads=tuple(m.payload for m in gone if m.payload is not None)[:FIRST_IDS],
        )


def _at(messages: Sequence[Message], ranges: Sequence[Range]) -> list[Message]:
    spots = {(one.partition, offset) for one in ranges for offset in range(one.start, one.end)}
    return [m for m in messages if (m.partition, m.offset) in spots]


def _beside(work: Work, taken: Sequence[Range], gaps: Sequence[Range]) -> list[Range]:
    """Offsets right before what is read of the gaps, else right behind it, which are stored and which Kafka
    still keeps."""
    logs = work.state.logs
    stored = holes([part.clip(logs[part.partition].start, part.end) for part in work.window], gaps)
    for side in (
        [(one.partition, one.start - 1) for one in taken],
        [(one.partition, one.end) for one in taken],
    ):
        beside = (Range(p, at, at + 1) for p, at in side if _holds(stored, p, at))
        if found := list(islice(beside, NEIGHBOURS)):
            return found
    return []


def _holds(ranges: Sequence[Range], partition: int, offset: int) -> bool:
    return any(one.partition == partition and one.start <= offset < one.end for one in ranges)


def _doubted(runs: Sequence[Run], back: ReadBack) -> list[Range]:
    """What was read back and found nowhere."""
    doubted = [run.range for run in runs if run.fate in DOUBTED]
    read: list[Range] = []
    for one in back.read:
        read += [
            part
            for run in doubted
            if run.partition == one.partition and (part := run.clip(one.start, one.end)).size
        ]
    return joined(read)
