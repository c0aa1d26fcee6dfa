"""What people asked of the pager: silences and acknowledgements; numbers are never given twice."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "alert_silences",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False, index=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alert_acks",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("incident", sa.Integer(), nullable=False, index=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
