"""`canary alerts`: what is open and silenced; silence, acknowledge, and replay rules over what was recorded.

`list`, `ack` and `silence` go through the ledger's database: a daemon that runs reads it every two seconds.
"""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from canary.cli import codes
from canary.cli.alerts_test import try_out
from canary.cli.common import ConfigOption, fail, load_config, utf8
from canary.cli.times import in_order, length, moments
from canary.config.render import printable

if TYPE_CHECKING:
    from canary.ledger import Ledger

MOST = 2**63 - 1
"""The largest number that the ledger can hold."""

app = typer.Typer(
    help="What is open and silenced; silence, acknowledge, replay; try the ways out.",
    no_args_is_help=True,
    add_completion=False,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print an object instead of text.")]
AuthorOption = Annotated[str | None, typer.Option("--author", help="Who asks. Default: the user's name.")]


app.command("test")(try_out)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Print incidents that are open, silences, and how many messages are owed. Exit codes: 0, 1, 73, 78."""
    from alerts.orders import OrderBook
    from alerts.store import Store
    from canary.cli.show_alerts import as_object, as_text

    loaded = load_config(config)
    now = datetime.now(UTC)
    with _ledger(loaded.ledger.url, writing=False) as ledger:
        kept = Store(ledger.engine).load()
        orders = OrderBook(ledger.engine).read(now)
    incidents = sorted((one for one in kept.state.incidents.values() if one.open), key=lambda i: i.number)
    known = as_object(incidents, orders, owed=len(kept.owed))
    if as_json:
        typer.echo(json.dumps(known, indent=2, ensure_ascii=False))
    else:
        for line in as_text(known):
            typer.echo(line)
    return codes.DEGRADED if incidents else codes.OK


@app.command("ack")
def ack(
    incident: Annotated[
        int, typer.Argument(min=1, max=MOST, metavar="INCIDENT", help="The number in the message.")
    ],
    config: ConfigOption = None,
    author: AuthorOption = None,
) -> int:
    """Take an incident in hand: it is not repeated until it gets worse. Exit codes: 0, 64, 73, 78."""
    from alerts.orders import OrderBook

    loaded = load_config(config)
    with _ledger(loaded.ledger.url, writing=True) as ledger:
        book = OrderBook(ledger.engine, begin=ledger.begin)
        if not book.acknowledge(incident, author=_author(author), now=datetime.now(UTC)):
            fail(
                codes.USAGE,
                f"INCIDENT: none of that number is open (got {incident}); see `canary alerts list`",
            )
    typer.echo(f"incident {incident} is in hand; it is not repeated until it gets worse")
    return codes.OK


@app.command("silence")
def silence(
    prefix: Annotated[
        str | None, typer.Argument(metavar="PREFIX", help='Keys that begin so ("lost:"); "" is all of them.')
    ] = None,
    config: ConfigOption = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="For how long: 30m, 2h, 1d.")
    ] = None,
    author: AuthorOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the message at the end.")] = "",
    end: Annotated[
        int | None, typer.Option("--end", min=1, max=MOST, metavar="N", help="End this silence now.")
    ] = None,
) -> int:
    """Keep quiet about some keys for a time, or end that. Exit codes: 0, 64, 73, 78."""
    from alerts.orders import OrderBook
    from alerts.silence import Silence

    now = datetime.now(UTC)
    lasting = None if end is not None else _lasting(prefix, for_)
    if end is not None and (prefix is not None or for_ is not None):
        fail(codes.USAGE, "--end: goes without PREFIX and --for")
    prefix, reason = utf8("PREFIX", prefix or ""), utf8("--reason", reason)
    loaded = load_config(config)
    with _ledger(loaded.ledger.url, writing=True) as ledger:
        book = OrderBook(ledger.engine, begin=ledger.begin)
        if lasting is None:
            if end is None or not book.end(end, now):
                fail(
                    codes.USAGE,
                    f"--end: no silence of that number holds (got {end}); see `canary alerts list`",
                )
            typer.echo(f"silence {end} has ended; what still holds is told now")
            return codes.OK
        number = book.silence(Silence(prefix, now, now + lasting, _author(author), reason))
    what = printable(prefix) or "anything"
    typer.echo(f"silence {number}: nothing about {what} until {now + lasting:%Y-%m-%d %H:%M:%S} UTC")
    return codes.OK


def _lasting(prefix: str | None, text: str | None) -> timedelta:
    if prefix is None:
        fail(codes.USAGE, "PREFIX: is missing, as is --end N, which ends a silence")
    if text is None:
        fail(codes.USAGE, "--for: is missing: for how long, such as 2h")
    lasting = length("--for", text)
    if not lasting:
        fail(codes.USAGE, f'--for: must be above 0 (got "{text}")')
    return lasting


@app.command("replay")
def replay(
    config: ConfigOption = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME", help="2026-03-01T12:00Z, or how long ago: 12h, 7d.")
    ] = "7d",
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="The same.")] = "now",
    as_json: JsonOption = False,
) -> int:
    """Show what the rules of the configuration would have paged when, from what the ledger keeps.

    Exit codes: 0, 64, 73, 78.
    """
    from canary.cli.show_alerts import replay_text, replayed
    from canary.paging_rules import rules_of
    from canary.readings import StageSpec
    from canary.replay import Past
    from canary.replay import replay as played

    now = datetime.now(UTC)
    begin, end = moments(now, {"--from": from_, "--to": to})
    since, until = begin or now, end or now
    in_order(since, until)
    loaded = load_config(config)
    earliest = since - max((one.over for one in loaded.objectives), default=timedelta(0))
    with _ledger(loaded.ledger.url, writing=False) as ledger:
        past = Past(
            stages=[StageSpec(stage.name, topic=stage.kind == "kafka") for stage in loaded.stages],
            reports=ledger.windows(earliest, until),
            minutes=ledger.minutes(earliest, until),
            objectives=loaded.objectives,
            window=loaded.canary.window,
            down_after=loaded.canary.down_after,
        )
    inside = sum(report.start >= since for report in past.reports)
    told = replayed(list(played(past, rules_of(loaded), since=since)), since, until, windows=inside)
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in replay_text(told):
            typer.echo(line)
    return codes.OK


@contextmanager
def _ledger(url: str, *, writing: bool) -> "Iterator[Ledger]":
    from alerts.store import StoreError
    from canary.ledger import Ledger, LedgerError, LedgerUnusable

    try:
        with Ledger.beside(url) if writing else Ledger.open(url, read_only=True) as ledger:
            yield ledger
    except (LedgerUnusable, LedgerError) as error:
        fail(codes.CANNOT_MAKE, str(error))
    except StoreError as error:
        fail(codes.CANNOT_MAKE, f"ledger: {error}")


def _author(given: str | None) -> str:
    """Whoever types it, where nobody else is named."""
    if given is not None and given.strip():
        return utf8("--author", given.strip())
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        fail(codes.USAGE, "--author: is missing, and this user has no name")
