"""`canary explain ID`: one canary's path, with times, from the ledger."""

from pathlib import Path
from typing import Annotated

import typer

from canary.cli import codes
from canary.cli.common import ConfigOption, fail, identity, load_config


def explain(
    canary: Annotated[str, typer.Argument(metavar="ID", help="The id of a canary.")],
    config: ConfigOption = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another ledger, such as one a check kept.")
    ] = None,
) -> int:
    """Say everything that is known of one canary: sent, answered, seen where and when, judged why."""
    from canary.cli.show import track
    from canary.ledger import Ledger, LedgerError, LedgerUnusable

    wanted = identity("ID", canary)
    if ledger is not None and not ledger.exists():
        fail(codes.CANNOT_MAKE, f"{ledger}: no such file")
    url = f"sqlite:///{ledger}" if ledger is not None else load_config(config).ledger.url
    try:
        with Ledger.open(url, read_only=True) as book:
            found = book.find(wanted)
    except (LedgerUnusable, LedgerError) as error:
        fail(codes.CANNOT_MAKE, str(error))
    if found is None:
        fail(codes.DEGRADED, f"{wanted}: not in this ledger (an older one, another monitor's, or pruned)")
    track(found)
    return codes.OK
