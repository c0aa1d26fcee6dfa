"""How the result of `canary audit` is shown: one verdict, one object, or a page of text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import typer

from canary.audit.report import EXIT_CODES, UNKNOWING, Report, Verdict, reasons
from canary.cli import codes
from canary.config.render import printable
from reconcile.traffic import Fate

GRAVEST = (Verdict.FAULT, Verdict.UNKNOWN, Verdict.DEGRADED, Verdict.OK)
MOST_RANGES = 20


@dataclass(frozen=True, slots=True)
class Result:
    """All audits of one command. `blind`: tables that could not be audited, and why."""

    reports: Sequence[Report]
    blind: Mapping[str, str]
    since: datetime
    until: datetime
    grace: timedelta
    interrupted: bool

    @property
    def verdict(self) -> Verdict:
        found = {report.verdict(self.grace) for report in self.reports}
        if self.blind or not self.reports:
            found.add(Verdict.UNKNOWN)
        return next(one for one in GRAVEST if one in found)

    @property
    def exit_code(self) -> int:
        return codes.INTERRUPTED if self.interrupted else EXIT_CODES[self.verdict]

    @property
    def summary(self) -> str:
        """One sentence a person can act on."""
        told = [sentence(report, self.grace) for report in self.reports]
        told += [f"{stage} could not be audited: {why}" for stage, why in self.blind.items()]
        return "; ".join(told) or "interrupted"

    def as_json(self) -> dict[str, Any]:
        """A stable object: keys may be added."""
        return {
            "schema": 1,
            "verdict": self.verdict.value,
            "exit_code": self.exit_code,
            "summary": self.summary,
            "since": _clock(self.since),
            "until": _clock(self.until),
            "audits": [
                {"verdict": report.verdict(self.grace).value, **report.as_json()} for report in self.reports
            ],
            "blind": [{"stage": stage, "reason": why} for stage, why in self.blind.items()],
        }


def sentence(report: Report, grace: timedelta) -> str:
    """What became of a window in one line."""
    counts = report.counts
    lost = counts.get(Fate.LOST, 0)
    where = f"between {report.topic} and {report.table}"
    if lost:
        return f"{lost} of {report.appended} events lost {where}"
    verdict = report.verdict(grace)
    if verdict is Verdict.UNKNOWN:
        unknown = sum(counts.get(fate, 0) for fate in UNKNOWING)
        more = f"; {report.unseen}" if report.unseen else ""
        return f"{unknown} of {report.appended} events {where} cannot be accounted for{more}"
    if verdict is Verdict.DEGRADED:
        return f"no loss {where}, but not all is well: {', '.join(_oddities(report))}"
    return f"all {report.appended} events {where} are accounted for"


def _oddities(report: Report) -> Iterator[str]:
    for fate in (Fate.QUEUED, Fate.DEAD_LETTERED, Fate.UNPARSABLE):
        if number := report.counts.get(fate, 0):
            yield f"{number} {fate.replace('_', ' ')}"
    if copies := report.twice.mergeable + report.twice.permanent:
        yield f"{copies} rows twice"
    if report.stray_rows:
        yield f"{report.stray_rows} rows without an event"


def text(result: Result) -> None:
    """A page for a person."""
    typer.echo(f"{result.verdict.upper()}: {printable(result.summary)}")
    for report in result.reports:
        typer.echo()
        for line in _page(report):
            typer.echo(line)


def _page(report: Report) -> Iterator[str]:
    yield f"{report.topic} -> {report.table}, {_clock(report.since)} to {_clock(report.until)}"
    why = f" ({report.method.why})" if report.method.why else ""
    yield f"  method      by {report.method.name}{why}; cannot see {report.method.cannot_see}"
    yield f"  appended    {report.appended}"
    for fate in Fate:
        if number := report.counts.get(fate, 0):
            yield f"  {fate.replace('_', ' '):<11} {number}"
            if fate is not Fate.STORED:
                yield from (f"                {why}: {n}" for why, n in _first(reasons(report.runs, fate)))
    if report.unbalanced:
        yield f"  unbalanced  {report.unbalanced} (this is a bug)"
    yield from _lost(report)
    yield from _rows(report)
    yield from (f"  note        {printable(note)}" for note in report.notes)
    cost = report.cost
    yield (
        f"  cost        {cost.seconds:.1f} s, {cost.queries} queries, {cost.rows_read} rows and"
        f" {cost.bytes_read / 1e6:.1f} MB read, {cost.messages_fetched} messages fetched"
    )


def _first(found: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(printable(why), number) for why, number in list(found.items())[:5] if why]


def _lost(report: Report) -> Iterator[str]:
    ranges = report.lost_ranges
    if not ranges:
        return
    lost = report.lost
    yield f"  lost offsets to replay: {' '.join(map(str, ranges[:MOST_RANGES]))}"
    if len(ranges) > MOST_RANGES:
        yield f"    and {len(ranges) - MOST_RANGES} more ranges (--output json has them all)"
    if lost.since and lost.until:
        yield f"    appended between {_clock(lost.since)} and {_clock(lost.until)}"
    if lost.replayable_until:
        yield f"    replayable until {_clock(lost.replayable_until)} ({lost.retention_from})"
    elif lost.retention_from:
        yield f"    replayable: {lost.retention_from}"
    yield f"    first ids: {printable(' '.join(lost.ids)) or 'none could be read'}"
    for name, found in (("events", lost.events), ("keys", lost.keys)):
        if found:
            yield f"    {name}: {', '.join(f'{printable(value)} ({n})' for value, n in found.items())}"
    yield from (f"    payload: {printable(payload)}" for payload in lost.payloads)


def _rows(report: Report) -> Iterator[str]:
    twice, strays = report.twice, report.strays
    if twice.untold:
        yield f"  rows twice  {twice.untold} that could not be told apart within the budget"
    if twice.mergeable or twice.permanent:
        first = " ".join(f"{one.partition}:{one.start}" for one in twice.first)
        kinds = f"{twice.mergeable} that a merge will remove, {twice.permanent} that none will"
        yield f"  rows twice  {kinds}{f'; first {first}' if first else ''}"
    for number, what in (
        (strays.no_offset, "without an offset"),
        (strays.no_partition, "of a partition that the topic has not"),
        (strays.other_topic, "of another topic"),
        (sum(strays.beyond.values()), "beyond the topic's end"),
    ):
        if number:
            yield f"  stray rows  {number} {what}"


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")
