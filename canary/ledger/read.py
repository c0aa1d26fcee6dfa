"""What the ledger can be asked. Every function reads within the transaction that it is given."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, or_, select, tuple_

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

# Built once: to build a statement costs more than to run it.
_YOUNGEST = select(canary.c.id).order_by(canary.c.id.desc()).limit(1)
_LAST_COVERED = select(func.max(coverage.c.until))
_FIRST_UNSETTLED = select(func.min(window_report.c.starts_at)).where(window_report.c.settled_at.is_(None))
_WANTED = or_(canary.c.state == State.OPEN.value, canary.c.id >= bindparam("young"))
_OPEN = select(canary.c.id).where(_WANTED).order_by(canary.c.id)
_OWED = and_(canary.c.id >= bindparam("oldest"), unsettled)
_OPEN_OR_OWED = select(canary.c.id).where(or_(_WANTED, _OWED)).order_by(canary.c.id)
_SEEN = (
    sighting.select()
    .where(sighting.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(sighting.c.id, sighting.c.seen_at)
)
_TRACKED = canary.select().where(canary.c.id.in_(bindparam("ids", expanding=True))).order_by(canary.c.id)
_INTERVALS = (
    coverage.select()
    .where(coverage.c.stage == bindparam("stage"))
    .order_by(coverage.c.place, coverage.c.partition_number, coverage.c.since)
)
_INTERVALS_SINCE = _INTERVALS.where(coverage.c.until >= bindparam("since"))


def _said(*, since: bool) -> Select[Any]:
    """Positions of a stage: as they changed since a time, or the latest alone."""
    table = consumer_position.c
    of_stage = table.stage == bindparam("stage")
    latest = select(table.place, table.partition_number, func.max(table.read_at)).where(of_stage)
    if since:
        latest = latest.where(table.read_at <= bindparam("since"))
    key = tuple_(table.place, table.partition_number, table.read_at)
    wanted: ColumnElement[bool] = key.in_(latest.group_by(table.place, table.partition_number))
    if since:
        wanted = or_(table.read_at >= bindparam("since"), wanted)
    said = consumer_position.select().where(of_stage, wanted)
    return said.order_by(table.place, table.partition_number, table.read_at)


_LATEST_SAID, _SAID_SINCE = _said(since=False), _said(since=True)


def last_minted(connection: Connection) -> datetime | None:
    """The time of the youngest id ever owed and still kept."""
    id_ = connection.execute(_YOUNGEST).scalar()
    return None if id_ is None else minted_at(id_)


def last_instant(connection: Connection) -> datetime | None:
    """The latest time on our line that the ledger knows of: where the line may be taken up again."""
    covered = connection.execute(_LAST_COVERED).scalar()
    known = [time for time in (last_minted(connection), covered) if time is not None]
    return max(known, default=None)


def open_tracks(connection: Connection, since: datetime) -> list[Track]:
    """What a restarted watch must know again, oldest first."""
    oldest = connection.execute(_FIRST_UNSETTLED).scalar()
    young = {"young": first_id(since)}
    if oldest is None:
        found = connection.execute(_OPEN, young)
    else:
        found = connection.execute(_OPEN_OR_OWED, {**young, "oldest": first_id(oldest)})
    return list(tracks(connection, found.scalars().all()))


def unclean_tracks(connection: Connection, since: datetime, limit: int) -> list[Track]:
    """The youngest canaries minted since a time that are done with and were not all right."""
    wanted = (canary.c.state == State.UNCLEAN.value) & (canary.c.id >= first_id(since))
    ids = select(canary.c.id).where(wanted).order_by(canary.c.id.desc()).limit(limit)
    return list(tracks(connection, connection.execute(ids).scalars().all()))


def tracks(connection: Connection, ids: Iterable[UUID]) -> Iterator[Track]:
    """The tracks of those ids that are known, in the order of their ids within each chunk."""
    remaining = iter(ids)
    while chunk := list(islice(remaining, CHUNK)):
        of_id: dict[UUID, list[Seen]] = {}
        for one in map(rows.seen_of, connection.execute(_SEEN, {"ids": chunk}).all()):
            of_id.setdefault(one.id, []).append(one)
        for row in connection.execute(_TRACKED, {"ids": chunk}).all():
            yield rows.track_of(row, of_id.get(row[0], ()))


def sent_since(connection: Connection, time: datetime, *, probe: str | None) -> int:
    """How many canaries were minted since a time, of one probe or of all."""
    counted = select(func.count()).select_from(canary).where(canary.c.id >= first_id(time))
    if probe is not None:
        counted = counted.where(canary.c.probe == probe)
    return connection.execute(counted).scalar_one()


def coverage_of(connection: Connection, stage: str, *, since: datetime | None) -> list[Coverage]:
    """A stage's intervals that reach past `since`, by place, partition and time."""
    if since is None:
        found = connection.execute(_INTERVALS, {"stage": stage})
    else:
        found = connection.execute(_INTERVALS_SINCE, {"stage": stage, "since": since})
    return [rows.coverage_of(row) for row in found]


def last_coverage(connection: Connection, stage: str) -> dict[tuple[str, int], Coverage]:
    """The latest interval of each partition."""
    return {(one.place, one.partition): one for one in coverage_of(connection, stage, since=None)}


def resume(connection: Connection, stage: str) -> Resume:
    """Where reading a topic goes on."""
    last = last_coverage(connection, stage)
    return Resume(
        {where: (one.next_offset, one.until) for where, one in last.items()},
        {where: one.topic_id for where, one in last.items()},
        {where: one.epoch for where, one in last.items()},
    )


def positions(connection: Connection, stage: str, *, since: datetime | None) -> list[Position]:
    """Positions as they changed since a time, each partition opening with the one that stood then.

    Without a time: only the latest of each partition.
    """
    if since is None:
        found = connection.execute(_LATEST_SAID, {"stage": stage})
    else:
        found = connection.execute(_SAID_SINCE, {"stage": stage, "since": since})
    return [
        Position(place, partition, committed, log_start, end, read_at)
        for _, place, partition, read_at, committed, log_start, end in found
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
