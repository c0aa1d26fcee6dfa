"""What hangs beside a table in a last look: dead letters (evidence), siblings (a hint to a person)."""

from collections import Counter
from collections.abc import Sequence

from canary.edges.clickhouse import sql
from canary.edges.clickhouse.catalog import Catalog
from canary.edges.clickhouse.client import Blind
from canary.edges.clickhouse.rows import Found, Seeing, found
from canary.edges.clickhouse.session import Session
from canary.edges.clickhouse.settings import Settings
from canary.values import Now, Sighting, Wanted

_BY_ID = sql.Prune(day=False, rest=False)


class Side:
    """One last look at the side tables; `notes` says what could not be read and what siblings have."""

    def __init__(self, settings: Settings, session: Session, catalog: Catalog, now: Now) -> None:
        self._settings = settings
        self._session = session
        self._catalog = catalog
        self._now = now
        self.notes: list[str] = []

    def ask(self, table: str, wanted: Sequence[Wanted], *, dead_letters: bool, rows_per_id: int) -> Found:
        """Nothing where the table cannot be asked: side places prove nothing by being empty."""
        nothing = Found((), {}, {})
        try:
            shape = self._catalog.shape(table, self._session.catalog, dead_letters=dead_letters)
            if shape is None:
                self.notes.append(f"dead letters {table}: no column with an id")
                return nothing
            statement = sql.lookup(shape, wanted, prune=_BY_ID, tenants=frozenset(), rows_per_id=rows_per_id)
            rows = self._session.rows(statement, last=True, rows=rows_per_id * len(wanted))
        except Blind as blind:
            self.notes.append(f"{table} could not be asked: {blind.reason}")
            return nothing
        seeing = Seeing(self._settings.name, shape, seen_at=self._now(), side="dead_letter")
        return found(rows, {one.id for one in wanted}, seeing=seeing, rows_per_id=rows_per_id)

    def dead_letters(self, wanted: Sequence[Wanted], rows_per_id: int) -> Found:
        counts: Counter[str] = Counter()
        sightings: list[Sighting] = []
        for table in self._settings.dead_letters:
            letters = self.ask(table, wanted, dead_letters=True, rows_per_id=rows_per_id)
            sightings += letters.sightings
            counts += Counter(letters.counts)
        return Found(tuple(sightings), dict(counts), {})

    def siblings(self, wanted: Sequence[Wanted]) -> None:
        """A sibling is fed by a consumer of its own: it proves nothing here, but it says where to search."""
        for table in self._settings.siblings:
            there = {one.id for one in self.ask(table, wanted, dead_letters=False, rows_per_id=1).sightings}
            if there:
                self.notes.append(
                    f"{len(there)} of {len(wanted)} missing canaries are in the sibling table {table}:"
                    f" lost on the way into {self._settings.table} alone"
                )


def look_beside(side: Side, missing: Sequence[Wanted], rows_per_id: int) -> Found:
    """Dead letters as sightings, siblings as notes."""
    letters = side.dead_letters(missing, rows_per_id)
    side.siblings(missing)
    return letters
