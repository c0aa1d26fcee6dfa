"""Whose schema a database has, and how it gets ours: at once where it is new, else by migration."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select

from alerts.tables import metadata as alerts
from canary.ledger import tables
from canary.ledger.errors import LedgerUnusable

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
"""Every version there has been, oldest first. A test holds them against the migrations."""

HEAD = REVISIONS[-1]

_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def revision(connection: Connection) -> str | None:
    """The version of the database's schema; None where there is nothing yet."""
    names = inspect(connection).get_table_names()
    if _version.name not in names:
        if names and connection.dialect.name == "sqlite":
            raise LedgerUnusable("is another program's database, not a ledger")
        return None
    stored: Sequence[str] = connection.execute(select(_version.c.version_num)).scalars().all()
    if len(stored) != 1 or stored[0] not in REVISIONS:
        raise LedgerUnusable(f"was written by a newer release (got schema {', '.join(stored) or 'none'})")
    return stored[0]


def bring_up(connection: Connection, stored: str | None) -> None:
    """Give the database today's schema, within the caller's transaction."""
    if stored is None:
        create(connection)
    elif stored != HEAD:
        upgrade(connection, HEAD)


def create(connection: Connection) -> None:
    """Make everything at once, without the third of a second that importing Alembic takes."""
    for metadata in (tables.metadata, alerts, _version.metadata):
        metadata.create_all(connection)
    connection.execute(_version.insert().values(version_num=HEAD))


def upgrade(connection: Connection, to: str) -> None:
    """Run the migrations up to a version."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
