"""Audited windows, and what is seen of the real traffic beside them, as rows and back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from canary.ledger.columns import compact, micros, readable
from canary.ledger.tables import audit_window, traffic_window
from canary.traffic import AuditWindow, TrafficWindow

Values = tuple[Any, ...]


def row_of(window: AuditWindow) -> Values:
    """A whole row."""
    return (
        readable(window.stage),
        micros(window.start),
        micros(window.end),
        micros(window.audited_at),
        window.open,
        window.verdict,
        readable(window.topic_id),
        compact([[partition, *ends] for partition, ends in window.offsets.items()]),
        compact(dict(window.counts)),
        compact(dict(window.report)),
        window.amendments,
    )


def windows(
    connection: Connection, since: datetime, until: datetime, *, stage: str | None, only_open: bool
) -> list[AuditWindow]:
    """Windows that start within `[since, until)`, oldest first."""
    table = audit_window.c
    wanted = select(audit_window).where(table.starts_at >= since, table.starts_at < until)
    if stage is not None:
        wanted = wanted.where(table.stage == stage)
    if only_open:
        wanted = wanted.where(table.open)
    found: Sequence[Row[Any]] = connection.execute(wanted.order_by(table.starts_at, table.stage)).all()
    return [_window(row) for row in found]


def last(connection: Connection, stage: str) -> AuditWindow | None:
    """The youngest window of a stage: the next one begins where it ends."""
    table = audit_window.c
    wanted = select(audit_window).where(table.stage == stage).order_by(table.starts_at.desc()).limit(1)
    row = connection.execute(wanted).first()
    return None if row is None else _window(row)


def _window(row: Row[Any]) -> AuditWindow:
    return AuditWindow(
        stage=row.stage,
        start=row.starts_at,
        end=row.ends_at,
        audited_at=row.audited_at,
        open=row.open,
        verdict=row.verdict,
        topic_id=row.topic_id,
        offsets={partition: (first, end) for partition, first, end in row.offsets},
        counts=row.counts,
        report=row.report,
        amendments=row.amendments,
    )


def traffic_row(window: TrafficWindow) -> Values:
    """A whole row."""
    return (
        micros(window.start),
        window.kind,
        readable(window.place),
        micros(window.end),
        micros(window.told_at),
        window.verdict,
        compact(dict(window.report)),
    )


def traffic(connection: Connection, since: datetime, until: datetime) -> list[TrafficWindow]:
    """Windows of every kind that start within `[since, until)`, oldest first."""
    table = traffic_window.c
    wanted = select(traffic_window).where(table.starts_at >= since, table.starts_at < until)
    found = connection.execute(wanted.order_by(table.starts_at, table.kind, table.place))
    return [
        TrafficWindow(kind, place, start, end, told_at, verdict, report)
        for start, kind, place, end, told_at, verdict, report in found
    ]
