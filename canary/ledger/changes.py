"""Changes of the parts as rows, and back; each counts once, however often it is written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from canary.described import Change
from canary.ledger.columns import micros, readable
from canary.ledger.tables import part_change

Values = tuple[Any, ...]


def row_of(change: Change) -> Values:
    """A whole row."""
    return (micros(change.until), readable(change.stage), readable(change.told), micros(change.since))


def since(connection: Connection, moment: datetime) -> list[Change]:
    """Those that may have happened at that time or later, oldest first."""
    table = part_change.c
    wanted = select(part_change).where(table.until_at >= moment).order_by(table.until_at, table.stage)
    found: Sequence[Row[Any]] = connection.execute(wanted).all()
    return [Change(row.stage, row.told, row.since_at, row.until_at) for row in found]
