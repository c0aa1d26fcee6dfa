"""All commands under one name, and the exit codes that typer does not know."""

from collections.abc import Sequence
from typing import Any

import typer

from canary import __version__
from canary.cli import alerts, audit, check, codes, config, demo, explain, run, sandbox, status, trace
from canary.cli.common import Exit

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
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.command("status")(status.status)
app.command("explain")(explain.explain)
app.add_typer(alerts.app, name="alerts")
app.command("trace")(trace.trace)
app.add_typer(config.app, name="config")
app.add_typer(sandbox.app, name="sandbox")


def invoke(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    try:
        code = app(args=list(arguments), standalone_mode=False)
    except Exit as end:
        for message in end.messages:
            typer.echo(f"canary: {message}", err=True)
        return end.code
    except _USAGE_ERROR as error:
        error.show()
        return codes.USAGE
    except typer.Exit as end:
        return end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return codes.INTERRUPTED
    except BrokenPipeError:  # nobody reads what we found
        return codes.UNKNOWN
    return code if isinstance(code, int) else codes.OK
