"""Builds the statements of an audit. Pure: text and bound parameters out, nothing asked.

A window is asked for by partition and offset; record times only prune. Numbers come back as text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from canary.edges.clickhouse.schema import Column, Shape, quoted
from canary.edges.clickhouse.sql import Parameter, Statement, hash_conditions, id_condition
from canary.traffic import Times
from reconcile.offsets import BLOCK, Range

SHOWN = 10
COPIES = 20
"""Places of one id that are told."""


@dataclass(frozen=True, slots=True)
class Place:
    """A table as an audit asks it: `shape`, the column with the record's time, and that with its topic."""

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
    def id(self) -> Column:
        return self.shape.columns["id"]

    @property
    def source(self) -> str:
        return f"{quoted(self.shape.database)}.{quoted(self.shape.table)}"


def blocks(place: Place, window: Sequence[Range], times: Times | None) -> Statement:
    """Rows and distinct offsets of every block of offsets of a window."""
    where, parameters = _window(place, window, times)
    sql = (
        f"SELECT toString({place.p}) AS p, toString(intDiv({place.o}, {BLOCK}))"
        f" AS b, toString(count()), toString(uniqExact({place.offset}))"
        f" FROM {place.source} WHERE {where} GROUP BY p, b"
    )
    return Statement(sql, parameters, ("partition", "number", "rows", "distinct"))


def gaps(
    place: Place, window: Sequence[Range], pieces: Sequence[Range], times: Times | None, *, most: int
) -> Statement:
    """The offsets of some blocks that have no row, as ranges, in order."""
    where, parameters = _window(place, window, times)
    ends = [(one.partition, one.start // BLOCK, at) for one in pieces for at in (one.start - 1, one.end)]
    parameters["bp"] = [one.partition for one in pieces]
    parameters["bn"] = [one.start // BLOCK for one in pieces]
    parameters["ep"], parameters["en"], parameters["eo"] = (list(part) for part in zip(*ends, strict=True))
    rows = (
        f"SELECT DISTINCT {place.p} AS p, intDiv({place.o}, {BLOCK}) AS b, {place.o} AS o"
        f" FROM {place.source} WHERE {where} AND {_in_blocks(place)}"
    )
    sentinels = (
        "SELECT t.1 AS p, t.2 AS b, t.3 AS o FROM (SELECT arrayJoin(arrayZip({ep:Array(Int64)},"
        " {en:Array(Int64)}, {eo:Array(Int64)})) AS t)"
    )
    sql = (
        "SELECT toString(p), toString(before + 1), toString(o) FROM (SELECT p, o, lagInFrame(o, 1, o) OVER"
        " (PARTITION BY p, b ORDER BY o ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before"
        f" FROM ({rows} UNION ALL {sentinels})) WHERE o > before + 1 ORDER BY p, o LIMIT {most:d}"
    )
    return Statement(sql, parameters, ("partition", "start", "end"))


def present(place: Place, offsets: Sequence[Range]) -> Statement:
    """Which of these offsets have a row, whatever its time."""
    where, parameters = _window(place, _hull(offsets), None)
    parameters["gp"] = [one.partition for one in offsets]
    parameters["gs"] = [one.start for one in offsets]
    parameters["ge"] = [one.end for one in offsets]
    sql = (
        f"SELECT DISTINCT toString({place.p}), toString({place.o})"
        f" FROM {place.source} WHERE {where}"
        f" AND ({place.p}, {place.o}) IN (SELECT t.1, arrayJoin(range(t.2, t.3))"
        " FROM (SELECT arrayJoin(arrayZip({gp:Array(Int64)}, {gs:Array(Int64)}, {ge:Array(Int64)})) AS t))"
    )
    return Statement(sql, parameters, ("partition", "offset"))


def having(place: Place, ids: Sequence[str], *, offsets: bool) -> Statement:
    """Where the table has these ids, whatever their time."""
    conditions = [id_condition(place.id)]
    kind = "UUID" if place.id.base == "UUID" else "String"
    conditions += hash_conditions(place.shape, "id", "ids", kind)
    where = f"toString({place.partition}), toString({place.offset})" if offsets else "'-1', '-1'"
    sql = (
        f"SELECT toString({place.id.expression}) AS i, {where} FROM {place.source}"
        f" WHERE {' AND '.join(conditions)} LIMIT {COPIES} BY i"
    )
    return Statement(sql, {"ids": list(ids)}, ("id", "partition", "offset"))


def letters(place: Place, ids: Sequence[str]) -> Statement:
    """Which of these ids are among the dead letters of a table, and why."""
    reason = place.shape.reason
    why = f"toString({reason.expression})" if reason is not None else "''"
    sql = (
        f"SELECT toString({place.id.expression}) AS i, any(substring({why}, 1, 500)) FROM {place.source}"
        f" WHERE {id_condition(place.id)} GROUP BY i"
    )
    return Statement(sql, {"ids": list(ids)}, ("id", "reason"))


def twice(
    place: Place, window: Sequence[Range], blocks: Sequence[tuple[int, int]], times: Times | None
) -> Statement:
    """Rows of some blocks beyond the first of an offset, by whether a merge will remove them."""
    where, parameters = _window(place, window, times)
    parameters["bp"], parameters["bn"] = [p for p, _ in blocks], [n for _, n in blocks]
    by = f"{place.p} AS p, {place.o} AS o, uniqExact({place.id.expression}) AS ids"
    return _twice(place, by, "p, o", f"{where} AND {_in_blocks(place)}", parameters)


def twice_by_id(place: Place, times: Times | None) -> Statement:
    """The same for a table without partitions: rows beyond the first of an id."""
    where = " AND ".join(_time_conditions(place)) if times else "1"
    by = f"-1 AS p, -1 AS o, toString({place.id.expression}) AS i, 1 AS ids"
    return _twice(place, by, "i", where, _times(times) if times else {})


def _twice(place: Place, by: str, groups: str, where: str, parameters: Mapping[str, Parameter]) -> Statement:
    shape = place.shape
    key = [part for part in (shape.partition_key, *shape.sorting_key) if part]
    if shape.distributed:
        key.append("_shard_num")
    kept = f"uniqExact({', '.join(key)})" if shape.merges and key else "count()"
    sql = (
        "SELECT toString(sum(n - k)), toString(sum(k - 1)), toString(countIf(ids > 1)),"
        f" arrayStringConcat(arraySlice(groupArray(concat(toString(p), ':', toString(o))), 1, {SHOWN}), ' ')"
        f" FROM (SELECT {by}, count() AS n, {kept} AS k FROM {place.source} WHERE {where}"
        f" GROUP BY {groups} HAVING n > 1 ORDER BY {groups})"
    )
    return Statement(sql, parameters, ("mergeable", "permanent", "strangers", "first"))


def strays(place: Place, ends: Sequence[Range], times: Times) -> Statement:
    """Rows of these times that no offset of the topic can stand behind, by partition."""
    conditions = _time_conditions(place)
    parameters = _times(times)
    parameters["parts"] = [one.partition for one in ends]
    parameters["ends"] = [one.end for one in ends]
    part, offset = place.partition, place.offset
    last = f"transform({place.p}, {{parts:Array(Int64)}}, {{ends:Array(Int64)}}, toInt64(-1))"
    other = "0"
    if place.topic_column:
        parameters["topics"] = list(place.topics)
        other = f"countIf(toString({place.topic_column}) NOT IN {{topics:Array(String)}})"
    sql = (
        f"SELECT toString({part}) AS p, toString(countIf(isNull({offset}))), toString({other}),"
        f" toString(countIf({place.o} >= {last})), toString(max({offset})), toString(count())"
        f" FROM {place.source} WHERE {' AND '.join(conditions)} GROUP BY {part}"
    )
    return Statement(sql, parameters, ("partition", "no_offset", "other_topic", "beyond", "highest", "rows"))


def slice_of_map(
    place: Place, window: Sequence[Range], times: Times | None, part: tuple[int, int]
) -> Statement:
    """Offset -> id of one slice of a window, sliced by a hash of the id."""
    where, parameters = _window(place, window, times)
    sql = (
        f"SELECT toString({place.p}), toString({place.o}),"
        f" toString({place.id.expression}) FROM {place.source} WHERE {where} AND {_slice(place, part)}"
    )
    return Statement(sql, parameters, ("partition", "offset", "id"))


def slice_of_ids(place: Place, times: Times | None, part: tuple[int, int]) -> Statement:
    """The ids of one slice of the same times."""
    where = " AND ".join([*(_time_conditions(place) if times else ()), _slice(place, part)])
    sql = f"SELECT DISTINCT toString({place.id.expression}) FROM {place.source} WHERE {where}"
    return Statement(sql, _times(times) if times else {}, ("id",))


def counted(place: Place, times: Times) -> Statement:
    """Rows and distinct ids of exactly these times."""
    where = " AND ".join(_time_conditions(place))
    counts = f"toString(count()), toString(uniqExact({place.id.expression}))"
    sql = f"SELECT {counts} FROM {place.source} WHERE {where}"
    return Statement(sql, _times(times), ("rows", "distinct"))


def _in_blocks(place: Place) -> str:
    return (
        f"({place.p}, intDiv({place.o}, {BLOCK})) IN"
        " (SELECT t.1, t.2 FROM (SELECT arrayJoin(arrayZip({bp:Array(Int64)}, {bn:Array(Int64)})) AS t))"
    )


def _slice(place: Place, part: tuple[int, int]) -> str:
    number, of = part
    return f"cityHash64(toString({place.id.expression})) % {of:d} = {number:d}"


def _window(place: Place, window: Sequence[Range], times: Times | None) -> tuple[str, dict[str, Parameter]]:
    """Exactly the offsets of a window, one range a partition."""
    parameters: dict[str, Parameter] = {
        "wp": [one.partition for one in window],
        "ws": [one.start for one in window],
        "we": [one.end for one in window],
    }
    part, offset = place.partition, place.offset
    conditions = _time_conditions(place) if times else []
    if times:
        parameters |= _times(times)
    if place.topic_column:
        parameters["topics"] = list(place.topics)
        conditions.append(f"toString({place.topic_column}) IN {{topics:Array(String)}}")
    conditions += [
        f"{offset} >= {min(one.start for one in window):d}",
        f"{offset} < {max(one.end for one in window):d}",
        f"{part} IN {{wp:Array(Int64)}}",
        f"{place.o} >= transform({place.p}, {{wp:Array(Int64)}}, {{ws:Array(Int64)}}, toInt64(0))",
        f"{place.o} < transform({place.p}, {{wp:Array(Int64)}}, {{we:Array(Int64)}}, toInt64(0))",
    ]
    return " AND ".join(conditions), parameters


def _hull(ranges: Sequence[Range]) -> list[Range]:
    """One range a partition that holds all of its ranges."""
    found: dict[int, Range] = {}
    for one in ranges:
        last = found.get(one.partition, one)
        found[one.partition] = Range(one.partition, min(last.start, one.start), max(last.end, one.end))
    return list(found.values())


def _time_conditions(place: Place) -> list[str]:
    column = place.kafka_time
    if column is None:
        return []
    both = [f"{column.expression} {sign} toDateTime64({{{name}:String}}, 6, 'UTC')" for sign, name in _BOUNDS]
    if not column.type.startswith("Nullable"):
        return both
    return [f"({' AND '.join(both)} OR {column.expression} IS NULL)"]


_BOUNDS = ((">=", "since"), ("<", "until"))


def _times(times: Times) -> dict[str, Parameter]:
    return {"since": _stamp(times.since), "until": _stamp(times.until)}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
