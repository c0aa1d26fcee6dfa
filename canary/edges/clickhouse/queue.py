"""What waits in front of a table: files that Distributed tables have taken in and not yet sent on.

An insert into a Distributed table returns once its rows lie in a queue on that server's disk (ClickHouse's
documentation, "Distributed Table Engine" and "system.distribution_queue"), so the consumer that made it
commits its offsets before the rows are in the table.
"""

from collections.abc import Sequence
from datetime import datetime

from canary.edges.clickhouse import schema, sql
from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import Settings
from canary.values import Now


class DistributionQueue:
    """Reads the queues on every server of the cluster that was named: no other list is whole."""

    def __init__(self, settings: Settings, *, now: Now) -> None:
        self._settings = settings
        self._now = now
        self._feeding: tuple[datetime, Sequence[schema.Place]] | None = None
        self.note = ""

    def read(self, session: Session) -> tuple[datetime, int] | None:
        """When they were read, and how many files waited; None where they cannot be, and `note` says why."""
        try:
            feeding = self._tables(session)
            if not feeding:
                self.note = f"no Distributed table leads to {self._settings.table}: its queue is not read"
                return None
            read_at = self._now()
            reply = session.catalog(sql.queued(self._settings.queue_cluster, feeding))
        except Blind as blind:
            self.note = f"system.distribution_queue cannot be read: {blind.reason}"
            return None
        self.note = ""
        files = reply.rows[0]["files"] if reply.rows else None
        return (read_at, int(files)) if files is not None and files.isdigit() else None

    def _tables(self, session: Session) -> Sequence[schema.Place]:
        """The Distributed tables in front of ours, asked for anew every few minutes."""
        now = self._now()
        if self._feeding is not None and now - self._feeding[0] < schema.KEEP:
            return self._feeding[1]
        rows = session.catalog(sql.about_distributed()).rows
        known = {
            (str(row["database"]), str(row["name"])): schema.target(str(row["engine_full"])) for row in rows
        }
        own = (self._settings.database, self._settings.table)
        behind = known.get(own)
        local = behind[1:] if behind else own
        found = [place for place, leads in known.items() if leads is not None and leads[1:] == local]
        self._feeding = (now, found)
        return found
