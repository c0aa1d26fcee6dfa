"""`canary trace UUID`: a real event's way, from topic to table, and why it went no further."""

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from canary.cli.common import ConfigOption, identity, load_config
from canary.cli.times import duration, moments


class Output(StrEnum):
    """How the answer is printed."""

    TEXT = "text"
    JSON = "json"


def trace(
    event: Annotated[str, typer.Argument(metavar="UUID", help="The id of any event.")],
    config: ConfigOption = None,
    around: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When it was sent, such as 2026-11-27T14:05, or 2h ago. Default: what the id says (v7).",
        ),
    ] = None,
    within: Annotated[
        timedelta,
        typer.Option(parser=duration, metavar="DURATION", help="How far from that its record may be."),
    ] = "15m",  # type: ignore[assignment]
    max_messages: Annotated[
        int, typer.Option(min=1, max=100_000_000, help="The most messages to read in one topic.")
    ] = 200_000,
    output: Annotated[Output, typer.Option(help="What goes to stdout.")] = Output.TEXT,
    show_payload: Annotated[
        bool, typer.Option("--show-payload", help="Show what the event carries.")
    ] = False,
) -> int:
    """Look for one event everywhere. Exit codes: 0 stored, 1 waiting, 2 not stored, 3 could not tell."""
    from canary.cli.trails import text
    from canary.tools import tracing
    from canary.trace import Hint

    wanted = identity("UUID", event)
    (moment,) = moments(datetime.now(UTC), {"--around": around})
    with tracing(load_config(config)) as asking:
        traced = asking.run(wanted, Hint(moment, within), messages=max_messages, payload=show_payload)
    if output is Output.JSON:
        typer.echo(json.dumps(traced.as_json(), ensure_ascii=False, indent=2))
    else:
        text(traced)
    return traced.exit_code
