"""Whether a row policy hides rows of a table from our user: the plan of a question shows it.

That takes no right beyond the question's own. What is hidden cannot be told from what is not there. Of a
policy on other shards of a Distributed table, and of a server that does not show its plans, nobody knows.
"""

import re
from collections.abc import Sequence

from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.schema import quoted
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.sql import Statement

_FILTER = re.compile(r"row[- ]level (?:security )?filter(?! column: +1(?:_UInt8)?$)(?=.)", re.IGNORECASE)
"""A filter that is always true hides nothing; a line that only announces one says nothing."""


def plan_of(database: str, table: str) -> Statement:
    """How the table would be read whole; no row is."""
    source = f"{quoted(database)}.{quoted(table)}"
    return Statement(f"EXPLAIN actions = 1 SELECT 1 FROM {source}", {}, ("line",))


def hidden(session: Session, database: str, tables: Sequence[str]) -> str:
    """Which of these tables has such a policy, in words; "" where none is seen. Never raises."""
    for table in tables:
        try:
            lines = [row["line"] or "" for row in session.catalog(plan_of(database, table)).rows]
        except Blind:  # no such table, or a server that does not tell
            continue
        if any(_FILTER.search(line.strip()) for line in lines):
            return f"a row policy hides rows of {table} from our user"
    return ""
