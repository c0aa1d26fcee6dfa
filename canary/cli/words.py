"""Words for a terminal: what others wrote is shown as it is spelled, and nothing of it is obeyed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from canary.config.render import printable

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """Where results go: no line broken, no word coloured or made a picture that we did not mark so."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, emoji=False)


def shown(text: str) -> str:
    """A text of somebody else's between our own marks: on one line, control characters spelled out."""
    from rich.markup import escape

    return escape(printable(text))


def shown_lines(text: str, indent: str) -> Iterator[str]:
    """The same of a text that has lines of its own; those after the first are indented."""
    first, *others = text.split("\n")
    yield shown(first)
    yield from (indent + shown(line) for line in others)


def counted(number: int, word: str) -> str:
    """`1 window`, `1,200 windows`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
