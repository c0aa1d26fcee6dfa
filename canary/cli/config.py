"""`canary config check` and `canary config show`: is it right, and what is in force?"""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from canary.cli import codes
from canary.cli.words import counted
from canary.config import ConfigError, Loaded, load
from canary.config.advice import advise, in_words
from canary.config.render import printable, to_json, to_toml

app = typer.Typer(help="Check and show the configuration.", no_args_is_help=True, add_completion=False)


class Output(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


File = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The configuration. Default: $CANARY_CONFIG, else ./canary.toml."
    ),
]
Format = Annotated[Output, typer.Option("--output", help="How to print the result.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override one setting, such as canary.grace=5s."),
]


@app.command("check")
def check(config: File = None, output: Format = Output.TEXT, overrides: Settings = None) -> int:
    """Say all that is wrong, or OK with the events, hot keys and limits. Exit codes: 0, 78."""
    try:
        loaded = _loaded(config, overrides)
    except ConfigError as error:
        if output is Output.JSON:
            _object({"ok": False, "source": error.source, "problems": error.problems})
        else:
            _problems(error)
        return codes.CONFIG
    advice, warnings = advise(loaded.config), [*loaded.warnings, *loaded.at_start]
    if output is Output.JSON:
        told = {"ok": True, "source": loaded.source, "problems": [], "warnings": warnings}
        _object({**told, **advice.as_json()})
    else:
        for line in (f"{loaded.source}: OK", *in_words(advice)):
            typer.echo(printable(line))
        for warning in warnings:
            typer.echo(f"warning: {printable(warning)}")
    return codes.OK


@app.command("show")
def show(config: File = None, output: Format = Output.TEXT, overrides: Settings = None) -> int:
    """Print the values in force and where each came from, secrets masked. Exit codes: 0, 78."""
    try:
        loaded = _loaded(config, overrides)
    except ConfigError as error:
        _problems(error, err=True)
        return codes.CONFIG
    typer.echo(to_json(loaded) if output is Output.JSON else to_toml(loaded), nl=output is Output.JSON)
    return codes.OK


def _loaded(config: Path | None, overrides: list[str] | None) -> Loaded:
    return load(config, env=os.environ, overrides=dict(_setting(text) for text in overrides or ()))


def _setting(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or "." not in path:
        raise typer.BadParameter("must be PATH=VALUE, such as canary.grace=5s", param_hint="--set")
    return path.strip(), value


def _problems(error: ConfigError, *, err: bool = False) -> None:
    count = len(error.problems)
    typer.echo(printable(f"{error.source}: {counted(count, 'problem')}"), err=err)
    for problem in error.problems:
        typer.echo(f"  {printable(problem)}", err=err)


def _object(value: dict[str, object]) -> None:
    typer.echo(json.dumps({"schema": 1, **value}, ensure_ascii=False, indent=2))
