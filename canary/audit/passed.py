"""How far the consumer of a table has come: as far as that proves an insert, and ever."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from canary.audit.protocols import Table
from canary.audit.work import Work
from canary.traffic import CannotAskError, Times
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
    now, before = work.state.positions, work.known.passed
    ends: dict[int, int | None] = {}
    if rows_of is not None:
        placed = {one for one in reached if now.get(one) is not None}
        ends |= _rows_end(rows_of, work, placed, replace(work.times(slack), until=FOR_EVER))
        ends |= _rows_end(rows_of, work, reached - placed, None)
    if forgets:
        ends = {one: end or None for one, end in ends.items()}
    return {one: came(now.get(one), before=before.get(one, 0), rows_end=ends.get(one)) for one in reached}


def _rows_end(
    table: Table, work: Work, partitions: AbstractSet[int], times: Times | None
) -> Mapping[int, int | None]:
    """By partition one past the last offset with a row of these times, or of any; None where that is too much
    to ask."""
    whole = [Range(one, 0, work.state.logs[one].end) for one in sorted(partitions)]
    if not whole:
        return {}
    try:
        found = table.furthest(whole, times)
    except CannotAskError as error:
        if not error.over_budget:
            raise
        return dict.fromkeys(partitions)
    return {one: found.get(one, -1) + 1 for one in partitions}
