"""A fault with a name, and how it is begun and ended."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.virtual.world import World

Deed = Callable[[World], object]


def nothing(world: World) -> None:
    """What happened in an instant needs no end."""
    del world


@dataclass(frozen=True, slots=True)
class Named:
    """One fault of the catalogue; see `faults` for what each word means."""

    name: str
    kind: str
    apply: Deed
    undo: Deed = nothing
    lasts: float = 5.0
    hop: str = ""
    stage: str = ""
    expects: frozenset[str] = frozenset()
    pages: tuple[str, ...] = ()
