"""What the pager has open and owes, as `alerts.tables` had it then."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the pager's tables."""
    op.create_table(
        "alert_incidents",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("incident", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger()),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "alert_outbox",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text(), nullable=False, unique=True),
        sa.Column("incident", sa.Integer(), nullable=False, index=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False, index=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("uncertain", sa.Boolean(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger()),
        sa.Column("sent_at", sa.BigInteger(), index=True),
        sa.Column("given_up_at", sa.BigInteger()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
    )
