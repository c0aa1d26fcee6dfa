"""Reads what tables are like from the server, and remembers it for a while."""

from collections.abc import Callable
from datetime import datetime

from canary.edges.clickhouse import schema, sql
from canary.edges.clickhouse.client import Blind, Reply
from canary.edges.clickhouse.settings import Settings
from canary.values import Now

Ask = Callable[[sql.Statement], Reply]


class Catalog:
    """The shapes of one stage's tables."""

    def __init__(self, settings: Settings, now: Now) -> None:
        self._settings = settings
        self._now = now
        self._shapes: dict[str, tuple[datetime, schema.Shape | None]] = {}

    def forget(self) -> None:
        """After an error that says that a table changed."""
        self._shapes.clear()

    def shape(self, table: str, ask: Ask, *, dead_letters: bool = False) -> schema.Shape | None:
        """None for a dead-letter table in which no id can be found. Raises Blind."""
        known = self._shapes.get(table)
        if known is not None and self._now() - known[0] < schema.KEEP:
            return known[1]
        read = self._read(table, ask, dead_letters=dead_letters)
        self._shapes[table] = (self._now(), read)
        return read

    def notes(self, shape: schema.Shape) -> tuple[str, ...]:
        """What a person should know of a table before it is asked every second."""
        name = f"{shape.database}.{shape.table}"
        if not shape.known_keys:
            return (f"{name}: the sorting key of what lies behind it cannot be read; lookups may scan",)
        if shape.scans():
            key = ", ".join(shape.sorting_key) or "none"
            return (f"{name}: every lookup must scan: its sorting key ({key}) begins with nothing we know",)
        return ()

    def _read(self, table: str, ask: Ask, *, dead_letters: bool) -> schema.Shape | None:
        database = self._settings.database
        raw = self._raw(database, table, ask)
        if raw is None:
            raise Blind(f"no table {database}.{table}, or no right to see it", stale_schema=True)
        if dead_letters:
            wish = schema.dead_letter_wished(self._settings, raw.columns)
            if wish is None:
                return None
        else:
            wish = schema.wished(self._settings, raw.columns)
        local = self._local(raw, ask)
        arrival = schema.arrival_expression(self._settings, local or raw)
        expressions = [*wish.values(), *([arrival] if arrival else [])]
        types = [row["type"] or "" for row in ask(sql.about_types(database, table, expressions)).rows]
        return schema.shape(self._settings, table, raw=raw, local=local, wish=wish, types=types)

    def _raw(self, database: str, table: str, ask: Ask, *, cluster: str = "") -> schema.Raw | None:
        rows = ask(sql.about_table(database, table, cluster=cluster)).rows
        if not rows:
            return None
        columns = {str(r["name"]): str(r["type"]) for r in ask(sql.about_columns(database, table)).rows}
        text = {name: value or "" for name, value in rows[0].items()}
        return schema.Raw(**text, columns=columns, minmax=self._minmax(database, table, ask))

    def _local(self, raw: schema.Raw, ask: Ask) -> schema.Raw | None:
        """The table behind a Distributed one: from this server, else from a shard, else unknown."""
        place = schema.behind(raw)
        if place is None:
            return None
        cluster, database, table = place
        for source in ("", cluster):
            try:
                found = self._raw(database, table, ask, cluster=source)
            except Blind:  # no right to ask that way: lookups work without the keys, only less cheaply
                found = None
            if found is not None:
                return found
        return None

    def _minmax(self, database: str, table: str, ask: Ask) -> tuple[str, ...]:
        try:
            return tuple(row["expr"] or "" for row in ask(sql.about_indexes(database, table)).rows)
        except Blind:  # servers before 20.x, or no right: a help that is not there
            return ()
