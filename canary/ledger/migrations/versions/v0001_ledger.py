"""What is owed, what was seen, and what windows and minutes came to."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    _canaries()
    _readings()
    _reports()


def _canaries() -> None:
    op.create_table(
        "canary",
        sa.Column("id", sa.LargeBinary(), primary_key=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("probe", sa.Text(), nullable=False),
        sa.Column("lane", sa.BigInteger(), nullable=False),
        sa.Column("distinct_id", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("content_version", sa.BigInteger(), nullable=False),
        sa.Column("payload_hash", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text()),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("answered_at", sa.BigInteger()),
        sa.Column("tries", sa.BigInteger()),
        sa.Column("status", sa.BigInteger()),
        sa.Column("detail", sa.Text()),
        sa.Column("outcome", sa.Text()),
        sa.Column("final", sa.Boolean()),
        sa.Column("judged_at", sa.BigInteger()),
        sa.Column("hop", sa.Text()),
        sa.Column("spanned", sa.Text()),
        sa.Column("flags", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("amended_from", sa.Text()),
        sqlite_with_rowid=False,
    )
    op.create_index("canary_by_state", "canary", ["state", "id"])
    op.create_table(
        "sighting",
        sa.Column("id", sa.LargeBinary(), primary_key=True),
        sa.Column("stage", sa.Text(), primary_key=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger()),
        sa.Column("partition_number", sa.BigInteger()),
        sa.Column("log_offset", sa.BigInteger()),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("stage_time", sa.BigInteger()),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("compared", sa.Boolean(), nullable=False),
        sa.Column("differences", sa.Text()),
        sa.Column("copies", sa.BigInteger(), nullable=False),
        sa.Column("copy_kinds", sa.Text()),
        sqlite_with_rowid=False,
    )


def _readings() -> None:
    op.create_table(
        "coverage",
        sa.Column("stage", sa.Text(), primary_key=True),
        sa.Column("place", sa.Text(), primary_key=True),
        sa.Column("partition_number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("since", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consumer_position",
        sa.Column("stage", sa.Text(), primary_key=True),
        sa.Column("place", sa.Text(), primary_key=True),
        sa.Column("partition_number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("read_at", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("committed", sa.BigInteger()),
        sa.Column("log_start", sa.BigInteger()),
        sa.Column("log_end", sa.BigInteger()),
        sqlite_with_rowid=False,
    )


def _reports() -> None:
    op.create_table(
        "window_report",
        sa.Column("starts_at", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("probe", sa.Text(), primary_key=True),
        sa.Column("ends_at", sa.BigInteger()),
        sa.Column("settled_at", sa.BigInteger()),
        sa.Column("due", sa.BigInteger()),
        sa.Column("sent", sa.BigInteger()),
        sa.Column("outcomes", sa.Text()),
        sa.Column("flags", sa.Text()),
        sa.Column("hops", sa.Text()),
        sa.Column("latency", sa.Text()),
        sa.Column("amendments", sa.BigInteger()),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "window_report_unsettled",
        "window_report",
        ["starts_at", "probe"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "probe_minute",
        sa.Column("starts_at", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("probe", sa.Text(), primary_key=True),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("not_visible", sa.BigInteger(), nullable=False),
        sa.Column("blind", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "remembered",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text()),
        sqlite_with_rowid=False,
    )
