"""The statements that compare two tables: counts and hashes, never content. Pure."""

from collections.abc import Mapping, Sequence

from canary.compared import Portion, Span
from canary.edges.clickhouse.schema import quoted
from canary.edges.clickhouse.sql import Parameter, Statement, precise_stamp

_NULL = "'\\\\N'"


class Comparer:
    """The words of one table: `id_` and `timestamp` are expressions over it, `types` its columns'."""

    def __init__(self, source: str, id_: str, timestamp: str, types: Mapping[str, str]) -> None:
        self._from = source
        self._id = f"ifNull(lower(toString({id_})), '')"
        self._timestamp = timestamp
        # events carry times of any year: toDate wraps what lies before 1970 or after 2149 into other days
        self._day = f"ifNull(toString(toDate32({timestamp}, 'UTC')), '')"
        self._types = types

    def days(self, span: Span | None) -> Statement:
        """Rows by UTC day, "" for those without a time."""
        parameters: dict[str, Parameter] = {}
        where = "" if span is None else f" WHERE {self._within(span, parameters)}"
        return Statement(
            f"SELECT {self._day}, toString(count()) FROM {self._from}{where} GROUP BY 1 ORDER BY 1",
            parameters,
            ("day", "rows"),
        )

    def buckets(self, portion: Portion, columns: Sequence[str], *, bits: int) -> Statement:
        """Per bucket the rows and the sums of both hashes."""
        parameters: dict[str, Parameter] = {}
        where = self._where(portion, parameters)
        return Statement(
            f"SELECT toString(bitAnd(h, {_mask(bits)})), toString(count()), toString(sum(h)),"
            " toString(sum(c))"
            f" FROM (SELECT {self._hash()} AS h, {self._content(columns)} AS c FROM {self._from}"
            f" WHERE {where}) GROUP BY bitAnd(h, {_mask(bits)})",
            parameters,
            ("key", "rows", "ids", "content"),
        )

    def rows(self, portion: Portion, columns: Sequence[str], *, most: int) -> Statement:
        """Per id its copies and the range of their content's hash; one more than `most` tells of too many."""
        parameters: dict[str, Parameter] = {}
        where = self._where(portion, parameters)
        return Statement(
            f"SELECT i, toString(count()), toString(min(c)), toString(max(c))"
            f" FROM (SELECT {self._id} AS i, {self._content(columns)} AS c FROM {self._from}"
            f" WHERE {where}) GROUP BY i LIMIT {most + 1:d}",
            parameters,
            ("id", "copies", "low", "high"),
        )

    def present(self, ids: Sequence[str], span: Span | None) -> Statement:
        """Those of these ids that have a row, and on which days in a span."""
        parameters: dict[str, Parameter] = {"ids": list(ids)}
        within = "1" if span is None else self._within(span, parameters)
        return Statement(
            f"SELECT {self._id}, arrayStringConcat(groupUniqArrayIf({self._day}, {within}), ' ')"
            f" FROM {self._from} WHERE {self._among()} GROUP BY 1",
            parameters,
            ("id", "days"),
        )

    def fields(self, ids: Sequence[str], columns: Sequence[str]) -> Statement:
        """A hash of each column, of each id's row with the least content hash."""
        hashes = [f"toString(sipHash64({self._text(name)}))" for name in columns]
        listed = ", ".join(f"argMin({one}, {self._content(columns)})" for one in hashes)
        return Statement(
            f"SELECT {self._id}, {listed} FROM {self._from} WHERE {self._among()} GROUP BY 1",
            {"ids": list(ids)},
            ("id", *columns),
        )

    def _hash(self) -> str:
        return f"sipHash64({self._id})"

    def _content(self, columns: Sequence[str]) -> str:
        return f"sipHash64({', '.join(self._text(name) for name in columns)})" if columns else "toUInt64(0)"

    def _text(self, name: str) -> str:
        """The same value as the same text, whatever its precision, width or wrapping on either side."""
        column, kind = quoted(name), self._types.get(name, "")
        if "DateTime" in kind and "Array" not in kind and "Map" not in kind and "Tuple" not in kind:
            shown = f"toString(toTimeZone(toDateTime64({column}, 6), 'UTC'))"
        else:
            shown = f"toString({column})"
        return f"ifNull({shown}, {_NULL})" if "Nullable" in kind else shown

    def _among(self) -> str:
        return f"{self._id} IN {{ids:Array(String)}}"

    def _where(self, portion: Portion, parameters: dict[str, Parameter]) -> str:
        where = self._within(portion.span, parameters)
        if not portion.bits:
            return where
        parameters["keys"] = list(portion.keys)
        return f"{where} AND bitAnd({self._hash()}, {_mask(portion.bits)}) IN {{keys:Array(UInt64)}}"

    def _within(self, span: Span, parameters: dict[str, Parameter]) -> str:
        parameters["since"], parameters["until"] = precise_stamp(span.start), precise_stamp(span.end)
        since, until = (f"toDateTime64({{{name}:String}}, 6, 'UTC')" for name in ("since", "until"))
        return f"{self._timestamp} >= {since} AND {self._timestamp} < {until}"


def source(database: str, table: str) -> str:
    """The table's full name, quoted."""
    return f"{quoted(database)}.{quoted(table)}"


def _mask(bits: int) -> int:
    return (1 << bits) - 1
