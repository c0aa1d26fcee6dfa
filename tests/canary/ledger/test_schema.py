"""One schema, whichever way a database came to it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, text

import canary.ledger.migrations
from canary.ledger import Ledger, schema
from canary.values import Owed


def shape(engine: Engine) -> dict[str, object]:
    """Every table and index with the words that made it, spacing aside."""
    with engine.connect() as connection:
        found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {name: " ".join(sql.split()) for name, sql in found}


@pytest.fixture
def plain(url: str) -> Engine:
    engine = create_engine(url)
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def test_the_migrations_are_the_versions_there_have_been() -> None:
    """The list of versions that spares us Alembic is the one that Alembic has."""
    config = Config()
    config.set_main_option("script_location", str(Path(canary.ledger.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    assert [*schema.REVISIONS][::-1] == [script.revision for script in scripts.walk_revisions()]


def test_a_schema_made_at_once_is_the_migrated_one(plain: Engine) -> None:
    """A fresh ledger has, word for word, what the migrations make."""
    other = create_engine("sqlite://")
    with plain.begin() as connection:
        schema.create(connection)
    with other.begin() as connection:
        schema.upgrade(connection, schema.HEAD)

    assert shape(plain) == shape(other)
    plain.dispose()
    other.dispose()


@pytest.mark.parametrize("old", schema.REVISIONS)
def test_every_old_version_is_brought_up_with_its_data(
    old: str, plain: Engine, url: str, owed: Callable[..., Owed]
) -> None:
    """A ledger of any release opens as today's and holds what it held."""
    with plain.begin() as connection:
        schema.upgrade(connection, old)
        connection.exec_driver_sql("INSERT INTO remembered (key, value) VALUES ('kept', '[1]')")
    plain.dispose()

    with Ledger.open(url) as ledger, ledger.engine.connect() as connection:
        assert ledger.value("kept") == [1]
        assert schema.revision(connection) == schema.HEAD
        ledger.record_sent([owed()])


def test_an_upgrade_that_fails_changes_nothing(plain: Engine, url: str) -> None:
    """A migration is one transaction: what it cannot finish, it has not begun."""
    with plain.begin() as connection:
        schema.upgrade(connection, "0001")
        connection.exec_driver_sql("CREATE TABLE alert_outbox (in_the_way)")
    before = shape(plain)

    with pytest.raises(Exception, match="alert_outbox"):
        Ledger.open(url)

    assert before == shape(plain)
    plain.dispose()


def test_a_fresh_ledger_opens_without_alembic(url: str) -> None:
    """Importing Alembic costs a third of a second, which no `canary check` should pay."""
    script = (
        f"import sys; from canary.ledger import Ledger; Ledger.open({url!r}).close(); Ledger.open({url!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; sys.exit('alembic' in sys.modules)"], timeout=60, check=False
    )

    assert done.returncode == 0
