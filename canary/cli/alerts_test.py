"""`canary alerts test`: a marked sample of each kind of message through each way out, and what each said."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from canary.cli import codes
from canary.cli.common import ConfigOption, fail, load_config
from canary.config.render import printable

if TYPE_CHECKING:
    from alerts.condition import Notice
    from alerts.delivery import Receipt
    from alerts.fallback import Way
    from canary.config.models import Config

SAMPLE = "TEST, nothing is wrong"
PACE = 1.1
"""Seconds between two messages of one way: Slack takes one a second."""

WayOption = Annotated[
    list[str] | None, typer.Option("--way", help="Only this way out; may be given several times.")
]


def try_out(config: ConfigOption = None, ways: WayOption = None) -> int:
    """Send a marked sample of each kind through each way out. Exit codes: 0 all were taken, 2 not, 78."""
    from canary.ways import make_ways

    loaded = load_config(config)
    found = make_ways(loaded)
    if found is None:
        fail(codes.CONFIG, "there is no way out: give [slack], [alertmanager], [webhook] or [command]")
    if unknown := sorted(set(ways or ()) - {way.name for way in found.ways}):
        there = ", ".join(way.name for way in found.ways)
        fail(codes.USAGE, f"--way: must be one of {there} (got {', '.join(unknown)})")
    results = [_try(way) for way in found.ways if not ways or way.name in ways]
    beats = [] if ways else _beats(loaded)
    return codes.OK if all([*results, *beats]) else codes.FAULT


def _try(way: "Way") -> bool:
    """Check it, then one incident from its opening to its end, and a summary; False where any was refused."""
    import time

    from alerts.delivery import DeliveryError

    problems = way.sender.check()
    for problem in problems:
        typer.echo(f"{way.name}: check: {printable(problem)}")
    receipt: Receipt | None = None
    well = not problems
    for number, notice in enumerate(samples(datetime.now(UTC))):
        if number:
            time.sleep(PACE)
        thread = receipt if notice.incident == 1 else None
        try:
            taken = way.sender.send(notice, thread)
        except DeliveryError as error:
            well = False
            typer.echo(f"{way.name}: {notice.kind.value}: {printable(error.reason)}")
            continue
        receipt = receipt or taken
        where = f" (channel {taken.channel}, thread {taken.thread})" if taken.thread else ""
        typer.echo(f"{way.name}: {notice.kind.value}: taken{where}")
    return well


def samples(now: datetime) -> "Iterator[Notice]":
    """One of each kind, in the order in which they come: all marked as a test, none of them a page."""
    from alerts.condition import Condition, Kind, Notice, Severity

    content = Condition(
        key="test:sample",
        severity=Severity.NOTE,
        title=f"{SAMPLE}: 3 canaries lost between raw and events",
        facts=(("sent in the last window", "60"), ("lost", "3"), ("worst latency", "1.4 s")),
        diagram="ingress -> raw --X--> events",
        commands=("canary explain 0190f5fe-7c00-7a00-8000-000000000001",),
        count=3,
        ids=("0190f5fe-7c00-7a00-8000-000000000001",),
    )
    opened = now - timedelta(minutes=5)
    first = Notice("test.1", 1, 1, Kind.OPENED, content, now, opened, worst=3)
    for number, kind in enumerate((Kind.OPENED, Kind.STILL, Kind.RESOLVED), start=1):
        ended = now if kind is Kind.RESOLVED else None
        yield replace(first, id=f"test.{number}", sequence=number, kind=kind, ended_at=ended)
    late = replace(first, id="test.4", sequence=4, kind=Kind.AMENDED, ended_at=now)
    yield replace(late, amended=(("arrived after all", 2),), took=timedelta(minutes=4))
    summary = replace(content, title=f"{SAMPLE}: 2 messages in one", diagram="opened    a\nresolved  b")
    covers = ((1, Kind.OPENED), (1, Kind.RESOLVED))
    yield replace(first, id="test.0", incident=2, kind=Kind.SUMMARY, content=summary, covers=covers)


def _beats(config: "Config") -> Iterator[bool]:
    """A sign of life to whoever gets one."""
    from alerts.delivery import DeliveryError
    from canary.ways import make_beats

    for name, beat in make_beats(config).items():
        try:
            beat.success()
        except DeliveryError as error:
            typer.echo(f"heartbeat {name}: {printable(error.reason)}")
            yield False
        else:
            typer.echo(f"heartbeat {name}: taken")
            yield True
