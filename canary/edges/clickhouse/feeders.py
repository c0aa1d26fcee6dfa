"""Which Kafka tables feed a table, through materialized views and Distributed tables. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from canary.edges.clickhouse.schema import split
from canary.edges.clickhouse.sql import Statement

_TARGET = re.compile(r"\bTO\s+((?:`[^`]+`|\w+)(?:\.(?:`[^`]+`|\w+))?)", re.IGNORECASE)
_LIST = re.compile(r"kafka_topic_list\s*=\s*'([^']*)'")
_INSIDE = re.compile(r"^\w+\((.*?)\)(?:\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Feeder:
    """A Kafka table and the topics that it reads."""

    table: str
    topics: tuple[str, ...]


def about_feeders() -> Statement:
    """Every table that could stand between a topic and a table, as far as we may see them."""
    return Statement(
        "SELECT concat(database, '.', name), engine, engine_full, create_table_query,"
        " arrayStringConcat(arrayMap((d, t) -> concat(d, '.', t), dependencies_database, dependencies_table),"
        " '\\n') FROM system.tables WHERE engine IN ('Kafka', 'MaterializedView', 'Distributed')",
        {},
        ("name", "engine", "engine_full", "create", "dependencies"),
    )


def feeders(rows: Iterable[Mapping[str, str | None]], table: str) -> list[Feeder]:
    """The Kafka tables whose rows end in `table` ("database.name")."""
    known = {row.get("name") or "": {k: v or "" for k, v in row.items()} for row in rows}
    found = []
    for name, row in known.items():
        if row["engine"] != "Kafka":
            continue
        views = [known[view] for view in row["dependencies"].split("\n") if view in known]
        targets = {target for view in views if (target := _target(view["create"], view["name"]))}
        if any(_leads(target, table, known) for target in targets):
            found.append(Feeder(name, _topics(row["engine_full"])))
    return sorted(found, key=lambda one: one.table)


def _leads(target: str, table: str, known: Mapping[str, Mapping[str, str]]) -> bool:
    return target == table or _behind(target, known) in (table, _behind(table, known))


def _behind(name: str, known: Mapping[str, Mapping[str, str]]) -> str:
    """The table behind a Distributed one; the table itself for any other."""
    row = known.get(name)
    if row is None or row["engine"] != "Distributed":
        return name
    parts = _arguments(row["engine_full"])
    return f"{parts[1]}.{parts[2]}" if len(parts) >= 3 else name


def _target(create: str, view: str) -> str:
    match = _TARGET.search(create)
    if match is None:
        return ""
    target = match.group(1).replace("`", "")
    return target if "." in target else f"{view.partition('.')[0]}.{target}"


def _topics(engine_full: str) -> tuple[str, ...]:
    listed = _LIST.search(engine_full)
    parts = _arguments(engine_full)
    text = listed.group(1) if listed else parts[1] if len(parts) > 1 else ""
    return tuple(topic.strip() for topic in text.split(",") if topic.strip())


def _arguments(engine_full: str) -> Sequence[str]:
    inside = _INSIDE.match(engine_full)
    return [part.strip("'`\"") for part in split(inside.group(1))] if inside else []
