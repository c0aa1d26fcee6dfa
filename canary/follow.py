"""From what an edge saw to what the book knows: compares contents, counts copies, turns strangers away."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from canary.book import Book, Entry
from canary.content import differences
from canary.event import CONTENT_VERSION, EVENT_NAME
from canary.identity import Verifier
from canary.metrics import END_TO_END, Metrics
from canary.probe import Probe
from canary.values import Difference, Look, Seen, Sighting, Track
from reconcile.latency import Measured, between
from reconcile.outcome import INGRESS, Receipt

WIDEST_ERROR = 5.0
"""Seconds: a duration known less well than this is no measurement."""

NEIGHBOURING = timedelta(days=2)
LOOKED_ROUND = timedelta(days=1)
"""Lookups read so far around the day of a canary at least."""

MOST_COPIES = 1_000
"""So many copies of a canary are counted while it is in mind: who writes its id for a whole day, a thousand
times a second, says no more by it, and gets no more of our memory."""

Known = Callable[[Sequence[UUID]], Mapping[UUID, Track]]
"""Asks the ledger for canaries that are no longer in mind."""


class Follower:
    """Takes looks in. Not locked: the watch is."""

    def __init__(
        self, book: Book, *, probes: Mapping[str, Probe], verifier: Verifier, metrics: Metrics
    ) -> None:
        self._book = book
        self._probes = probes
        self._verifier = verifier
        self._metrics = metrics
        self.off_lane = ""
        self.names = [INGRESS, *(spec.name for spec in book.stages)]

    def strangers(self, look: Look) -> list[UUID]:
        """The ids of a look that are not in mind; only those that prove themselves are worth a query."""
        ids = {item.id for item in look.sightings if item.id not in self._book.entries}
        return [one for one in ids if self._verifier.probe_of(one) is not None]

    def absorb(self, look: Look, known: Mapping[UUID, Track]) -> list[Seen]:
        """Take one look in; return what is news and belongs into the ledger."""
        news: dict[tuple[UUID, str], Seen] = {}
        for rows in _by_canary(look.sightings):
            entry = self._entry(rows, known)
            if entry is None:
                continue
            for seen in self._learn(entry, rows):
                news[(seen.id, seen.stage)] = seen
            self._book.dirty.add(entry.owed.id)
        return list(news.values())

    def _entry(self, rows: Sequence[Sighting], known: Mapping[UUID, Track]) -> Entry | None:
        """The canary of these sightings; None, and every one of them counted, where we owe none such."""
        sighting = rows[0]
        entry = self._book.entries.get(sighting.id)
        if entry is None and sighting.id in known:
            entry = self._book.restore(known[sighting.id])
        if entry is None:
            if self._verifier.probe_of(sighting.id) is None:
                self._metrics.counter("foreign_total", sighting.stage).inc(len(rows))
            else:
                self._metrics.counter("unexpected_total", sighting.stage, "not_in_ledger").inc(len(rows))
        return entry

    def _learn(self, entry: Entry, rows: Sequence[Sighting]) -> Iterable[Seen]:
        letters = [row for row in rows if row.side == "dead_letter"]
        if letters:
            entry.dead_letter = letters[0].reason or f"found in {letters[0].place}"
            yield self._first(entry, replace(letters[0], stage=f"{letters[0].stage}:dead_letter"))
        rows = [row for row in rows if row.side != "dead_letter"]
        if not rows:
            return
        before = entry.seen.get(rows[0].stage)
        seen = before or self._first(entry, rows[0])
        if before is not None or len(rows) > 1:
            topic = self._book.readings[seen.stage].spec.topic
            seen = self._copies(entry, seen, rows, topic=topic)
        if seen is not before:
            self._book.saw(entry, seen)
            yield seen
        if before is None:
            self._measure(entry, seen)
            self._lane(entry, seen)

    def _lane(self, entry: Entry, seen: Seen) -> None:
        """Whether the first topic is keyed as we were told: if not, lanes do not reach what they should."""
        probe = self._probes.get(entry.owed.probe)
        first = self._book.stages[0]
        if probe is None or seen.stage != first.name or seen.place != first.place:
            return
        expected = probe.expected_partition(entry.owed.distinct_id)
        if expected is not None and seen.partition is not None and seen.partition != expected:
            self._metrics.counter("off_lane_total", probe.name).inc()
            self.off_lane = f"{first.name} shows {entry.owed.distinct_id} in partition {seen.partition}" + (
                f", its lane is {expected}: check the stage's key and partitioner"
            )

    def _first(self, entry: Entry, row: Sighting) -> Seen:
        compared = self._compared(entry, row)
        blind = row.side == "last_look" and compared != ()  # the looks before may have been blind to it
        return Seen(
            id=row.id,
            stage=row.stage,
            place=row.place,
            seen_at=row.seen_at,
            not_before=None if blind else row.not_before,
            partition=row.partition,
            offset=row.offset,
            row=row.row,
            at=row.at,
            side=row.side,
            reason=row.reason,
            compared=compared is not None,
            differences=compared or (),
        )

    def _compared(self, entry: Entry, row: Sighting) -> tuple[Difference, ...] | None:
        """What is not as it was sent; None where that cannot be told."""
        owed = entry.owed
        probe = self._probes.get(owed.probe)
        if row.content is None or probe is None or not _known_content(entry, probe):
            return None
        sent = probe.payload.event(owed.id, distinct_id=owed.distinct_id, sent_at=owed.sent_at)
        return differences(sent, row.content, habits=probe.habits)

    def _copies(self, entry: Entry, seen: Seen, rows: Sequence[Sighting], *, topic: bool) -> Seen:
        """Count what stands there beside the first: a record at another offset, a second row."""
        if topic:
            seen = _moved(seen, rows)
            others = [row for row in rows if row.place == seen.place and _spot(row) != _spot(seen)]
            fresh = [row for row in others if _spot(row) not in entry.extra][: MOST_COPIES - len(entry.extra)]
            entry.extra |= {_spot(row) for row in fresh}
            copies, kinds = seen.copies + len(fresh), {"kafka"} if fresh else set()
            seen = self._spoilt(entry, seen, fresh)
        else:
            extra = rows[1:]
            copies = max(seen.copies, len(extra))
            kinds = {"mergeable" if row.mergeable else "permanent" for row in extra}
            seen = self._spoilt(entry, seen, rows if extra else ())
            if any(_hidden(entry, row) for row in rows):  # when that one came nobody can say
                seen = replace(seen, not_before=None)
        if copies == seen.copies:
            return seen
        tries = entry.answer.tries if entry.answer else 1
        if 1 < tries > copies:
            kinds = {"own_retry"}
        return replace(seen, copies=copies, copy_kinds=tuple(sorted({*seen.copy_kinds, *kinds})))

    def _spoilt(self, entry: Entry, seen: Seen, copies: Sequence[Sighting]) -> Seen:
        """A copy that is not intact is corrupt whichever of them came first, or was seen first."""
        if seen.differences:
            return seen
        found = next((found for row in copies if (found := self._spoilt_in(entry, row))), ())
        return replace(seen, compared=True, differences=found) if found else seen

    def _spoilt_in(self, entry: Entry, copy: Sighting) -> tuple[Difference, ...]:
        """What is not intact in a copy; to lie on a neighbouring day is a kind of copy, and no damage."""
        found, at = self._compared(entry, copy) or (), copy.content.timestamp if copy.content else None
        if at is not None and abs(at - entry.owed.sent_at) <= NEIGHBOURING:
            return tuple(item for item in found if item.field != "timestamp")
        return found

    def _measure(self, entry: Entry, seen: Seen) -> None:
        """Latency of the hop and of the whole way, kept out where the time is not known."""
        if seen.stage not in self.names or entry.waits_from != entry.owed.sent_at:
            return
        index = self.names.index(seen.stage)
        start = _spent(entry, self.names[index - 1])
        arrived = _spent(entry, seen.stage)
        probe = entry.owed.probe
        if start is not None and arrived is not None:
            hop = f"{self.names[index - 1]}->{seen.stage}"
            self._observe(probe, hop, between(start, arrived))
        if seen.stage == self._book.last and arrived is not None:
            sent = entry.owed.sent_at if entry.answer is None else entry.answer.started_at
            self._observe(probe, END_TO_END, between((sent, sent), arrived))
        if entry.receipt is Receipt.REFUSED and len(entry.seen) == 1:
            self._metrics.counter("stored_after_refusal_total", probe).inc()

    def _observe(self, probe: str, hop: str, measured: Measured) -> None:
        if measured.error > WIDEST_ERROR:  # our own blindness is not the pipeline's latency
            return
        self._metrics.histogram("latency_seconds", probe, hop).observe(measured.seconds)
        self._metrics.gauge("latency_error_seconds", probe, hop).set(measured.error)


def _by_canary(sightings: Iterable[Sighting]) -> Iterable[list[Sighting]]:
    grouped: dict[UUID, list[Sighting]] = defaultdict(list)
    for item in sightings:
        grouped[item.id].append(item)
    return grouped.values()


def _moved(seen: Seen, rows: Sequence[Sighting]) -> Seen:
    """A consumer may lawfully move a record on to an alternate topic: it is there that it waits now."""
    if seen.side == "alternate":
        return seen
    moved = next((row for row in rows if row.side == "alternate"), None)
    if moved is None:
        return seen
    return replace(seen, place=moved.place, partition=moved.partition, offset=moved.offset, side="alternate")


def _spot(item: Seen | Sighting) -> tuple[str, int | None, int | None]:
    return item.place, item.partition, item.offset


def _hidden(entry: Entry, row: Sighting) -> bool:
    """Whether a row lies where lookups, which are pruned by day and event, may have passed it over."""
    content, owed = row.content, entry.owed
    if content is None:
        return False
    elsewhere = content.timestamp is not None and abs(content.timestamp - owed.sent_at) > LOOKED_ROUND
    named = content.event in (None, EVENT_NAME) and content.distinct_id in (None, owed.distinct_id)
    return elsewhere or not named


def _known_content(entry: Entry, probe: Probe) -> bool:
    owed = entry.owed
    return (owed.content_version, owed.payload_hash) == (CONTENT_VERSION, probe.payload.hash)


def _spent(entry: Entry, name: str) -> tuple[datetime, datetime] | None:
    """When the canary was at this place: (earliest, latest) on our line."""
    if name == INGRESS:
        sent = entry.owed.sent_at if entry.answer is None else entry.answer.started_at
        return sent, sent
    seen = entry.seen.get(name)
    if seen is None:
        return None
    return max(seen.not_before or entry.owed.sent_at, entry.owed.sent_at), seen.seen_at


def hop_latencies(entries: Iterable[Entry], names: Sequence[str]) -> dict[tuple[str, str], list[Measured]]:
    """Every measured hop of these canaries, and (first, last) for the whole way."""
    found: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    whole = (names[0], names[-1])
    for entry in entries:
        spans = {name: _spent(entry, name) for name in names}
        for hop in {*pairwise(names), whole}:
            start, end = spans[hop[0]], spans[hop[1]]
            if start is not None and end is not None:
                found[hop].append(between(start, end))
    return found


def unparsable(look: Look) -> Counter[str]:
    """Records of a look that could not be read, by reason."""
    return Counter({reason: n for reason, n in look.counts.items() if reason not in COSTS})


COSTS = frozenset({"records_read", "rows", "rows_read", "bytes_read", "queries"})
"""Counts of a look that are cost, not faults."""
