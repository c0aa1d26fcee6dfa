"""Values of `canary.values` as rows of the ledger's tables, and back."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

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

Values = dict[str, Any]


def owed_row(owed: Owed) -> Values:
    return {
        "id": owed.id,
        "state": State.OPEN.value,
        "probe": owed.probe,
        "lane": owed.lane,
        "distinct_id": owed.distinct_id,
        "sent_at": owed.sent_at,
        "window_start": owed.window,
        "deadline": owed.deadline,
        "content_version": owed.content_version,
        "payload_hash": owed.payload_hash,
    }


def answer_row(id_: UUID, answer: Answer) -> Values:
    return {
        "key_id": id_,
        "receipt": answer.receipt.value,
        "started_at": answer.started_at,
        "answered_at": answer.answered_at,
        "tries": answer.tries,
        "status": answer.status,
        "detail": answer.detail,
    }


def state_of(judged: Judged) -> State:
    """Clean is what arrived in time at the first attempt to say so, with nothing to remark."""
    if not judged.final:
        return State.OPEN
    flawless = judged.outcome is Outcome.ON_TIME and not judged.flags and judged.amended_from is None
    return State.CLEAN if flawless else State.UNCLEAN


def judged_row(judged: Judged) -> Values:
    return {
        "key_id": judged.id,
        "state": state_of(judged).value,
        "outcome": judged.outcome.value,
        "final": judged.final,
        "judged_at": judged.judged_at,
        "hop": judged.hop,
        "spanned": judged.spanned or None,
        "flags": sorted(judged.flags) or None,
        "reason": judged.reason,
        "amended_from": judged.amended_from.value if judged.amended_from else None,
    }


def seen_row(seen: Seen) -> Values:
    return {
        "id": seen.id,
        "stage": seen.stage,
        "place": seen.place,
        "seen_at": seen.seen_at,
        "not_before": seen.not_before,
        "partition_number": seen.partition,
        "log_offset": seen.offset,
        "row_key": seen.row,
        "stage_time": seen.at,
        "side": seen.side,
        "reason": seen.reason,
        "compared": seen.compared,
        "differences": [(d.field, d.expected, d.found) for d in seen.differences] or None,
        "copies": seen.copies,
        "copy_kinds": seen.copy_kinds or None,
    }


def window_row(report: WindowReport) -> Values:
    return {
        "starts_at": report.start,
        "probe": report.probe,
        "ends_at": report.end,
        "settled_at": report.settled_at,
        "due": report.due,
        "sent": report.sent,
        "outcomes": {outcome.value: count for outcome, count in report.outcomes.items()},
        "flags": {flag.value: count for flag, count in report.flags.items()},
        "hops": [(*hop, count) for hop, count in report.hops.items()],
        "latency": dict(report.latency),
        "amendments": report.amendments,
    }


def minute_row(minute: Minute) -> Values:
    return {
        "starts_at": minute.start,
        "probe": minute.probe,
        "due": minute.due,
        "sent": minute.sent,
        "refused": minute.refused,
        "not_visible": minute.not_visible,
        "blind": minute.blind,
    }


def coverage_row(stage: str, coverage: Coverage) -> Values:
    return {
        "stage": stage,
        "place": coverage.place,
        "partition_number": coverage.partition,
        "since": coverage.since,
        "until": coverage.until,
        "next_offset": coverage.next_offset,
        "expired": coverage.expired,
    }


def position_row(stage: str, position: Position) -> Values:
    return {
        "stage": stage,
        "place": position.place,
        "partition_number": position.partition,
        "read_at": position.read_at,
        "committed": position.committed,
        "log_start": position.log_start,
        "log_end": position.end,
    }


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
    return Track(owed=owed, answer=_answer_of(*rest[:6]), seen=tuple(seen), judged=_judged_of(id_, *rest[6:]))


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
