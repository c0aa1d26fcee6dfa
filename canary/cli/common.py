"""What several commands share: options, reading the configuration, telling errors."""

import os
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import UUID

import typer

from canary.cli import codes
from canary.config.models import Config
from canary.config.render import printable

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


def load_config(path: Path | None, *, starting: bool = False) -> Config:
    """The effective configuration; all its faults at once and exit code 78 where it has any.

    `starting`: the command makes what is not there yet, and says so.
    """
    from canary.config import ConfigError, load

    try:
        loaded = load(path, env=dict(os.environ))
    except ConfigError as error:
        fail(codes.CONFIG, *error.problems)
    for warning in (*loaded.warnings, *(loaded.at_start if starting else ())):
        typer.echo(f"warning: {printable(warning)}", err=True)
    return loaded.config


def utf8(argument: str, text: str) -> str:
    """A text that can be kept and sent: what a shell hands over need not be one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        fail(codes.USAGE, f'{argument}: must be UTF-8 text (got "{text}")')
    return text


def broker_of(text: str) -> str:
    """The sandbox's broker: one of its own, or another's address."""
    host, _, port = text.rpartition(":")
    if text not in ("tansu", "kafka") and not (
        host and port.isdecimal() and port.isascii() and int(port) < 65536
    ):
        fail(codes.USAGE, f'--broker: must be tansu, kafka or HOST:PORT (got "{text}")')
    return text


def identity(argument: str, text: str) -> UUID:
    """The id that an argument gives."""
    try:
        return UUID(text.strip())
    except ValueError:
        fail(codes.USAGE, f'{argument}: must be a UUID (got "{text[:80]}")')


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
