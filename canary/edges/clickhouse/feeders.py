"""Which Kafka tables feed a table, through materialized views and the tables between them. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from canary.edges.clickhouse.schema import split, target
from canary.edges.clickhouse.sql import Statement

_TARGET = re.compile(r"\bTO\s+((?:`[^`]+`|\w+)(?:\.(?:`[^`]+`|\w+))?)", re.IGNORECASE)
_SELECT = re.compile(r"\(|\bAS\s+(?:SELECT|WITH)\b", re.IGNORECASE)
_LIST = re.compile(r"kafka_topic_list\s*=\s*'((?:[^'\\]|\\.)*)'")
_INSIDE = re.compile(r"^\w+\((.*?)\)(?:\s|$)", re.DOTALL)
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'")

Tables = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Feeder:
    """A Kafka table and the topics that it reads; none where its definition does not name them."""

    table: str
    topics: tuple[str, ...]


def about_feeders() -> Statement:
    """Every table that could stand between a topic and a table, as far as we may see them."""
    return Statement(
        "SELECT concat(database, '.', name), engine, engine_full, create_table_query,"
        " arrayStringConcat(arrayMap((d, t) -> concat(d, '.', t), dependencies_database, dependencies_table),"
        " '\\n') FROM system.tables WHERE engine IN ('Kafka', 'MaterializedView', 'Distributed')"
        " OR notEmpty(dependencies_table)",
        {},
        ("name", "engine", "engine_full", "create", "dependencies"),
    )


def feeders(rows: Iterable[Mapping[str, str | None]], table: str) -> list[Feeder]:
    """The Kafka tables whose rows end in `table` ("database.name")."""
    known = {row.get("name") or "": {k: v or "" for k, v in row.items()} for row in rows}
    found = [
        Feeder(name, _topics(row["engine_full"]))
        for name, row in known.items()
        if row["engine"] == "Kafka" and _reaches(name, table, known)
    ]
    return sorted(found, key=lambda one: one.table)


def listed(found: Sequence[Feeder]) -> str:
    """All of them for a person; "" where none can be seen."""
    named = ", ".join(f"{one.table} ({', '.join(one.topics) or 'topics unknown'})" for one in found)
    return f"fed by {named}" if named else ""


def told_apart(found: Sequence[Feeder], own: str, *, by_column: bool) -> bool:
    """Whether a partition and an offset of the table can only stand for the topic `own`.

    With a column that names the topic it may be one of several, but not of two tables that both read it: a
    topic of this name on another cluster has the same offsets. What reads unknown topics may read this one.
    """
    if len(found) <= 1 and all(len(one.topics) <= 1 for one in found):
        return True
    return by_column and sum(own in one.topics or not one.topics for one in found) <= 1


def strange(found: Sequence[Feeder], topics: Sequence[str]) -> bool:
    """Whether all that feeds it is known, and none of it reads one of these topics."""
    known = bool(found) and all(one.topics for one in found)
    return known and not any(topic in one.topics for one in found for topic in topics)


def _reaches(start: str, table: str, known: Tables) -> bool:
    """Whether rows of one table end in another: through views, and through what those write into."""
    goals = {table, _behind(table, known)}
    waiting, seen = [start], {start}
    while waiting:
        for name in _next(waiting.pop(), known):
            if name in goals:
                return True
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return False


def _next(name: str, known: Tables) -> Iterator[str]:
    if (beyond := _behind(name, known)) != name:
        yield beyond
    for view in known[name]["dependencies"].split("\n") if name in known else ():
        if view in known:
            yield view_target(known[view]["create"], view) or view


def _behind(name: str, known: Tables) -> str:
    """The table behind a Distributed one; the table itself for any other."""
    return (behind(known[name]) if name in known else "") or name


def behind(row: Mapping[str, str]) -> str:
    """The table behind a Distributed one; "" for any other."""
    found = target(row["engine_full"]) if row["engine"] == "Distributed" else None
    return "" if found is None else f"{found[1]}.{found[2]}"


def view_target(create: str, view: str) -> str:
    """The table that a view writes into, by its own words; "" where it keeps its rows itself."""
    match = _TARGET.search(_SELECT.split(create, maxsplit=1)[0])
    if match is None or match.group(1).upper() == "INNER":
        return ""
    found = match.group(1).replace("`", "")
    return found if "." in found else f"{view.partition('.')[0]}.{found}"


def _topics(engine_full: str) -> tuple[str, ...]:
    """By name wherever it stands, or by place; a named collection may keep them to itself."""
    told = _LIST.search(engine_full)
    if told is None:
        inside = _INSIDE.match(engine_full)
        parts = split(inside.group(1)) if inside else ()
        told = _TEXT.fullmatch(parts[1]) if len(parts) > 1 else None
    text = told.group(1) if told else ""
    return tuple(topic.strip() for topic in text.split(",") if topic.strip())
