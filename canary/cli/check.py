"""`canary check`: send N canaries over all lanes, follow them, print one verdict."""

import contextlib
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from canary.cli import codes
from canary.cli.common import ConfigOption, built, fail, load_config
from canary.cli.times import duration


class Output(StrEnum):
    """How the verdict is printed."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    NAGIOS = "nagios"


def check(
    config: ConfigOption = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=10_000, help="How many canaries.")] = 20,
    probe: Annotated[str | None, typer.Option(help="Which probe sends them. Default: the first.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.01, max=1000, help="Canaries a second. Default: canary.check_rate.")
    ] = None,
    grace: Annotated[
        timedelta | None, typer.Option(parser=duration, metavar="DURATION", help="Default: canary.grace.")
    ] = None,
    timeout: Annotated[
        timedelta, typer.Option(parser=duration, metavar="DURATION", help="When to judge what is left.")
    ] = "120s",  # type: ignore[assignment]
    output: Annotated[Output, typer.Option(help="What goes to stdout.")] = Output.TEXT,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the ledger even when all is well.")] = False,
) -> int:
    """Send canaries once and say what became of each. Exit codes: 0 ok, 1 degraded, 2 fault, 3 unknown."""
    from canary.app import Checking
    from canary.once import Once
    from canary.result import Result

    loaded = load_config(config, starting=True)
    if probe is not None and probe not in [one.name for one in loaded.probes]:
        names = ", ".join(one.name for one in loaded.probes)
        fail(codes.USAGE, f'--probe: must be one of {names} (got "{probe}")')
    checking = Checking(count, rate or loaded.canary.check_rate, grace or loaded.canary.grace, probe)
    with _ledger_folder() as folder:
        path = folder / "check.db"
        app = built(loaded, ledger_url=f"sqlite:///{path}", checking=checking)
        from canary.cli.show import progress

        with progress(loaded, wanted=output is Output.TEXT or sys.stderr.isatty()) as show:
            once = Once(app.watch, total=count, timeout=timeout, show=show)
            with _interrupting(once):
                finished = once.run()
        app.watch.save()
        app.ledger.close()
        app.watch.close_soon()
        result = Result(finished, [stage.name for stage in loaded.stages])
        told = keep_ledger(path) if result.exit_code != codes.OK or keep else None
        _print(result, output)
        if told is not None:
            typer.echo(told, err=True)
    return result.exit_code


def keep_ledger(path: Path) -> str:
    """Copy the ledger out of its temporary folder; say where to, or why not: the verdict stands alone."""
    try:
        kept = Path(tempfile.mkdtemp(prefix="canary-check-")) / path.name
        shutil.copy2(path, kept)
    except OSError as error:
        return f"the ledger cannot be kept ({error.strerror})"
    return f"ledger kept: canary explain ID --ledger {kept}"


def _print(result: object, output: Output) -> None:
    from canary.cli import show
    from canary.result import Result

    if not isinstance(result, Result):
        raise TypeError("check: not a result. This is a bug.")
    if output is Output.JSON:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False, indent=2))
    elif output is Output.JUNIT:
        typer.echo(show.junit(result))
    elif output is Output.NAGIOS:
        typer.echo(show.nagios(result))
    else:
        show.text(result)


@contextlib.contextmanager
def _ledger_folder() -> Iterator[Path]:
    try:
        folder = Path(tempfile.mkdtemp(prefix="canary-check-"))
    except OSError as error:
        fail(codes.CANNOT_MAKE, f"the temporary ledger cannot be made: {error.strerror}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _interrupting(once: object) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the check with what is known so far."""
    from canary.once import Once

    if not isinstance(once, Once):
        raise TypeError("check: nothing to interrupt. This is a bug.")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: once.interrupt())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
