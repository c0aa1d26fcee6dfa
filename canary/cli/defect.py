"""What is said of a fault of this program itself: one line, and the traceback for whoever asks for it."""

import os
import traceback
from pathlib import Path

import typer

from canary.cli import codes
from canary.config.render import printable

VARIABLE = "CANARY_TRACEBACK"
_OURS = Path(__file__).parents[2]
_LONGEST = 300


def defect(error: Exception) -> int:
    """Tell it on stderr; the exit code."""
    if os.environ.get(VARIABLE):
        typer.echo("".join(traceback.format_exception(error)), err=True)
        more = ""
    else:
        more = f"; {VARIABLE}=1 shows the traceback"
    what = printable(f"{type(error).__name__}: {error}")[:_LONGEST]
    typer.echo(f"canary: a defect of this program{_where(error)}: {what}{more}. Please report it.", err=True)
    return codes.SOFTWARE


def _where(error: Exception) -> str:
    """The innermost place of ours that it went through."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(_OURS) and "site-packages" not in file.relative_to(_OURS).parts:
            return f" at {file.relative_to(_OURS)}:{frame.lineno}"
    return ""
