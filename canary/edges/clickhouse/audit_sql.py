"""Builds the statements of an audit. Pure: text and bound parameters out, nothing asked.

A window is asked for by partition and offset; record times only prune. Numbers come back as text.
"""

from collections.abc import Mapping, Sequence

from canary.edges.clickhouse.audit_place import Place, time_conditions, times_elsewhere, times_of, window_of
from canary.edges.clickhouse.sql import Parameter, Statement, hash_conditions, id_condition
from canary.traffic import Times
from reconcile.offsets import BLOCK, Range, within

SHOWN = 10
TOLD, LACKING = 100, 16_384
"""Gaps, and offsets in them, that a block tells by itself. One with more, as of a sample, is searched."""

COPIES = 20
"""Places of one id that are told."""


def blocks(place: Place, window: Sequence[Range], times: Times | None) -> Statement:
    """Rows and distinct offsets of every block of offsets of a window; and the gaps in it, "start-end" from
    the block's first offset, or "?" for more than a block tells by itself.

    Grouped by one number and counted in bitmaps: by two, or as text, or in sets of hashes, it takes twice as
    long and more. The bitmaps then say which offsets are not there, and nothing is read for that again.
    """
    where, parameters = window_of(place, window, times)
    many = max(one.end for one in window) // BLOCK + 1
    counted = (
        f"SELECT {place.p} * {many} + intDiv({place.o}, {BLOCK}) AS k, count() AS n,"
        f" groupBitmapState(toUInt32({place.o} % {BLOCK})) AS s FROM {place.source} WHERE {where} GROUP BY k"
    )
    bounded = (
        f"SELECT intDiv(k, {many}) AS q, k % {many} AS b, n, s, bitmapCardinality(s) AS d,"
        f" toUInt32(greatest({_bound('ws')} - b * {BLOCK}, 0)) AS lo,"
        f" toUInt32(least({_bound('we')} - b * {BLOCK}, {BLOCK})) AS hi, hi - lo - d AS lacks"
        f" FROM ({counted})"
    )
    searched = f"range(lo, if(lacks BETWEEN 1 AND {LACKING}, hi, lo))"
    lacking = (
        f"SELECT q, b, n, d, lacks, arraySort(bitmapToArray(bitmapAndnot(bitmapBuild({searched}), s))) AS m,"
        " arrayReverse(m) AS r, arrayFilter((x, step) -> step != 1, m, arrayDifference(m)) AS starts,"
        " arrayReverse(arrayFilter((x, step) -> step != -1, r, arrayDifference(r))) AS ends"
        f" FROM ({bounded})"
    )
    sql = (
        "SELECT toString(q), toString(b), toString(n), toString(d),"
        f" if(lacks > {LACKING} OR length(starts) > {TOLD}, '?', arrayStringConcat(arrayMap("
        "(one, last) -> concat(toString(one), '-', toString(last + 1)), starts, ends), ' ')) AS gaps"
        f" FROM ({lacking})"
    )
    return Statement(sql, parameters, ("partition", "number", "rows", "distinct", "gaps"))


def _bound(name: str) -> str:
    """Where the window's range of a partition begins or ends."""
    return f"transform(q, {{wp:Array(Int64)}}, {{{name}:Array(Int64)}}, toInt64(0))"


def gaps(
    place: Place, window: Sequence[Range], pieces: Sequence[Range], times: Times | None, *, most: int
) -> Statement:
    """The offsets of some blocks that have no row, as ranges, in order."""
    where, parameters = window_of(place, within(window, _hull(pieces)), times)
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
    where, parameters = window_of(place, _hull(offsets), None)
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


def furthest(place: Place, window: Sequence[Range], times: Times | None) -> Statement:
    """The highest offset of each partition of a window."""
    where, parameters = window_of(place, window, times)
    told = f"toString({place.p} AS p), toString(max({place.o}))"
    sql = f"SELECT {told} FROM {place.source} WHERE {where} GROUP BY p"
    return Statement(sql, parameters, ("partition", "offset"))


def having(place: Place, ids: Sequence[Sequence[str]], times: Times | None, *, elsewhere: bool) -> Statement:
    """Where the table has these ids: among rows of some times, or of all others, or whatever their time. They
    come in several lists, since a server takes no parameter of any length, and are looked for in one pass."""
    kind = "UUID" if place.id.base == "UUID" else "String"
    names = [f"ids{number}" for number in range(len(ids))]
    lists = f"arrayConcat({', '.join(f'{{{name}:Array({kind})}}' for name in names)})"
    conditions = [id_condition(place.id, f"(SELECT arrayJoin({lists}))")]
    if len(ids) == 1:  # the hashes of more lie everywhere: they prune nothing, and cost
        conditions += hash_conditions(place.shape, "id", lists, kind)
    conditions += times_elsewhere(place, times) if elsewhere else time_conditions(place, times)
    where = f"toString({place.partition}), toString({place.offset})" if place.has_offsets else "'-1', '-1'"
    sql = (
        f"SELECT toString({place.id.expression}) AS i, {where} FROM {place.source}"
        f" WHERE {' AND '.join(conditions)} LIMIT {COPIES} BY i"
    )
    some: dict[str, Parameter] = {name: list(part) for name, part in zip(names, ids, strict=True)}
    some |= times_of(place, times)
    return Statement(sql, some, ("id", "partition", "offset"))


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
    hull = _hull([Range(p, n * BLOCK, (n + 1) * BLOCK) for p, n in blocks])
    where, parameters = window_of(place, within(window, hull) if hull else window, times)
    parameters["bp"], parameters["bn"] = [p for p, _ in blocks], [n for _, n in blocks]
    by = f"{place.p} AS p, {place.o} AS o, uniqExact({place.id.expression}) AS ids"
    return _twice(place, by, "p, o", f"{where} AND {_in_blocks(place)}", parameters)


def twice_by_id(place: Place, times: Times | None) -> Statement:
    """The same for a table without partitions: rows beyond the first of an id."""
    where = " AND ".join(time_conditions(place, times)) or "1"
    by = f"-1 AS p, -1 AS o, toString({place.id.expression}) AS i, 1 AS ids"
    return _twice(place, by, "i", where, times_of(place, times))


def _twice(place: Place, by: str, groups: str, where: str, parameters: Mapping[str, Parameter]) -> Statement:
    shape = place.shape
    key = [part for part in (shape.partition_key, *shape.sorting_key) if part]
    if shape.distributed:
        key.append("_shard_num")
    # as one value: of several a row with a NULL among them would not count
    kept = f"uniqExact(tuple({', '.join(key)}))" if shape.merges and key else "count()"
    sql = (
        "SELECT toString(sum(n - k)), toString(sum(k - 1)), toString(countIf(ids > 1)),"
        f" arrayStringConcat(arraySlice(groupArray(concat(toString(p), ':', toString(o))), 1, {SHOWN}), ' ')"
        f" FROM (SELECT {by}, count() AS n, {kept} AS k FROM {place.source} WHERE {where}"
        f" GROUP BY {groups} HAVING n > 1 ORDER BY {groups})"
    )
    return Statement(sql, parameters, ("mergeable", "permanent", "strangers", "first"))


def strays(place: Place, ends: Sequence[Range], times: Times) -> Statement:
    """Rows of these times that no offset of the topic can stand behind, by partition."""
    conditions = time_conditions(place, times)
    parameters = times_of(place, times)
    parameters["parts"] = [one.partition for one in ends]
    parameters["ends"] = [one.end for one in ends]
    part, offset = place.partition, place.offset
    last = f"transform({place.p}, {{parts:Array(Int64)}}, {{ends:Array(Int64)}}, toInt64(-1))"
    other, own = "0", place.own
    if place.topic_column:
        parameters |= {"topics": list(place.topics), "topic": place.topics[0]}
        other = f"countIf(ifNull(toString({place.topic_column}), '') NOT IN {{topics:Array(String)}})"
    sql = (
        f"SELECT toString({part}) AS p, toString(countIf(isNull({offset}) AND {own})), toString({other}),"
        f" toString(countIf({place.o} >= {last} AND {own})), toString(maxIf({offset}, {own})),"
        f" toString(countIf({own}))"
        f" FROM {place.source} WHERE {' AND '.join(conditions)} GROUP BY {part}"
    )
    return Statement(sql, parameters, ("partition", "no_offset", "other_topic", "beyond", "highest", "rows"))


def slice_of_map(
    place: Place, window: Sequence[Range], times: Times | None, part: tuple[int, int]
) -> Statement:
    """Offset -> id of one slice of a window, sliced by a hash of the id."""
    where, parameters = window_of(place, window, times)
    sql = (
        f"SELECT toString({place.p}), toString({place.o}),"
        f" toString({place.id.expression}) FROM {place.source} WHERE {where} AND {_slice(place, part)}"
    )
    return Statement(sql, parameters, ("partition", "offset", "id"))


def slice_of_ids(place: Place, times: Times | None, part: tuple[int, int]) -> Statement:
    """The ids of one slice of the same times."""
    where = " AND ".join([*time_conditions(place, times), _slice(place, part)])
    sql = f"SELECT DISTINCT toString({place.id.expression}) FROM {place.source} WHERE {where}"
    return Statement(sql, times_of(place, times), ("id",))


def counted(place: Place, times: Times) -> Statement:
    """Rows and distinct ids of exactly these times."""
    where = " AND ".join(time_conditions(place, times))
    counts = f"toString(count()), toString(uniqExact({place.id.expression}))"
    sql = f"SELECT {counts} FROM {place.source} WHERE {where}"
    return Statement(sql, times_of(place, times), ("rows", "distinct"))


def _in_blocks(place: Place) -> str:
    return (
        f"({place.p}, intDiv({place.o}, {BLOCK})) IN"
        " (SELECT t.1, t.2 FROM (SELECT arrayJoin(arrayZip({bp:Array(Int64)}, {bn:Array(Int64)})) AS t))"
    )


def _slice(place: Place, part: tuple[int, int]) -> str:
    number, of = part
    return f"cityHash64(toString({place.id.expression})) % {of:d} = {number:d}"


def _hull(ranges: Sequence[Range]) -> list[Range]:
    """One range a partition that holds all of its ranges."""
    found: dict[int, Range] = {}
    for one in ranges:
        last = found.get(one.partition, one)
        found[one.partition] = Range(one.partition, min(last.start, one.start), max(last.end, one.end))
    return list(found.values())
