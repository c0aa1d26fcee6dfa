"""The survivors of a hunt in words: which mutants no test catches, and why nobody could."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.mutation.mutants import Mutant

REASONS = Path(__file__).with_name("reasons.toml")
AIM = 0.95


def reasons() -> Mapping[str, str]:
    """By a mutant's name: why no test can tell it from the original."""
    return {one["mutant"]: one["reason"] for one in tomllib.loads(REASONS.read_text()).get("survivor", ())}


def share(chosen: Sequence[Mutant], survivors: Sequence[Mutant]) -> float:
    return 1 - len(survivors) / len(chosen)


def unexplained(survivors: Sequence[Mutant]) -> list[Mutant]:
    """Those that may show a missing test."""
    return [one for one in survivors if one.name not in reasons()]


def page(chosen: Sequence[Mutant], survivors: Sequence[Mutant]) -> str:
    """docs/mutation.md."""
    return "\n".join([*_head(chosen, survivors), *_table(chosen, survivors), *_survivors(survivors)]) + "\n"


def _head(chosen: Sequence[Mutant], survivors: Sequence[Mutant]) -> Iterator[str]:
    yield "# Mutation check of `reconcile`"
    yield ""
    yield (
        "Made by `make mutation`: each decision in `reconcile/` (a comparison, a condition, a number, "
        "a word, an outcome, a return, something done) is changed, one at a time, and the tests of "
        "`reconcile`, which pass on the original, run on it."
    )
    yield (
        f"{len(chosen) - len(survivors)} of {len(chosen)} mutants are caught "
        f"({100 * share(chosen, survivors):.1f} %)."
    )
    yield ""


def _table(chosen: Sequence[Mutant], survivors: Sequence[Mutant]) -> Iterator[str]:
    all_, alive = (Counter(one.module for one in group) for group in (chosen, survivors))
    yield "| module | mutants | caught |"
    yield "|---|---|---|"
    for module, count in sorted(all_.items()):
        yield f"| `{module}` | {count} | {count - alive[module]} |"
    yield ""


def _survivors(survivors: Sequence[Mutant]) -> Iterator[str]:
    yield "## Survivors"
    yield ""
    yield "They count as not caught."
    yield ""
    known = reasons()
    for one in survivors:
        why = known.get(one.name, "**Not explained.**")
        yield f"- `{one.module}.{one.function}`: `{one.before}` => `{one.after}`. {why}"
