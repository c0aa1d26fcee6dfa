"""What the ledger can be asked. Every function reads within the transaction that it is given."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, tuple_

from canary.ledger import rows
from canary.ledger.columns import first_id, minted_at
from canary.ledger.tables import (
    State,
    canary,
    consumer_position,
    coverage,
    probe_minute,
    remembered,
    sighting,
    window_report,
)
from canary.values import Coverage, Minute, Position, Resume, Seen, Track, WindowReport

CHUNK = 500

unsettled = (
    exists()
    .where(window_report.c.starts_at == canary.c.window_start)
    .where(window_report.c.probe == canary.c.probe)
    .where(window_report.c.settled_at.is_(None))
    .correlate(canary)
)
"""True of a canary whose window owes its report."""


def last_minted(connection: Connection) -> datetime | None:
    """The time of the youngest id ever owed and still kept."""
    id_ = connection.execute(select(canary.c.id).order_by(canary.c.id.desc()).limit(1)).scalar()
    return None if id_ is None else minted_at(id_)


def last_instant(connection: Connection) -> datetime | None:
    """The latest time on our line that the ledger knows of: where the line may be taken up again."""
    covered = connection.execute(select(func.max(coverage.c.until))).scalar()
    known = [time for time in (last_minted(connection), covered) if time is not None]
    return max(known, default=None)


def open_tracks(connection: Connection, since: datetime) -> list[Track]:
    """What a restarted watch must know again, oldest first."""
    open_ = canary.c.state == State.OPEN.value
    wanted = or_(open_, canary.c.id >= first_id(since))
    oldest = connection.execute(
        select(func.min(window_report.c.starts_at)).where(window_report.c.settled_at.is_(None))
    ).scalar()
    if oldest is not None:
        wanted = or_(wanted, and_(canary.c.id >= first_id(oldest), unsettled))
    ids = connection.execute(select(canary.c.id).where(wanted).order_by(canary.c.id)).scalars().all()
    return list(tracks(connection, ids))


def unclean_tracks(connection: Connection, since: datetime, limit: int) -> list[Track]:
    """The youngest canaries minted since a time that are done with and were not all right."""
    wanted = (canary.c.state == State.UNCLEAN.value) & (canary.c.id >= first_id(since))
    ids = select(canary.c.id).where(wanted).order_by(canary.c.id.desc()).limit(limit)
    return list(tracks(connection, connection.execute(ids).scalars().all()))


def tracks(connection: Connection, ids: Iterable[UUID]) -> Iterator[Track]:
    """The tracks of those ids that are known, in the order of their ids within each chunk."""
    remaining = iter(ids)
    while chunk := list(islice(remaining, CHUNK)):
        seen = sighting.select().where(sighting.c.id.in_(chunk)).order_by(sighting.c.id, sighting.c.seen_at)
        of_id: dict[UUID, list[Seen]] = {}
        for one in map(rows.seen_of, connection.execute(seen).all()):
            of_id.setdefault(one.id, []).append(one)
        owed = canary.select().where(canary.c.id.in_(chunk)).order_by(canary.c.id)
        for row in connection.execute(owed).all():
            yield rows.track_of(row, of_id.get(row[0], ()))


def sent_since(connection: Connection, time: datetime, *, probe: str | None) -> int:
    """How many canaries were minted since a time, of one probe or of all."""
    counted = select(func.count()).select_from(canary).where(canary.c.id >= first_id(time))
    if probe is not None:
        counted = counted.where(canary.c.probe == probe)
    return connection.execute(counted).scalar_one()


def coverage_of(connection: Connection, stage: str, *, since: datetime | None) -> list[Coverage]:
    """A stage's intervals that reach past `since`, by place, partition and time."""
    table = coverage.c
    wanted = coverage.select().where(table.stage == stage)
    if since is not None:
        wanted = wanted.where(table.until >= since)
    wanted = wanted.order_by(table.place, table.partition_number, table.since)
    return [Coverage(*row[1:]) for row in connection.execute(wanted)]


def last_coverage(connection: Connection, stage: str) -> dict[tuple[str, int], Coverage]:
    """The latest interval of each partition."""
    return {(one.place, one.partition): one for one in coverage_of(connection, stage, since=None)}


def resume(connection: Connection, stage: str) -> Resume:
    """Where reading a topic goes on."""
    last = last_coverage(connection, stage)
    return Resume({where: (one.next_offset, one.until) for where, one in last.items()})


def positions(connection: Connection, stage: str, *, since: datetime | None) -> list[Position]:
    """Positions as they changed since a time, each partition opening with the one that stood then.

    Without a time: only the latest of each partition.
    """
    table = consumer_position.c
    latest = select(table.place, table.partition_number, func.max(table.read_at)).where(table.stage == stage)
    key = tuple_(table.place, table.partition_number, table.read_at)
    wanted: ColumnElement[bool]
    if since is None:
        wanted = key.in_(latest.group_by(table.place, table.partition_number))
    else:
        standing = latest.where(table.read_at <= since).group_by(table.place, table.partition_number)
        wanted = or_(table.read_at >= since, key.in_(standing))
    said = consumer_position.select().where(table.stage == stage, wanted)
    said = said.order_by(table.place, table.partition_number, table.read_at)
    return [
        Position(place, partition, committed, log_start, end, read_at)
        for _, place, partition, read_at, committed, log_start, end in connection.execute(said)
    ]


def windows(
    connection: Connection, *, probe: str | None, since: datetime, until: datetime
) -> list[WindowReport]:
    """Settled windows that start within `[since, until)`, oldest first."""
    table = window_report.c
    wanted = window_report.select().where(table.starts_at >= since, table.starts_at < until)
    wanted = wanted.where(table.settled_at.is_not(None))
    if probe is not None:
        wanted = wanted.where(table.probe == probe)
    return [rows.window_of(row) for row in connection.execute(wanted.order_by(table.starts_at, table.probe))]


def unsettled_windows(connection: Connection) -> list[tuple[str, datetime]]:
    """(probe, start) of every window that has canaries and no report, oldest first."""
    table = window_report.c
    owing = select(table.probe, table.starts_at).where(table.settled_at.is_(None))
    return [(probe, start) for probe, start in connection.execute(owing.order_by(table.starts_at))]


def last_settled(connection: Connection, probe: str) -> datetime | None:
    """The start of a probe's youngest settled window."""
    table = window_report.c
    settled = select(table.starts_at).where(table.probe == probe, table.settled_at.is_not(None))
    start: datetime | None = connection.execute(settled.order_by(table.starts_at.desc()).limit(1)).scalar()
    return start


def minutes(connection: Connection, *, probe: str | None, since: datetime, until: datetime) -> list[Minute]:
    """Minutes that start within `[since, until)`, oldest first."""
    table = probe_minute.c
    wanted = probe_minute.select().where(table.starts_at >= since, table.starts_at < until)
    if probe is not None:
        wanted = wanted.where(table.probe == probe)
    found = connection.execute(wanted.order_by(table.starts_at, table.probe))
    return [Minute(name, start, *counts) for start, name, *counts in found]


def value(connection: Connection, key: str) -> Any:
    """What was last set under a key; None where nothing was."""
    return connection.execute(select(remembered.c.value).where(remembered.c.key == key)).scalar()
