"""A table as an audit asks it, and the conditions that a window makes of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from canary.edges.clickhouse.schema import Column, Shape, quoted
from canary.edges.clickhouse.sql import Parameter, precise_stamp
from canary.traffic import Times
from reconcile.offsets import Range

_LAST_YEAR = 2105
"""DateTime ends in the year after."""

_INSIDE = {"since": ">=", "until": "<"}
_OUTSIDE = {"since": "<", "until": ">="}


@dataclass(frozen=True, slots=True)
class Place:
    """A table as an audit asks it: `shape`, the column with the record's time, and that with its topic.

    The first of `topics` is the one under audit: only its rows stand for its offsets. The others may lawfully
    feed the table too.
    """

    shape: Shape
    kafka_time: Column | None = None
    topic_column: str = ""
    topics: tuple[str, ...] = ()

    @property
    def partition(self) -> str:
        return self.shape.columns["partition"].expression

    @property
    def offset(self) -> str:
        return self.shape.columns["offset"].expression

    @property
    def p(self) -> str:
        """The partition as a plain number, -1 for none."""
        return f"ifNull(toInt64({self.partition}), -1)"

    @property
    def o(self) -> str:
        """The offset as a plain number, -1 for none."""
        return f"ifNull(toInt64({self.offset}), -1)"

    @property
    def has_offsets(self) -> bool:
        return {"partition", "offset"} <= self.shape.columns.keys()

    @property
    def own(self) -> str:
        """Whether a row is of the topic under audit, as far as a column says so."""
        return f"ifNull(toString({self.topic_column}), '') = {{topic:String}}" if self.topic_column else "1"

    @property
    def id(self) -> Column:
        return self.shape.columns["id"]

    @property
    def source(self) -> str:
        return f"{quoted(self.shape.database)}.{quoted(self.shape.table)}"


def window_of(place: Place, window: Sequence[Range], times: Times | None) -> tuple[str, dict[str, Parameter]]:
    """Exactly the offsets of a window, one range a partition."""
    parameters: dict[str, Parameter] = {
        "wp": [one.partition for one in window],
        "ws": [one.start for one in window],
        "we": [one.end for one in window],
    }
    part, offset = place.partition, place.offset
    conditions = time_conditions(place, times)
    parameters |= times_of(place, times)
    if place.topic_column:
        parameters["topic"] = place.topics[0]
        conditions.append(place.own)
    conditions += [
        f"{offset} >= {min(one.start for one in window):d}",
        f"{offset} < {max(one.end for one in window):d}",
        f"{part} IN {{wp:Array(Int64)}}",
        f"{place.o} >= transform({place.p}, {{wp:Array(Int64)}}, {{ws:Array(Int64)}}, toInt64(0))",
        f"{place.o} < transform({place.p}, {{wp:Array(Int64)}}, {{we:Array(Int64)}}, toInt64(0))",
    ]
    return " AND ".join(conditions), parameters


def time_conditions(place: Place, times: Times | None) -> list[str]:
    """Record times from a stretch, and those that a table does not know."""
    column = place.kafka_time
    if column is None or times is None:
        return []
    both = _compared(column, times, _INSIDE)
    if not column.type.startswith("Nullable"):
        return both
    return [f"({' AND '.join(both)} OR {column.expression} IS NULL)"]


def times_elsewhere(place: Place, times: Times | None) -> list[str]:
    """Record times that `time_conditions` leaves out."""
    column = place.kafka_time
    if column is None or times is None:
        return ["0"]
    outside = _compared(column, times, _OUTSIDE)
    if not column.type.startswith("Nullable"):  # of an expression, say: what has no time lies outside
        outside.append(f"{column.expression} IS NULL")
    return [f"({' OR '.join(outside)})"]


def _compared(column: Column, times: Times, signs: Mapping[str, str]) -> list[str]:
    bound = "toDateTime({{{}:String}}, 'UTC')"
    if not _whole(column, times):
        bound = "toDateTime64({{{}:String}}, 6, 'UTC')"
    return [f"{column.expression} {sign} {bound.format(name)}" for name, sign in signs.items()]


def _whole(column: Column | None, times: Times) -> bool:
    """Whether the column has whole seconds: else each value would be converted."""
    plain = column is not None and column.base.startswith("DateTime") and "64" not in column.base
    return plain and times.until.astimezone(UTC).year <= _LAST_YEAR


def times_of(place: Place, times: Times | None) -> dict[str, Parameter]:
    """Both bounds; for whole seconds the next one, which divides them in the same place."""
    if times is None:
        return {}
    if not _whole(place.kafka_time, times):
        return {"since": precise_stamp(times.since), "until": precise_stamp(times.until)}
    return {"since": precise_stamp(_up(times.since))[:19], "until": precise_stamp(_up(times.until))[:19]}


def _up(moment: datetime) -> datetime:
    return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)
