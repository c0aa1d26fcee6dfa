"""What a table can hold of an event, and what may keep its row from being seen."""

from canary.edges.clickhouse import sql
from canary.edges.clickhouse.audit_place import Place
from canary.edges.clickhouse.hiding import hidden
from canary.edges.clickhouse.lifetimes import lifetimes, may_remove
from canary.edges.clickhouse.refusals import refuses
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import Settings
from canary.traffic import Holds
from canary.values import Now

COMPUTED = frozenset({"MATERIALIZED", "ALIAS"})
"""Columns that take nothing from an event."""


def held(session: Session, settings: Settings, place: Place, *, now: Now) -> Holds:
    """By the types of the table's columns, its TTL, what its merges do and what we may see. Raises Blind."""
    rows = session.catalog(sql.about_columns(settings.database, settings.table)).rows
    types = {str(row["name"]): str(row["type"]) for row in rows if row["kind"] not in COMPUTED}
    shape = place.shape
    return Holds(
        refuses(types),
        may_remove(lifetimes(shape.ttl), kafka_time=place.kafka_time, now=now),
        ttl=shape.ttl,
        replaces=shape.replaces,
        merges=shape.merges_events,
        hides=hidden(session, settings.database, (settings.table, *settings.dead_letters)),
    )
