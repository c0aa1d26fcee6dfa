"""Settings from the environment and from flags, laid over those of the file."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from canary.config.problems import Draft
from canary.config.schema import LISTS, SINGLE, Path, kinds_at, nearest, value_at

PREFIX = "CANARY_"
_DIVIDER = "__"


def overlay(draft: Draft, env: Mapping[str, str]) -> None:
    """Take every `CANARY_<TABLE>__<KEY>`.

    Names without the double underscore are left alone: Kubernetes makes such ones for any service called
    "canary" (`CANARY_PORT`, `CANARY_SERVICE_HOST`).
    """
    for name in sorted(env, key=_in_order):
        if name.startswith(PREFIX) and _DIVIDER in name:
            parts = name.removeprefix(PREFIX).lower().split(_DIVIDER)
            put(draft, parts, env[name], origin=name)


def _in_order(name: str) -> list[tuple[int, str]]:
    # 2 before 10, so that new items of a list are made in their order
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in name.split(_DIVIDER)]


def put(draft: Draft, parts: Sequence[str], value: Any, *, origin: str) -> None:
    """Set one value; `parts` name it, list items by index or by name."""
    path = _located(draft, parts, origin)
    if path is None:
        return
    if isinstance(value, str):
        value = _typed(value, kinds_at(path, draft.raw))
    at: Any = draft.raw
    for index, step in enumerate(path[:-1]):
        if isinstance(at, list) and step == len(at):
            at.append({})
        elif isinstance(at, dict) and at.get(str(step)) is None:
            at[str(step)] = [] if isinstance(path[index + 1], int) else {}
        at = value_at((step,), at)
        if not isinstance(at, dict | list):
            return  # the file has something else there, and that is a fault of its own
    if isinstance(at, dict):
        at[str(path[-1])] = value
        at.pop(_other_way(str(path[-1])), None)
        draft.origins = {kept: text for kept, text in draft.origins.items() if kept[: len(path)] != path}
        draft.origins[path] = origin


def _other_way(key: str) -> str:
    """The key that gives the same secret: it is replaced too, or the two would contradict each other."""
    secrets = ("secret", "token", "password", "webhook_url")
    if key.endswith("_file"):
        return key.removesuffix("_file") if key.removesuffix("_file") in secrets else ""
    return f"{key}_file" if key in secrets else ""


def _located(draft: Draft, parts: Sequence[str], origin: str) -> Path | None:
    head = parts[0]
    if head not in SINGLE and head not in LISTS:
        draft.problems.append(f"{origin}: there is no table {head}{nearest(head, (*SINGLE, *LISTS))}")
        return None
    if len(parts) < (3 if head in LISTS else 2) or not all(parts):
        form = f"{PREFIX}{head.upper()}__<NUMBER OR NAME>__<KEY>" if head in LISTS else "one key of a table"
        draft.problems.append(f"{origin}: must name {form}")
        return None
    if head in SINGLE:
        return tuple(int(part) if part.isdecimal() else part for part in parts)
    at = _index(draft, head, parts[1], origin)
    return None if at is None else (head, at, *parts[2:])


def _index(draft: Draft, head: str, word: str, origin: str) -> int | None:
    items = draft.raw.get(head)
    items = items if isinstance(items, list) else []
    names = [str(item.get("name", "")) if isinstance(item, dict) else "" for item in items]
    same = [index for index, name in enumerate(names) if _spelled(name) == _spelled(word)]
    if len(same) == 1:
        return same[0]
    if same:
        draft.problems.append(f"{origin}: more than one of {head} is spelled like that; use its number")
        return None
    if word.isdecimal() and int(word) <= len(items):
        return int(word)
    if word.isdecimal():
        draft.problems.append(f"{origin}: leaves a gap, {head} has {len(items)} so far (got {word})")
    else:
        hint = nearest(word, filter(None, names))
        draft.problems.append(f"{origin}: none of {head} is called {word}{hint}")
    return None


def _spelled(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def _typed(text: str, kinds: frozenset[Any]) -> Any:
    """An environment has only texts: read it as TOML where the key takes more than a text."""
    if not kinds & {int, float, bool, tuple, dict} and not any(_is_table(kind) for kind in kinds):
        return text
    if tuple in kinds and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        value = tomllib.loads(f"value = {text.strip()}").get("value")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return text if isinstance(value, str) else value


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_fields")
