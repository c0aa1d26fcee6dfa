"""Of which topic what was read is, lest a restart reads a new one on from the old one's offsets."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; of what was read before it is not known."""
    op.add_column("coverage", sa.Column("topic_id", sa.Text()))
