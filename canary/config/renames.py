"""Keys that have another name now: for one release the old one still works, with a warning."""

from dataclasses import dataclass
from typing import Any

from canary.config.problems import Draft, Fault
from canary.config.schema import LISTS, Path, shown


@dataclass(frozen=True, slots=True)
class Rename:
    """In this table (every one of a list), `old` is called `new` now."""

    table: str
    old: str
    new: str


RENAMED: tuple[Rename, ...] = ()
"""Renames of the last release; those of the release before it are errors by now."""


def rename(draft: Draft, renamed: tuple[Rename, ...]) -> None:
    """Move what stands under an old name to its new one."""
    for rule in renamed:
        for path, table in _tables(draft, rule.table):
            if rule.old in table:
                _move(draft, path, table, rule)


def _tables(draft: Draft, name: str) -> list[tuple[Path, dict[str, Any]]]:
    found = draft.raw.get(name)
    items = enumerate(found) if name in LISTS and isinstance(found, list) else [(-1, found)]
    return [
        ((name,) if index < 0 else (name, index), item) for index, item in items if isinstance(item, dict)
    ]


def _move(draft: Draft, path: Path, table: dict[str, Any], rule: Rename) -> None:
    old, new = (*path, rule.old), (*path, rule.new)
    if rule.new in table:
        told = draft.told(
            Fault(old, f"is called {rule.new} now, and that is given too; remove it", bare=True)
        )
        draft.problems.append(told)
        del table[rule.old]
        return
    table[rule.new] = table.pop(rule.old)
    moved = [at for at in draft.origins if at[: len(old)] == old]
    for at in moved:
        draft.origins[(*new, *at[len(old) :])] = draft.origins.pop(at)
    draft.warnings.append(
        f"{shown(old, draft.raw)}: is called {rule.new} now; the old name stops working with the next release"
    )
