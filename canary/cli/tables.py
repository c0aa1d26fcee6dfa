"""`canary audit --left T --right T`: two tables against each other, for a migration or a reshard."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import typer

from canary.audit.tables import SHOWN, Compared, Wish
from canary.cli import codes
from canary.cli.common import fail
from canary.cli.times import in_order
from canary.cli.words import console, counted, shown
from canary.compared import Span, TableTroubleError
from canary.config.models import Config
from canary.config.problems import plain
from canary.config.secret import Secret, SecretError


@dataclass(frozen=True, slots=True)
class Side:
    """A table as it is named: `[database.]table` on the last table stage's server, or a URL with a path,
    `https://[user@]host:8443/database/table`, and a file with the password."""

    text: str
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """What a side says: None where the stage's own setting holds."""

    url: str | None
    user: str | None
    database: str | None
    table: str


def compare(
    config: Config,
    left: Side,
    right: Side,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: str | None = None,
    ignore: str | None = None,
    as_json: bool = False,
) -> int:
    """Compare, print, and return the exit code: 0 the same, 1 other copies, 2 different, 3 not all compared.

    `columns` and `ignore` are names with commas between them. Without both times all rows are compared.
    """
    from canary.tools import comparing

    if (since is None) != (until is None):
        fail(codes.USAGE, "--from, --to: give both, or neither for all rows")
    span = None
    if since is not None and until is not None:
        in_order(since, until)
        span = Span(since, until)
    wish = Wish(span=span, columns=_names(columns), ignore=frozenset(_names(ignore) or ()))
    for name, one in _sides(left, right).items():
        _readable(f"{name}-password-file", one.password_file)
    sides = [(address(one.text, name), one.password_file) for name, one in _sides(left, right).items()]
    try:
        with comparing(config, sides, wish) as asking:
            done = asking.run()
    except ValueError as error:
        fail(codes.USAGE, str(error))
    except TableTroubleError as trouble:
        fail(codes.UNKNOWN, trouble.reason)
    if as_json:
        typer.echo(json.dumps(done.as_json(), ensure_ascii=False, indent=2))
    else:
        _text(done)
    return done.exit_code


def address(text: str, option: str) -> Address:
    """Take a side's name apart. A password in it would be seen by everybody on the machine: refused."""
    if "://" not in text:
        database, dot, table = text.rpartition(".")
        if not table:
            fail(codes.USAGE, f'{option}: must be a table (got "{text}")')
        return Address(None, None, database if dot else None, table)
    wrong = f"{option}: must be like https://host:8443/database/table (got {plain(text)})"
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        fail(codes.USAGE, wrong)
    if parts.password is not None:
        fail(codes.USAGE, f"{option}: must not hold a password; give {option}-password-file")
    path = [piece for piece in parts.path.split("/") if piece]
    if parts.scheme not in ("http", "https") or not parts.hostname or len(path) < 2:
        fail(codes.USAGE, wrong)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    prefix = "".join(f"/{piece}" for piece in path[:-2])
    return Address(f"{parts.scheme}://{host}{port}{prefix}", parts.username, path[-2], path[-1])


def _readable(option: str, file: Path | None) -> None:
    try:
        if file is not None:
            Secret(path=file)()
    except SecretError as error:
        fail(codes.USAGE, f"{option}: {error}")


def _sides(left: Side, right: Side) -> Mapping[str, Side]:
    return {"--left": left, "--right": right}


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _text(done: Compared) -> None:
    out = console()
    whole = done.total()
    rows = sum(day.left for day in done.days), sum(day.right for day in done.days)
    head = {
        0: "[green]SAME[/]",
        1: "[yellow]COPIES[/]",
        2: "[bold red]DIFFERENT[/]",
        3: "[magenta]UNKNOWN[/]",
    }
    out.print(
        f"{head[done.exit_code]} {shown(done.left)} has {rows[0]:,} rows, {shown(done.right)} {rows[1]:,}, "
        f"over {counted(len(done.days), 'day')}; compared by {', '.join(done.columns)}"
    )
    for words, ids in (
        (f"missing in {done.left}", whole.missing_left),
        (f"missing in {done.right}", whole.missing_right),
        ("on another day in the other", done.moved),
        ("with other content", whole.content),
        ("with another number of copies", whole.copies),
    ):
        if ids:
            out.print(f"  {shown(words)}: {len(ids):,}")
            for one in ids[:SHOWN]:
                out.print(f"    {shown(one)}")
    for name, count in done.fields.items():
        out.print(f"  column {shown(name)} differs in {count} of the first {len(whole.content[:SHOWN])}")
    for day in done.days:
        if day.found.missing_left or day.found.missing_right or day.found.content or day.left != day.right:
            out.print(
                f"  {day.day}: {day.left:,} and {day.right:,} rows, {len(day.found.missing_left):,} and "
                f"{len(day.found.missing_right):,} missing, {len(day.found.content):,} with other content"
            )
        for why in day.unaudited:
            out.print(f"  [magenta]not compared[/]: {shown(why)}")
    for note in done.notes:
        out.print(f"  {shown(note)}")
