"""The effective configuration as TOML, each value with where it came from; secrets masked."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path as FilePath
from typing import Any

from canary.config.fields import Table, from_duration
from canary.config.load import Loaded
from canary.config.schema import LISTS, Path
from canary.config.secret import MASK, Secret

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(loaded: Loaded) -> str:
    """A TOML document: the values in force, the origin of each as a comment."""
    lines: list[str] = []
    for path, header, table in _tables(loaded.config):
        lines += ["", header] if lines else [header]
        lines += _table(loaded, path, table)
    return "\n".join(lines) + "\n"


def to_json(loaded: Loaded) -> str:
    """The same as one JSON object: values, and origins by path."""
    origins = {}
    for path, _, table in _tables(loaded.config):
        for key, _value in _items(table):
            origins[".".join(map(str, (*path, key)))] = origin(loaded, (*path, key), table)
    values = loaded.config.model_dump(mode="json")
    for path, _, table in _tables(loaded.config):
        for key, value in _items(table):
            if isinstance(value, Secret) and value.path is not None:
                _put(values, (*path, key), str(value.path))
    return json.dumps({"schema": 1, "values": values, "origins": origins}, ensure_ascii=False, indent=2)


def settings_of(config: Table) -> dict[str, str]:
    """Every setting that is set, by its path, as TOML spells it; secrets masked, items of lists by name."""
    found = {}
    for path, _, table in _tables(config):
        for key, value in _items(table):
            if value is not None:
                found[".".join(map(str, _by_name(config, (*path, key))))] = toml_value(value)
    return found


def _by_name(config: Any, path: Path) -> Iterator[Any]:
    """The path with the names of what it passes through, where they have one."""
    at = config
    for step in path:
        if isinstance(step, int):
            at = at[step]
            yield getattr(at, "name", step)
        else:
            at = at.get(step) if isinstance(at, Mapping) else getattr(at, step)
            yield step


def _put(values: Any, path: Path, value: str) -> None:
    for step in path[:-1]:
        values = values[step]
    values[path[-1]] = value


def origin(loaded: Loaded, path: Path, table: Any) -> str:
    """Where a value came from: `default`, `FILE:LINE`, the name of a variable, or a flag."""
    for length in range(len(path), 0, -1):
        if found := loaded.origins.get(path[:length]):
            return found
    written = not isinstance(table, Table) or str(path[-1]) in table.model_fields_set
    return loaded.source if written else "default"


def _tables(config: Table) -> Iterator[tuple[Path, str, Any]]:
    for name, value in config:
        if name in LISTS:
            for index, item in enumerate(value):
                yield from _with_inner((name, index), name, item, listed=True)
        elif value is not None:
            yield from _with_inner((name,), name, value)


def _with_inner(path: Path, name: str, table: Any, listed: bool = False) -> Iterator[tuple[Path, str, Any]]:
    yield path, f"[[{name}]]" if listed else f"[{name}]", table
    for key, value in table if isinstance(table, Table) else ():
        if _is_table(value) and (value or isinstance(value, Table)):
            yield from _with_inner((*path, key), f"{name}.{key}", value)
        elif _is_list(value):
            for index, item in enumerate(value):
                yield from _with_inner((*path, key, index), f"{name}.{key}", item, listed=True)


def _is_table(value: Any) -> bool:
    return isinstance(value, Table | dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple) and any(isinstance(item, Table) for item in value)


def _items(table: Any) -> Iterator[tuple[str, Any]]:
    """The keys with a value of their own; inner tables follow under their own headers."""
    if isinstance(table, Table):
        yield from ((key, value) for key, value in table if not (_is_table(value) or _is_list(value)))
    else:
        yield from table.items()


def _table(loaded: Loaded, path: Path, table: Any) -> Iterator[str]:
    for key, value in _items(table):
        name = key if _BARE.fullmatch(key) else toml_value(key)
        if value is None:
            yield f"# {name} is not set"
        else:
            yield f"{name} = {toml_value(value)}  # {printable(origin(loaded, (*path, key), table))}"


def printable(text: str) -> str:
    """What others wrote on one line, what a terminal would obey spelled out (`\\x1b`, `\\n`)."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def toml_value(value: Any) -> str:
    """A value as TOML spells it."""
    if isinstance(value, Secret):
        value = MASK if value.path is None else str(value.path)
    if isinstance(value, timedelta):
        value = from_duration(value)
    if isinstance(value, FilePath):
        value = str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inner = ", ".join(f"{toml_value(str(key))} = {toml_value(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
