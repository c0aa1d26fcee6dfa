"""Values of `canary.values` as rows of the ledger's tables, and back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from canary.ledger.columns import compact, micros, readable, whole
from canary.ledger.tables import State
from canary.values import (
    Answer,
    Coverage,
    Difference,
    Judged,
    Minute,
    Owed,
    Position,
    Seen,
    Track,
    WindowReport,
)
from reconcile.outcome import Flag, Outcome, Receipt

Values = tuple[Any, ...]
"""One row as the driver takes it, in the order of the table's columns."""


def owed_row(owed: Owed) -> Values:
    return (
        owed.id.bytes,
        State.OPEN.value,
        readable(owed.probe),
        owed.lane,
        readable(owed.distinct_id),
        micros(owed.sent_at),
        micros(owed.window),
        micros(owed.deadline),
        owed.content_version,
        readable(owed.payload_hash),
    )


def answer_row(id_: UUID, answer: Answer) -> Values:
    return (
        answer.receipt.value,
        micros(answer.started_at),
        micros(answer.answered_at),
        answer.tries,
        whole(answer.status),
        readable(answer.detail),
        id_.bytes,
    )


def state_of(judged: Judged) -> State:
    """Clean is what arrived in time at the first attempt to say so, with nothing to remark."""
    if not judged.final:
        return State.OPEN
    flawless = judged.outcome is Outcome.ON_TIME and not judged.flags and judged.amended_from is None
    return State.CLEAN if flawless else State.UNCLEAN


def judged_row(judged: Judged) -> Values:
    return (
        state_of(judged).value,
        judged.outcome.value,
        judged.final,
        micros(judged.judged_at),
        compact(judged.hop),
        compact(judged.spanned or None),
        compact(sorted(judged.flags) or None),
        readable(judged.reason),
        judged.amended_from.value if judged.amended_from else None,
        judged.id.bytes,
    )


def seen_row(seen: Seen) -> Values:
    return (
        seen.id.bytes,
        readable(seen.stage),
        readable(seen.place),
        micros(seen.seen_at),
        micros(seen.not_before) if seen.not_before else None,
        whole(seen.partition),
        whole(seen.offset),
        readable(seen.row),
        micros(seen.at) if seen.at else None,
        readable(seen.side),
        readable(seen.reason),
        seen.compared,
        compact([(d.field, d.expected, d.found) for d in seen.differences] or None),
        seen.copies,
        compact(seen.copy_kinds or None),
    )


def window_row(report: WindowReport) -> Values:
    return (
        micros(report.start),
        readable(report.probe),
        micros(report.end),
        micros(report.settled_at),
        report.due,
        report.sent,
        compact({outcome.value: count for outcome, count in report.outcomes.items()}),
        compact({flag.value: count for flag, count in report.flags.items()}),
        compact([(*hop, count) for hop, count in report.hops.items()]),
        compact(dict(report.latency)),
        report.amendments,
    )


def owing_row(window: datetime, probe: str) -> Values:
    """A window that has canaries and owes its report."""
    return (micros(window), readable(probe))


def minute_row(minute: Minute) -> Values:
    return (
        micros(minute.start),
        readable(minute.probe),
        minute.due,
        minute.sent,
        minute.refused,
        minute.not_visible,
        minute.blind,
    )


def coverage_row(stage: str, coverage: Coverage) -> Values:
    return (
        readable(stage),
        readable(coverage.place),
        coverage.partition,
        micros(coverage.since),
        micros(coverage.until),
        whole(coverage.next_offset),
        whole(coverage.expired),
        readable(coverage.topic_id),
        coverage.epoch,
    )


def coverage_of(row: Row[Any]) -> Coverage:
    """One interval's row; of which log it is was not always kept."""
    return Coverage(
        place=row.place,
        partition=row.partition_number,
        since=row.since,
        until=row.until,
        next_offset=row.next_offset,
        expired=row.expired,
        topic_id=row.topic_id or "",
        epoch=-1 if row.epoch is None else row.epoch,
    )


def position_row(stage: str, position: Position) -> Values:
    return (
        readable(stage),
        readable(position.place),
        position.partition,
        micros(position.read_at),
        whole(position.committed),
        whole(position.log_start),
        whole(position.end),
    )


def value_row(key: str, value: Any) -> Values:
    return (readable(key), compact(value))


def track_of(row: Sequence[Any], seen: Sequence[Seen]) -> Track:
    """One canary's row (columns in the order of `tables.canary`) with its sightings."""
    id_, _, probe, lane, distinct_id, sent_at, window, deadline, version, payload, *rest = row
    owed = Owed(
        id=id_,
        probe=probe,
        lane=lane,
        distinct_id=distinct_id,
        sent_at=sent_at,
        window=window,
        deadline=deadline,
        content_version=version,
        payload_hash=payload,
    )
    *told, counted = rest
    return Track(
        owed=owed,
        answer=_answer_of(*told[:6]),
        seen=tuple(seen),
        judged=_judged_of(id_, *told[6:]),
        counted=counted or "",
    )


def _answer_of(
    receipt: str | None, started_at: Any, answered_at: Any, tries: Any, status: int | None, detail: Any
) -> Answer | None:
    if receipt is None:
        return None
    return Answer(
        receipt=Receipt(receipt),
        started_at=started_at,
        answered_at=answered_at,
        tries=tries,
        status=status,
        detail=detail,
    )


def _judged_of(id_: UUID, outcome: str | None, final: Any, judged_at: Any, *rest: Any) -> Judged | None:
    if outcome is None:
        return None
    hop, spanned, flags, reason, amended_from = rest
    return Judged(
        id=id_,
        outcome=Outcome(outcome),
        final=final,
        judged_at=judged_at,
        hop=(hop[0], hop[1]) if hop else None,
        spanned=tuple((start, end) for start, end in spanned or ()),
        flags=frozenset(Flag(flag) for flag in flags or ()),
        reason=reason,
        amended_from=Outcome(amended_from) if amended_from else None,
    )


def seen_of(row: Sequence[Any]) -> Seen:
    """One sighting's row, columns in the order of `tables.sighting`."""
    id_, stage, place, seen_at, not_before, partition, offset, key, at, side, reason, compared, *rest = row
    differences, copies, copy_kinds = rest
    return Seen(
        id=id_,
        stage=stage,
        place=place,
        seen_at=seen_at,
        not_before=not_before,
        partition=partition,
        offset=offset,
        row=key,
        at=at,
        side=side,
        reason=reason,
        compared=compared,
        differences=tuple(Difference(*difference) for difference in differences or ()),
        copies=copies,
        copy_kinds=tuple(copy_kinds or ()),
    )


def window_of(row: Row[Any]) -> WindowReport:
    """One settled window's row."""
    return WindowReport(
        probe=row.probe,
        start=row.starts_at,
        end=row.ends_at,
        settled_at=row.settled_at,
        due=row.due,
        sent=row.sent,
        outcomes={Outcome(outcome): count for outcome, count in row.outcomes.items()},
        flags={Flag(flag): count for flag, count in row.flags.items()},
        hops={(start, end): count for start, end, count in row.hops},
        latency=row.latency,
        amendments=row.amendments,
    )
