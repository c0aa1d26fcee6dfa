"""File, environment and flags become one `Config`, or one error that lists all that is wrong."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from canary.config import document, environ
from canary.config.checks import check
from canary.config.fields import Table
from canary.config.models import Config
from canary.config.problems import ConfigError, Draft, Fault, fault_of, plain
from canary.config.renames import RENAMED, Rename, rename
from canary.config.schema import KINDS, LISTS, OPTIONAL, REQUIRED, SINGLE, Path, nearest, table_at, value_at
from canary.config.stages import FIRST_KEY, FIRST_PARTITIONER

VARIABLE = "CANARY_CONFIG"
DEFAULT = "canary.toml"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A sound configuration, where each value came from, and what a person should think about: always, and
    before the first start, which makes something.

    `origins` has the values that somebody set, and those defaults that depend on others; every other
    value is the default of its model.
    """

    config: Config
    source: str
    origins: Mapping[Path, str]
    warnings: tuple[str, ...]
    at_start: tuple[str, ...] = ()


def load(
    path: FilePath | None,
    *,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    renamed: tuple[Rename, ...] = RENAMED,
) -> Loaded:
    """The configuration; `overrides` are flags by path, such as `{"canary.grace": "5s"}`.

    Raises
    ------
    ConfigError: with every fault at once.
    """
    variables = os.environ if env is None else env
    draft = _draft(path, variables)
    environ.overlay(draft, variables)
    for name, value in (overrides or {}).items():
        environ.put(draft, name.split("."), value, origin=f"flag {name}")
    rename(draft, renamed)
    _fill(draft)
    folder = FilePath(draft.source).absolute().parent
    tables = _tables(draft, folder)
    check(draft, tables)
    if draft.problems:
        raise ConfigError(list(dict.fromkeys(draft.problems)), source=draft.source)
    return Loaded(
        _assembled(tables), draft.source, draft.origins, tuple(draft.warnings), tuple(draft.at_start)
    )


def _draft(path: FilePath | None, env: Mapping[str, str]) -> Draft:
    named = path or (FilePath(env[VARIABLE]) if env.get(VARIABLE) else None)
    if named is not None:
        return document.read(named)
    default = FilePath(DEFAULT)
    whole_in_env = f"{environ.PREFIX}PROBES__0__URL" in env
    if whole_in_env and not default.exists():
        return Draft({}, str(default))
    try:
        return document.read(default)
    except ConfigError as error:
        if default.exists():
            raise
        hint = f"{error.problems[0]}; name the configuration with --config FILE or ${VARIABLE}"
    raise ConfigError([hint], source=str(default))


def _fill(draft: Draft) -> None:
    """Defaults that depend on a table's place among others."""
    raw = draft.raw
    for name in SINGLE:
        if name not in OPTIONAL:
            raw.setdefault(name, {})
    probes, stages = (
        [(index, item) for index, item in enumerate(found) if isinstance(item, dict)]
        if isinstance(found := raw.get(name), list)
        else []
        for name in REQUIRED
    )
    for index, probe in probes:
        if len(probes) > 1 and "rate" not in probe:
            probe["rate"] = 1 / len(probes)
            draft.origins["probes", index, "rate"] = f"default (1/s shared by {len(probes)} probes)"
    if stages and stages[0][1].get("kind") == "kafka":
        for key, value in (("key", FIRST_KEY), ("partitioner", FIRST_PARTITIONER)):
            if key not in stages[0][1]:
                stages[0][1][key] = value
                draft.origins["stages", 0, key] = "default (of the first stage)"


def _tables(draft: Draft, folder: FilePath) -> dict[Path, Table]:
    """Every table that can be read at all, so that one fault does not hide the others."""
    found: dict[Path, Table] = {}
    for key in draft.raw:
        if key not in SINGLE and key not in LISTS:
            draft.problems.append(f"{key}: unknown table{nearest(key, (*SINGLE, *LISTS))}")
    for path in _places(draft):
        model = table_at(path, draft.raw)
        if model is None:
            _unknown_kind(draft, path)
        elif (table := _table(draft, path, model, folder)) is not None:
            found[path] = table
    return found


def _places(draft: Draft) -> Iterable[Path]:
    yield from ((name,) for name in SINGLE if name in draft.raw)
    for name in LISTS:
        items = draft.raw.get(name)
        if items is None and name not in REQUIRED:
            continue
        if not isinstance(items, list):
            what = (
                f"must be a list: write [[{name}]]" if name in draft.raw else f"is missing: write [[{name}]]"
            )
            draft.problems.append(draft.told(Fault((name,), what, bare=True)))
            continue
        if not items and name in REQUIRED:
            draft.problems.append(f"{name}: must not be empty")
        for index, item in enumerate(items):
            if isinstance(item, dict):
                yield name, index
            else:
                draft.problems.append(draft.told(Fault((name, index), "must be a table", bare=True)))


def _unknown_kind(draft: Draft, path: Path) -> None:
    known = " or ".join(f'"{kind}"' for kind in KINDS)
    kind = value_at((*path, "kind"), draft.raw)
    what, got = (f"is missing: {known}", "") if kind is None else (f"must be {known}", f"got {plain(kind)}")
    draft.problems.append(draft.told(Fault((*path, "kind"), what, got)))


_STAND_INS: Mapping[str, Any] = {
    "name": "stand-in",
    "url": "http://stand-in",
    "bootstrap": "stand-in:1",
    "topic": "stand-in",
    "table": "stand-in",
    "urls": ("http://stand-in",),
    "argv": ("stand-in",),
}
"""Sound values for required keys that are wrong, so that the rest of their table is still checked."""


def _table(draft: Draft, path: Path, model: type[Table], folder: FilePath) -> Table | None:
    """The table; wrong keys are reported, marked as not to be judged, and read as their defaults."""
    value = value_at(path, draft.raw)
    context = {"folder": str(folder)}
    wrong: set[str] = set()
    for last in (False, True):
        try:
            return model.model_validate(value, context=context)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
        if last or not isinstance(value, dict):
            break
        draft.problems += [draft.told(fault_of(one, path, draft.raw)) for one in errors]
        wrong = {str(one["loc"][0]) for one in errors}
        draft.doubtful |= {(*path, key) for key in wrong}
        value = {key: kept for key, kept in value.items() if key not in wrong}
        value |= {key: _STAND_INS[key] for key in wrong if key in _STAND_INS}
    if not wrong:
        draft.problems.append(draft.told(Fault(path, "must be a table", bare=True)))
    return None


def _assembled(tables: Mapping[Path, Table]) -> Config:
    lists = {name: tuple(tables[path] for path in tables if path[0] == name) for name in LISTS}
    return Config(**{str(path[0]): table for path, table in tables.items() if len(path) == 1}, **lists)  # type: ignore[arg-type]
