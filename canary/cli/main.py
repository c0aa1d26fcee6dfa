"""All commands under one name, and the exit codes that typer does not know."""

import sys
from collections.abc import Sequence
from typing import Any

import typer

from canary import __version__
from canary.cli import alerts, audit, check, codes, config, demo, explain, sandbox, status, trace
from canary.cli import run as running
from canary.cli.common import Exit
from canary.cli.defect import defect
from canary.cli.streams import OutputError, install
from canary.cli.usage import in_words
from canary.config.render import printable

app = typer.Typer(
    name="canary",
    help="Follows tagged events from HTTP through Kafka into ClickHouse, and says what became of each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
"""Typer does not export it: click's own in older versions, a copy that it brings along in newer ones."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ingestion-canary {__version__}")
        raise typer.Exit


@app.callback()
def _main(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True)) -> None:
    """An end-to-end data-integrity monitor for HTTP -> Kafka -> ClickHouse."""


app.command("check")(check.check)
app.command("audit")(audit.audit)
app.command("run")(running.run)
app.command("demo")(demo.demo)
app.command("status")(status.status)
app.command("explain")(explain.explain)
app.add_typer(alerts.app, name="alerts")
app.command("trace")(trace.trace)
app.add_typer(config.app, name="config")
app.add_typer(sandbox.app, name="sandbox")


def invoke(arguments: Sequence[str], *, of: typer.Typer = app) -> int:
    """Run one command; return its exit code."""
    try:
        code = of(args=list(arguments), prog_name="canary", standalone_mode=False)
    except Exit as end:
        _tell(*end.messages)
        return end.code
    except _USAGE_ERROR as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            _tell(in_words(error))
        return codes.USAGE
    except typer.Exit as end:
        return end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return codes.INTERRUPTED
    except OutputError as error:
        _tell(str(error))
        return codes.OUTPUT
    except Exception as error:
        return defect(error)
    return code if isinstance(code, int) else codes.OK


def run(arguments: Sequence[str]) -> int:
    """The same for this whole process, whose own stdout and stderr may be closed, full or narrow."""
    install()
    code = invoke(arguments)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OutputError as error:
        _tell(str(error))
        return codes.OUTPUT
    return code


def _tell(*messages: str) -> None:
    for message in messages:
        typer.echo(f"canary: {printable(message)}", err=True)
