"""Of which log what was read is, lest a restart reads another one on from its offsets."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns; of what was read before it is not known."""
    op.add_column("coverage", sa.Column("topic_id", sa.Text()))
    op.add_column("coverage", sa.Column("epoch", sa.BigInteger()))
