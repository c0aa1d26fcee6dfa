"""How far the consumer of a table has come: as far as that proves an insert, and ever."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from canary.audit.protocols import Table
from canary.audit.work import Work
from canary.traffic import CannotAskError
from reconcile.offsets import Range, joined
from reconcile.traffic import came

FOR_EVER = datetime(2105, 1, 1, tzinfo=UTC)
"""After all record times, and one that a column with whole seconds can hold."""


def position(work: Work, partition: int) -> int | None:
    """The consumer's next offset as far as it proves an insert, 0 where it never committed; None where it
    cannot be read."""
    if work.state.positions_unreadable:
        return None
    return 0 if work.held else work.state.positions.get(partition) or 0


def removed(work: Work, gaps: Sequence[Range]) -> list[Range]:
    """What Kafka holds no longer of some gaps."""
    return joined(gap.clip(gap.start, work.state.logs[gap.partition].start) for gap in gaps)


def passed(
    work: Work, gaps: Sequence[Range], rows_of: Table | None, *, slack: timedelta, forgets: bool
) -> Mapping[int, int | None]:
    """How far the consumer ever came, by each partition of which retention removed gaps; None where it may
    have been anywhere. `rows_of` is None where a row at an offset does not show that the consumer was there;
    `forgets` when the table removes old rows. Raises `CannotAskError`."""
    reached = {part.partition for part in removed(work, gaps)}
    if work.held or work.state.positions_unreadable:
        return dict.fromkeys(reached, 0 if work.held else None)
    found = {}
    for one in reached:
        now, before = work.state.positions.get(one), work.known.passed.get(one, 0)
        rows_end = _rows_end(rows_of, work, one, slack, ever=now is None) if rows_of is not None else None
        found[one] = came(now, before=before, rows_end=None if forgets and not rows_end else rows_end)
    return found


def _rows_end(table: Table, work: Work, partition: int, slack: timedelta, *, ever: bool) -> int | None:
    """One past the last offset with a row, of any time or of the window's and later ones; None where that is
    too much to ask."""
    whole = Range(partition, 0, work.state.logs[partition].end)
    times = None if ever else replace(work.times(slack), until=FOR_EVER)
    try:
        return table.furthest([whole], times).get(partition, -1) + 1
    except CannotAskError as error:
        if not error.over_budget:
            raise
        return None
