"""Faults of a configuration in one wording: `path.key: what is wrong (got what)`, nothing secret in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import ErrorDetails

from canary.config.fields import from_duration, shown_url
from canary.config.schema import Path, is_secret, kinds_at, nearest, shown, table_at, value_at
from canary.config.secret import MASK

EX_CONFIG = 78
_LONGEST = 200


class ConfigError(Exception):
    """The configuration is wrong: every fault of it at once. Exit code 78."""

    exit_code = EX_CONFIG

    def __init__(self, problems: list[str], *, source: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.source = source


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `also` names further keys of the same table that it depends on.

    With `got` empty, the value at `path` is shown; `bare` shows none.
    """

    path: Path
    what: str
    got: str = ""
    also: tuple[str, ...] = ()
    bare: bool = False


@dataclass(slots=True)
class Draft:
    """The configuration while it is put together: plain values, and where each of them came from."""

    raw: dict[str, Any]
    source: str
    origins: dict[Path, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    at_start: list[str] = field(default_factory=list)
    """What the first start will make: of no concern to a command that starts nothing."""
    doubtful: set[Path] = field(default_factory=set)
    """Keys that were wrong by themselves: what hangs on them is not judged."""

    def fault(self, path: Path, what: str, *, got: str = "", also: tuple[str, ...] = ()) -> None:
        """Report what a check found, unless it rests on a key that is wrong by itself."""
        fault = Fault(path, what, got, also)
        if self._judged(fault):
            self.problems.append(self.told(fault))

    def warn(self, path: Path, what: str, *, got: str = "", also: tuple[str, ...] = ()) -> None:
        """Report what works, but deserves a thought."""
        fault = Fault(path, what, got, also, bare=not got)
        if self._judged(fault):
            self.warnings.append(self.told(fault))

    def note(self, path: Path, what: str, *, got: str) -> None:
        """Report what the first start will change."""
        self.at_start.append(self.told(Fault(path, what, got)))

    def _judged(self, fault: Fault) -> bool:
        keys = {fault.path, *((*fault.path[:-1], key) for key in fault.also)}
        return not any(key[:n] in self.doubtful for key in keys for n in range(1, len(key) + 1))

    def told(self, fault: Fault) -> str:
        """The fault in words."""
        path = fault.path
        value = value_at(path, self.raw)
        parts = [] if fault.bare else [fault.got or self._got(path, value)]
        origin = self.origins.get(path, "")
        parts += [f"from {origin}"] if origin and not origin.startswith(self.source) else []
        told = ", ".join(part for part in parts if part)
        ending = f" ({told})" if told else ""
        return f"{shown(path, self.raw)}: {fault.what}{ending}"

    def _got(self, path: Path, value: Any) -> str:
        if value is None or isinstance(value, dict):
            return ""
        if is_secret(path, self.raw) or is_secret(path[:-1], self.raw):
            return f"got {MASK}"
        known = kinds_at(path, self.raw) or kinds_at(path[:-1], self.raw)
        return f"got {plain(value)}" if known else ""


def plain(value: Any) -> str:
    """A value as a message shows it: short, on one line, without the user or password of an address."""
    if isinstance(value, str) and ("@" in value or "://" in value):
        value = shown_url(value)
    if isinstance(value, timedelta):
        return from_duration(value)
    text = json.dumps(value, default=_other, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _other(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else type(value).__name__


_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "setting": "{what}",
}


def fault_of(error: ErrorDetails, base: Path, raw: Any) -> Fault:
    """What pydantic found, in our words."""
    path = base + tuple(error["loc"])
    if isinstance(path[-1], int) and isinstance(value_at(path[:-1], raw), str):
        path = path[:-1]  # a list that was written as one text
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        table = table_at(path[:-1], raw)
        return Fault(
            path, "unknown key" + nearest(str(path[-1]), table.model_fields if table else ()), bare=True
        )
    if kind == "literal_error":
        return Fault(path, f"must be one of {context['expected']}".replace("'", '"'))
    if kind in _WORDS:
        return Fault(path, _WORDS[kind].format(**{k: _number(v) for k, v in context.items()}))
    return Fault(path, f"is not valid ({kind})")


def _number(value: Any) -> str:
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    )
