"""Cuts a window: which offsets of each partition belong to it. Record times cut where they can be trusted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from canary.audit.protocols import Topic
from canary.audit.work import Limits, Start, Work
from canary.traffic import BY_TIME, CannotAskError, Log, TopicState
from reconcile.offsets import Range

NO_ID = UUID(int=0)
Offsets = Mapping[int, int | None]


def cut(
    topic: Topic,
    state: TopicState,
    times: tuple[datetime, datetime],
    start: Start | None,
    *,
    ahead: Offsets,
) -> tuple[list[Range], list[str]]:
    """The window's offsets, from where the last one ended or by time; and what a person should know.

    `ahead` are the first records from a future that is none yet: time cannot cut behind one of those, so a
    window that would end at it ends with what can be read now, lest everything behind it is never audited.
    """
    since, until = times
    offsets = start.offsets if start is not None else None
    firsts: Offsets = topic.offsets_at(since) if offsets is None else offsets
    fixed = start.ends if start is not None else None
    ends: Offsets = topic.offsets_at(until) if fixed is None else fixed
    window, notes = [], []
    for partition, log in state.logs.items():
        if fixed is not None and partition not in fixed:
            continue  # added since then: its offsets belong to later windows
        end = ends.get(partition)
        if fixed is None and end is not None and end == ahead.get(partition):
            notes.append(
                f"partition {partition}: the record at {end} is from the future; its times cut nothing"
            )
            end = None
        last = log.stable if end is None else end if fixed is not None else min(end, log.stable)
        first = firsts.get(partition, None if offsets is None else log.start)
        first = last if first is None else first
        window.append(Range(partition, first, max(first, last)))
        notes += _notes(partition, log, first if offsets is None else None, end)
    return window, notes


def unseen(state: TopicState, since: datetime, window: Sequence[Range]) -> str:
    """Why some of a time asked for may be gone, "" where all of it is there: where some partition has older
    records, or by how long they are kept, what was removed of the others came before it."""
    if state.retention_from == BY_TIME and state.retention and since >= state.read_at - state.retention:
        return ""
    if any(part.start > state.logs[part.partition].start for part in window):
        return ""
    removed = [part for part in window if 0 < state.logs[part.partition].start == part.start]
    return "Kafka has removed events that may be of this time" if removed else ""


def aged(topic: Topic, work: Work, start: Start | None, limits: Limits, *, ahead: Offsets) -> dict[int, int]:
    """By partition the offset before which all has been in the topic for `lost_after`.

    Record times are their producers' and prove nothing old: a running audit counts from when it saw a window
    first. On demand nobody saw it; but an offset is never older than one before it, so what stands behind a
    fresh record is fresh. A record from the future says nothing of what is behind it.
    """
    now = work.state.read_at
    ends = {partition: log.end for partition, log in work.state.logs.items()}
    if start is not None:
        seen = work.known.first_at
        return ends if seen is not None and now - seen >= limits.lost_after else {}
    fresh = topic.offsets_at(now - limits.lost_after)
    over = now - work.until >= limits.lost_after
    return {
        partition: end if first is None or (over and first == ahead.get(partition)) else first
        for partition, end in ends.items()
        for first in [fresh.get(partition)]
    }


def _notes(partition: int, log: Log, first: int | None, end: int | None) -> list[str]:
    notes = []
    if log.start and first == log.start:
        notes.append(f"partition {partition}: Kafka keeps nothing older than offset {log.start}")
    if log.stable < log.end and (end is None or end > log.stable):
        notes.append(f"partition {partition}: an open transaction holds back offsets from {log.stable}")
    return notes


def another(state: TopicState, start: Start) -> bool:
    """Whether the topic is not the one that the offsets were of: another id, or an end before them."""
    if start.topic_id and state.id != NO_ID and start.topic_id != str(state.id):
        return True
    return any(
        partition in state.logs and offset > state.logs[partition].end
        for partition, offset in (start.offsets or {}).items()
    )


def gone(state: TopicState) -> CannotAskError:
    """What to raise where the offsets of a window were another topic's."""
    reason = f"topic {state.topic} was made again: this window's events are gone"
    return CannotAskError(reason, gone=True)


def reaching(work: Work, highest: Mapping[int, int]) -> list[Range]:
    """The window as far as rows of its times reach: where record times go back, the first record of a later
    time ends it too early."""
    found = []
    for part in work.window:
        log = work.state.logs[part.partition]
        end = max(part.end, min(highest.get(part.partition, -1) + 1, log.stable))
        found.append(Range(part.partition, part.start, end))
    return found
