"""Forgets what nobody will ask for again, a bite at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, tuple_

from canary.ledger.columns import first_id
from canary.ledger.read import unsettled
from canary.ledger.tables import (
    State,
    audit_window,
    canary,
    consumer_position,
    coverage,
    part_change,
    probe_minute,
    sighting,
    traffic_window,
    window_report,
)

COVERAGE = timedelta(days=2)
"""Longer than the horizon within which a canary can still be judged."""

POSITIONS = timedelta(hours=2)
"""A position that is forgotten is only believed later: the next one that was read stands for it."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept."""

    clean: timedelta = timedelta(days=1)
    unclean: timedelta = timedelta(days=30)
    windows: timedelta = timedelta(days=400)


def prune(connection: Connection, now: datetime, *, retention: Retention, bite: int) -> int:
    """Remove at most `bite` rows (a canary with its sightings counts as one) that are past their time."""
    clean, unclean = first_id(now - retention.clean), first_id(now - retention.unclean)
    reports = now - retention.windows
    of_clean = (canary.c.state == State.CLEAN.value) & (canary.c.id < clean) & ~unsettled
    removals: tuple[Callable[[int], int], ...] = (
        lambda limit: _canaries(connection, of_clean, limit),
        lambda limit: _canaries(connection, canary.c.id < unclean, limit),
        lambda limit: _rows(connection, sighting, sighting.c.id < unclean, limit),
        lambda limit: _rows(connection, window_report, window_report.c.starts_at < reports, limit),
        lambda limit: _rows(connection, audit_window, audit_window.c.starts_at < reports, limit),
        lambda limit: _rows(connection, traffic_window, traffic_window.c.starts_at < reports, limit),
        lambda limit: _rows(connection, part_change, part_change.c.until_at < reports, limit),
        lambda limit: _rows(connection, probe_minute, probe_minute.c.starts_at < reports, limit),
        lambda limit: _rows(connection, coverage, _outlived(coverage, "until", now - COVERAGE), limit),
        lambda limit: _rows(
            connection, consumer_position, _outlived(consumer_position, "read_at", now - POSITIONS), limit
        ),
    )
    removed = 0
    for removal in removals:
        if removed < bite:
            removed += removal(bite - removed)
    return removed


def _canaries(connection: Connection, past: ColumnElement[bool], limit: int) -> int:
    ids = connection.execute(select(canary.c.id).where(past).limit(limit)).scalars().all()
    if ids:
        connection.execute(delete(sighting).where(sighting.c.id.in_(ids)))
        connection.execute(delete(canary).where(canary.c.id.in_(ids)))
    return len(ids)


def _rows(connection: Connection, table: Table, past: ColumnElement[bool], limit: int) -> int:
    key = list(table.primary_key)
    old = select(*key).where(past).limit(limit)
    return connection.execute(delete(table).where(tuple_(*key).in_(old))).rowcount


def _outlived(table: Table, time: str, before: datetime) -> ColumnElement[bool]:
    """Old, and not the latest of its partition: reading resumes from that one."""
    partition = [table.c.stage, table.c.place, table.c.partition_number]
    latest = select(*partition, func.max(table.c[time])).group_by(*partition)
    return (table.c[time] < before) & tuple_(*partition, table.c[time]).not_in(latest)
