"""`canary sandbox`: a whole pipeline on this machine, and the faults one can switch on in it."""

import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from canary.cli import codes
from canary.cli.common import broker_of, fail
from canary.sandbox.faults import KINDS, FaultError, fault_from
from canary.sandbox.handle import EXTRA, NotPossibleError, SandboxError, order

app = typer.Typer(
    help="Run a whole pipeline on this machine, with faults on demand.",
    invoke_without_command=True,
    no_args_is_help=False,
)

Dir = Annotated[Path | None, typer.Option("--dir", help="Where its state is kept.", show_default=False)]


def default_dir() -> Path:
    """One folder per user, so that `fault` and `heal` find the sandbox without being told."""
    return Path(tempfile.gettempdir()) / f"ingestion-canary-sandbox-{os.getuid()}"


@app.callback()
def sandbox(
    context: typer.Context,
    folder: Dir = None,
    broker: Annotated[str, typer.Option(help="tansu, kafka (needs Java and Maven), or HOST:PORT.")] = "tansu",
    partitions: Annotated[int | None, typer.Option(min=1, help="Of each topic.", show_default=False)] = None,
) -> None:
    """Start it, print "ready" when all of it answers, and stop it on Ctrl-C or SIGTERM."""
    context.obj = folder
    if context.invoked_subcommand is not None:
        return
    where = folder or default_dir()
    _serve(where, broker_of(broker), partitions)


def _serve(where: Path, broker: str, partitions: int | None) -> None:
    """The servers are imported only here: `fault` and `heal` need none of them, nor the extra."""
    try:
        from canary.sandbox.broker import ImpossibleError
        from canary.sandbox.serve import serve
    except ModuleNotFoundError as error:
        fail(codes.UNAVAILABLE, f"{EXTRA} ({error})")
    typer.echo(f"state in {where}", err=True)
    try:
        serve(where, broker=broker, partitions=partitions, say=_announce(where))
    except OSError as error:
        fail(codes.UNAVAILABLE, f"{error.filename or where}: {error.strerror or error}")
    except ImpossibleError as error:
        fail(codes.UNAVAILABLE, str(error))


@app.command()
def fault(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))],
    folder: Dir = None,
    at: Annotated[str | None, typer.Option(help="ingress, raw, processed, events or slack.")] = None,
    count: Annotated[int | None, typer.Option(help="Strike so many events or posts.")] = None,
    share: Annotated[float | None, typer.Option(help="Strike this share of them (0 to 1).")] = None,
    block: Annotated[int | None, typer.Option(help="Strike so many in a row in one partition.")] = None,
    canaries: Annotated[bool, typer.Option("--canaries", help="Strike canaries only.")] = False,
    lasts: Annotated[str | None, typer.Option("--for", help="End by itself after, such as 30s.")] = None,
    by: Annotated[str | None, typer.Option(help="How long a delay or how large a skew, such as 5s.")] = None,
    field: Annotated[
        str | None, typer.Option(help="What to corrupt: a property, timestamp or event.")
    ] = None,
    how: Annotated[
        str | None, typer.Option(help="same, another-day (duplicate); refuse, deny, hang (blind).")
    ] = None,
) -> None:
    """Switch a fault on in the running sandbox."""
    options = {
        "kind": kind,
        "at": at,
        "count": count,
        "share": share,
        "block": block,
        "canaries": canaries,
        "lasts": lasts,
        "by": by,
        "field": field,
        "how": how,
    }
    given = {name: value for name, value in options.items() if value is not None}
    try:
        fault_from(given)
    except FaultError as error:
        fail(codes.USAGE, str(error))
    _order(context, folder, path="/fault", options=given)
    typer.echo(f"{kind} is on")


@app.command()
def heal(context: typer.Context, folder: Dir = None) -> None:
    """Switch all faults off."""
    _order(context, folder, path="/heal", options={})
    typer.echo("all faults are off")


def _order(context: typer.Context, folder: Path | None, *, path: str, options: dict[str, Any]) -> None:
    from canary.sandbox.state import read_state

    where = folder or context.obj or default_dir()
    state = read_state(where)
    if state is None:
        fail(codes.UNAVAILABLE, f'--dir: no sandbox runs there (got "{where}")')
    try:
        order(state["control"], path, options)
    except FaultError as error:
        fail(codes.USAGE, str(error))
    except (NotPossibleError, SandboxError) as error:
        fail(codes.UNAVAILABLE, str(error))


def _announce(where: Path) -> Any:
    def say(line: str) -> None:
        typer.echo(f"configuration in {where / 'canary.toml'}")
        typer.echo(line)

    return say
