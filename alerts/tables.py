"""The pager's tables, handed to whoever migrates the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SLACK = "slack"
"""The way out of every message from before there were others."""


class Micros(sa.TypeDecorator[datetime]):
    """An aware time, kept as whole microseconds since 1970 UTC."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else from_micros(value)


def to_micros(moment: datetime) -> int:
    """Whole microseconds since 1970 UTC."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The time that many microseconds after 1970 UTC."""
    return EPOCH + micros * MICROSECOND


metadata = sa.MetaData()

incidents = sa.Table(
    "alert_incidents",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("incident", sa.Integer, nullable=False),
    sa.Column("opened_at", Micros),
    sa.Column("body", sa.Text, nullable=False),
)

past = sa.Table(
    "alert_past",
    metadata,
    sa.Column("incident", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.Text, nullable=False),
)

outbox = sa.Table(
    "alert_outbox",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("incident", sa.Integer, nullable=False, index=True),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("made_at", Micros, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("uncertain", sa.Boolean, nullable=False),
    sa.Column("next_try_at", Micros),
    sa.Column("sent_at", Micros, index=True),
    sa.Column("given_up_at", Micros),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("thread", sa.Text, nullable=False),
    sa.Column("way", sa.Text, server_default=SLACK, nullable=False),
)

silences = sa.Table(
    "alert_silences",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("starts_at", Micros, nullable=False),
    sa.Column("ends_at", Micros, nullable=False, index=True),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

acks = sa.Table(
    "alert_acks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("incident", sa.Integer, nullable=False, index=True),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("made_at", Micros, nullable=False),
    sqlite_autoincrement=True,
)
