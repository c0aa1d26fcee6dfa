"""What people ask of the pager, in its database: they write rows, and the pager reads them as it goes."""

import logging
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from alerts.silence import Ack, Orders, Silence
from alerts.store import Begin, StoreError, guarded
from alerts.tables import acks, incidents, silences

ORDERS_EVERY = timedelta(seconds=2)
NEVER = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger(__name__)

# Read every other second: built once, they need no new text each time; and mostly nobody asks for anything.
_HOLDS = silences.c.ends_at > sa.bindparam("now")
_OPEN = acks.c.incident.in_(sa.select(incidents.c.incident))
_ANYTHING = sa.select(sa.exists().where(_HOLDS) | sa.exists().where(_OPEN))
_HOLDING = sa.select(silences).where(_HOLDS).order_by(silences.c.number)
_TAKEN = sa.select(acks).where(_OPEN).order_by(acks.c.number)


class OrderBook:
    """Reads and writes `alert_silences` and `alert_acks`. Raises StoreError where it cannot."""

    def __init__(self, engine: sa.Engine, *, begin: Begin | None = None) -> None:
        """`begin` opens a writing transaction where the owner of the database wants to guard those."""
        self._engine = engine
        self._begin: Begin = begin or engine.begin

    def read(self, now: datetime) -> Orders:
        """All that still has to do with the pager: silences not over, acknowledgements of what is open."""
        return guarded(lambda: self._read(now))

    def _read(self, now: datetime) -> Orders:
        with self._engine.connect() as db, db.begin():
            if not db.execute(_ANYTHING, {"now": now}).scalar_one():
                return Orders()
            kept = tuple(
                Silence(row.prefix, row.starts_at, row.ends_at, row.author, row.reason, row.number)
                for row in db.execute(_HOLDING, {"now": now})
            )
            taken = tuple(Ack(row.number, row.incident, row.author) for row in db.execute(_TAKEN))
            return Orders(kept, taken)

    def silence(self, asked: Silence) -> int:
        """Write a silence down; its number."""
        row = {
            "prefix": asked.prefix,
            "starts_at": asked.starts_at,
            "ends_at": asked.ends_at,
            "author": asked.author,
            "reason": asked.reason,
        }
        return guarded(lambda: self._insert(silences, row))

    def end(self, number: int, now: datetime) -> bool:
        """Let a silence end now; False where there is none of that number that still holds."""
        wanted = silences.update().where(silences.c.number == number, silences.c.ends_at > now)

        def ended() -> bool:
            with self._begin() as db:
                return db.execute(wanted.values(ends_at=now)).rowcount > 0

        return guarded(ended)

    def acknowledge(self, incident: int, *, author: str, now: datetime) -> bool:
        """Say that somebody has an incident in hand; False where none of that number is open."""

        def open_() -> bool:
            with self._engine.connect() as db, db.begin():
                found = sa.select(incidents.c.incident).where(incidents.c.incident == incident)
                return incident > 0 and db.execute(found).first() is not None

        if not guarded(open_):
            return False
        row = {"incident": incident, "author": author, "made_at": now}
        guarded(lambda: self._insert(acks, row))
        return True

    def _insert(self, table: sa.Table, row: dict[str, object]) -> int:
        with self._begin() as db:
            number: int = db.execute(table.insert().values(row).returning(table.c.number)).scalar_one()
            return number


class Asked:
    """What people asked for, as it was last read."""

    def __init__(self, book: OrderBook | None) -> None:
        """Without a book nobody can ask for anything."""
        self._book, self._read_at, self.orders = book, NEVER, Orders()

    def read(self, now: datetime) -> Orders:
        """See what they asked for since; where that cannot be read, what they had asked still holds."""
        if self._book is None or abs(now - self._read_at) < ORDERS_EVERY:
            return self.orders
        self._read_at = now
        try:
            self.orders = self._book.read(now)
        except StoreError as error:
            _log.warning("alerts: silences and acknowledgements cannot be read: %s", error)
        return self.orders
