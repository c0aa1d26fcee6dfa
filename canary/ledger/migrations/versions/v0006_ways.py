"""By which way out a message went, now that there are several."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; all there was before went by Slack."""
    op.add_column("alert_outbox", sa.Column("way", sa.Text(), server_default="slack", nullable=False))
