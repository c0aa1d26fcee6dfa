"""How far a replicated table is behind its replicas: on a copy of the engine's own list, which is empty."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from canary.clock import Line, SystemClock
from canary.edges.clickhouse.lagging import lagging
from canary.edges.clickhouse.session import Session
from canary.sandbox.clickhouse import ClickHouseFront
from tests.contract.audit_kit import settings, table_audit

pytestmark = pytest.mark.sandbox


@pytest.fixture
def session(running: ClickHouseFront) -> Iterator[Session]:
    """Beside a copy of the catalogue's table."""
    columns = "database, table, is_readonly, absolute_delay"
    running.execute(
        f"CREATE TABLE posthog.replicas ENGINE = Memory EMPTY AS SELECT {columns} FROM system.replicas"
    )
    made = Session(settings(running, "events"), running.url, now=Line(SystemClock()).now)
    yield made
    made.close()
    running.execute("DROP TABLE posthog.replicas SYNC")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], ""),
        ([("events", 0, 2)], ""),
        ([("events", 0, 3)], "the server is 3 s behind its replicas"),
        ([("events", 1, 0)], "the server takes no rows from its replicas (read-only)"),
        ([("other", 1, 99)], ""),
    ],
)
def test_a_replica_that_is_behind_says_so(
    running: ClickHouseFront, session: Session, rows: list[tuple[str, int, int]], words: str
) -> None:
    """By more than what an insert may take; of other tables nothing is said."""
    for table, readonly, delay in rows:
        running.execute(f"INSERT INTO posthog.replicas VALUES ('posthog', '{table}', {readonly}, {delay})")

    places = [("posthog", "events")]
    assert lagging(session, places, timedelta(seconds=2), catalog="posthog") == words
    assert lagging(session, [], timedelta(seconds=2), catalog="nowhere") == ""
    assert lagging(session, places, timedelta(seconds=2), catalog="nowhere") == ""


def test_a_table_that_is_not_replicated_is_behind_nothing(running: ClickHouseFront) -> None:
    """In the engine's own words, also behind a Distributed table."""
    for table in ("events", "dist"):
        if table == "dist":
            running.execute(
                "CREATE TABLE posthog.dist AS posthog.events"
                " ENGINE = Distributed('posthog', 'posthog', 'events')"
            )
        audit = table_audit(running, table)
        told = audit.lagging()
        audit.close()
        assert told == ""
    running.execute("DROP TABLE posthog.dist")
