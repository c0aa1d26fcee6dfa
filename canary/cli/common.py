"""What several commands share: options, reading the configuration, telling errors."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from canary.cli import codes
from canary.config.models import Config

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The configuration. Default: $CANARY_CONFIG, else ./canary.toml."
    ),
]


class Exit(Exception):  # noqa: N818 - it is not an error but an end
    """Ends a command with a message on stderr and an exit code."""

    def __init__(self, code: int, *messages: str) -> None:
        super().__init__(*messages)
        self.code = code
        self.messages = messages


def fail(code: int, *messages: str) -> NoReturn:
    """End the command."""
    raise Exit(code, *messages)


def load_config(path: Path | None, overrides: dict[str, Any] | None = None) -> Config:
    """The effective configuration; all its faults at once and exit code 78 where it has any."""
    from canary.config import ConfigError, load

    try:
        loaded = load(path, env=dict(os.environ), overrides=overrides or {})
    except ConfigError as error:
        fail(codes.CONFIG, *error.problems)
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return loaded.config


def duration(text: str) -> timedelta:
    """`10s`, `5m`, `1h`, `2d`, or a bare number of seconds, as a flag's value."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", text.strip())
    if match is None:
        raise typer.BadParameter(f'must be a duration such as 10s, 5m or 1h (got "{text}")')
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}[match[2] or "s"]
    return timedelta(seconds=float(match[1]) * unit)


def built(config: Config, **options: Any) -> Any:
    """The application, or the exit code that says why not."""
    from canary.app import build
    from canary.config.secret import SecretError
    from canary.ledger import LedgerInUse, LedgerUnusable

    try:
        return build(config, **options)
    except LedgerInUse as error:
        fail(codes.CANNOT_MAKE, str(error))
    except LedgerUnusable as error:
        fail(codes.CANNOT_MAKE, str(error))
    except (SecretError, ValueError) as error:
        fail(codes.CONFIG, str(error))
