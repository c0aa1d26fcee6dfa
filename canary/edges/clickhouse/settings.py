"""What a ClickHouse stage is told: where its table is, and how little it may cost its host."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from canary.values import Secret

LOGICAL = ("event", "distinct_id", "timestamp", "properties", "at", "partition", "offset", "tenant")
"""What a row may tell besides its id; `Settings.columns` maps these to columns or expressions."""

DEFAULT_COLUMNS: Mapping[str, str] = {
    "event": "event",
    "distinct_id": "distinct_id",
    "timestamp": "timestamp",
    "properties": "properties",
    "at": "inserted_at",
    "partition": "_partition",
    "offset": "_offset",
    "tenant": "team_id",
}
"""Taken where the table has a column of that name and the configuration says nothing."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM; `verify=False` accepts any certificate."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """One table as a stage.

    Parameters
    ----------
    match: the column (or expression) that holds the canary's id.
    columns: logical name (`LOGICAL`) -> column or expression; "" where the table has none. "kafka_time"
        names the column with the record's time, for what prunes by arrival.
    tenants: values of the tenant column that canaries are stored under; learned from rows where empty.
    siblings: other tables fed from the same topic: asked in a last look, as a hint only.
    dead_letters: tables that hold what could not be stored, with the reason.
    replicas: base URLs that a last look prefers to `url`.
    chunk: ids in one query; more of them wait for the next look, so that the pace holds.
    max_replica_delay: a replica behind by more is not asked through a Distributed table.
    passed_grace: one that is behind by as much is not asked where silence proves a loss: what it lacks may be
        there.
    day_margin: how far a stored timestamp may lie from the send before only a last look finds it.
    queue_cluster: the cluster whose servers may hold rows for this table in queues of Distributed tables; ""
        where there are none, or nobody knows.
    last_look_every, last_look_time, last_look_bytes: the budget of last looks.
    """

    name: str
    url: str
    database: str
    table: str
    user: str = "default"
    password: Secret | None = None
    match: str = "uuid"
    columns: Mapping[str, str] = field(default_factory=dict)
    tenants: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()
    dead_letters: tuple[str, ...] = ()
    replicas: tuple[str, ...] = ()
    queue_cluster: str = ""
    tls: Tls | None = None
    timeout: timedelta = timedelta(seconds=2)
    max_queries_per_second: float = 1.0
    max_execution_time: timedelta = timedelta(seconds=2)
    max_bytes_to_read: int = 2_000_000_000
    max_threads: int = 1
    priority: int = 10
    chunk: int = 2_000
    max_rows_per_id: int = 20
    max_replica_delay: timedelta = timedelta(seconds=10)
    passed_grace: timedelta = timedelta(seconds=2)
    day_margin: timedelta = timedelta(days=1)
    last_look_every: timedelta = timedelta(seconds=10)
    last_look_time: timedelta = timedelta(seconds=10)
    last_look_bytes: int = 10_000_000_000
