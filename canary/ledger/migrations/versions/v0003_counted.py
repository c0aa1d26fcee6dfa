"""How a canary was counted in its minute, lest a restart counts it again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; what was counted before is not known."""
    op.add_column("canary", sa.Column("counted", sa.Text()))
