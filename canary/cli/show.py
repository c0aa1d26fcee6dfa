"""How results look: a live table or lines while a check runs, then text, JUnit or one line for Nagios."""

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.live import Live
from rich.table import Table

from canary.cli.words import console, counted, shown, shown_lines
from canary.config.models import Config
from canary.config.render import printable
from canary.fault import Fault
from canary.follow import hop_latencies
from canary.once import Progress
from canary.result import Result
from canary.values import Track
from reconcile.latency import summary

COLOURS = {"ok": "green", "degraded": "yellow", "fault": "bold red", "unknown": "magenta"}
NAGIOS = {"ok": "OK", "degraded": "WARNING", "fault": "CRITICAL", "unknown": "UNKNOWN"}
LINE_EVERY = 2.0
FEW = 10


@contextlib.contextmanager
def progress(config: Config, *, wanted: bool) -> Iterator[Callable[[Progress], None]]:
    """Show how far a check has come, on stderr: a live table in a terminal, lines elsewhere."""
    names = ["ingress", *(stage.name for stage in config.stages)]
    if not wanted:
        yield lambda _: None
    elif sys.stderr.isatty():
        with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
            yield lambda now: live.update(_live(now, names))
    else:
        yield _Lines(names)


class _Lines:
    """A line when something has changed, at most one in two seconds."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._said = ""
        self._next = 0.0

    def __call__(self, now: Progress) -> None:
        seen = [sum(name in e.seen for e in now.entries.values()) for name in self._names[1:]]
        line = f"sent {now.sent}/{now.total}" + "".join(
            f", {name} {count}" for name, count in zip(self._names[1:], seen, strict=True)
        )
        blind = "".join(f"; {name} cannot be read: {printable(why)}" for name, why in now.blind.items())
        whole = line + blind
        done = now.sent == now.total and all(count == now.sent for count in seen)
        if whole != self._said and (time.monotonic() >= self._next or done):
            self._said, self._next = whole, time.monotonic() + LINE_EVERY
            sys.stderr.write(whole + "\n")
            sys.stderr.flush()


def _live(now: Progress, names: list[str]) -> Table:
    table = Table(title=f"sent {now.sent} of {now.total}", title_justify="left")
    for head in ("hop", "seen", "p50", "max", ""):
        table.add_column(head)
    entries = dict(now.entries).values()
    latencies = hop_latencies(entries, names)
    for hop in pairwise(names):
        numbers = summary(latencies.get(hop, []))
        table.add_row(
            f"{hop[0]} -> {hop[1]}",
            str(sum(hop[1] in entry.seen for entry in entries)),
            f"{numbers['p50']:.3f} s" if numbers else "",
            f"{numbers['max']:.3f} s" if numbers else "",
            f"[magenta]{shown(now.blind[hop[1]])}[/]" if hop[1] in now.blind else "",
        )
    return table


def text(result: Result) -> None:
    """The verdict for a person."""
    out = console()
    colour = COLOURS[result.verdict]
    out.print(f"[{colour}]{result.verdict.upper()}[/] {shown(result.summary)}")
    latencies = result.latencies()
    for hop in (*pairwise(result.names), (result.names[0], result.names[-1])):
        numbers = latencies.get(hop)
        state = result.hop_state(hop) if hop in pairwise(result.names) else result.verdict
        told = "not measured"
        if numbers:
            told = f"p50 {numbers['p50']:.3f} s, p99 {numbers['p99']:.3f} s, max {numbers['max']:.3f} s"
            told += f" (± {numbers['error']:.3f} s)"
        out.print(f"  [{COLOURS[state]}]{state:8}[/] {hop[0]} -> {hop[1]}: {told}")
    for fault in result.faults:
        _fault(out, fault)


def _fault(out: Console, fault: Fault) -> None:
    colour = COLOURS[fault.state]
    where = f" {fault.where}" if fault.where else ""
    out.print(f"[{colour}]{fault.kind}[/]{shown(where)}: {fault.count}")
    if fault.spanned:
        hops = ", ".join(f"{a} -> {b}" for a, b in fault.spanned)
        out.print(f"  could also be at: {shown(hops)} (not readable in between)")
    if fault.field is not None:
        out.print(f"  field {shown(fault.field)}")
        out.print(f"    expected {shown(str(fault.expected))}")
        out.print(f"    found    {shown(str(fault.found))}")
    if fault.reason:
        out.print(f"  {shown(fault.reason)}")
    for id_ in fault.ids[:5]:
        out.print(f"  {id_}")
    if len(fault.ids) > 5:
        out.print(f"  and {len(fault.ids) - 5} more")
    out.print(f"  next: {shown(str(fault.as_json()['hint']))}")


def junit(result: Result) -> str:
    """One test case a canary, as CI systems read it."""
    whole = result.as_json()
    suite = ET.Element("testsuite", name="ingestion-canary", tests=str(result.sent))
    failures = 0
    for one in whole["canaries"]:
        case = ET.SubElement(suite, "testcase", classname="canary", name=one["id"])
        if one["outcome"] != "on_time" or set(one["flags"]) - {"time_unknown"}:
            failures += 1
            words = ", ".join([one["outcome"], *one["flags"]])
            ET.SubElement(case, "failure", message=words).text = printable(whole["summary"])
    suite.set("failures", str(failures))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def nagios(result: Result) -> str:
    """One line with performance data, as the monitoring plugins' guidelines want it."""
    whole = result.as_json()
    latency = whole["latency_seconds"] or {}
    data = [f"{name}={count}" for name, count in whole["outcomes"].items()]
    data += [f"latency_{name}={value:.3f}s" for name, value in latency.items()]
    summary = printable(result.summary).replace("|", "/")
    return f"CANARY {NAGIOS[result.verdict]} - {summary} | {' '.join(data)}"


def track(found: Track) -> None:
    """One canary's path with times."""
    out = console()
    owed, answer = found.owed, found.answer
    out.print(f"canary {owed.id} of probe {shown(owed.probe)}, lane {owed.lane} ({shown(owed.distinct_id)})")
    out.print(f"  {_at(owed.sent_at)}  sent")
    if answer is None:
        out.print("  (no answer was noted: the monitor stopped, or the post is still under way)")
    else:
        took = (answer.answered_at - answer.started_at).total_seconds()
        tries = f", {answer.tries} tries" if answer.tries > 1 else ""
        out.print(
            f"  {_at(answer.answered_at)}  {answer.receipt}: {shown(answer.detail)} ({took:.3f} s{tries})"
        )
    for seen in sorted(found.seen, key=lambda item: item.seen_at):
        where = "" if seen.offset is None else f" partition {seen.partition} offset {seen.offset}"
        after = (seen.seen_at - owed.sent_at).total_seconds()
        out.print(f"  {_at(seen.seen_at)}  seen at {shown(seen.stage)}{where} (+{after:.3f} s)")
        for difference in seen.differences:
            out.print(
                f"      corrupt: {shown(difference.field)} expected {shown(difference.expected)}, "
                f"found {shown(difference.found)}"
            )
        if seen.copies:
            out.print(f"      {seen.copies} more of it ({shown(', '.join(seen.copy_kinds))})")
        if seen.reason:
            out.print(f"      {shown(seen.reason)}")
    out.print(f"  deadline {_at(owed.deadline)}")
    if found.judged is None:
        out.print("  not judged yet")
        return
    judged = found.judged
    hop = f" between {judged.hop[0]} and {judged.hop[1]}" if judged.hop else ""
    final = "" if judged.final else " (not final)"
    out.print(f"  {_at(judged.judged_at)}  [bold]{judged.outcome}[/]{hop}{final}: {shown(judged.reason)}")
    if judged.flags:
        out.print(f"      {', '.join(sorted(judged.flags))}")
    if judged.amended_from is not None:
        out.print(f"      amended: it was {judged.amended_from}")


def _reading(stage: dict[str, Any]) -> str:
    """How a topic is read, and which of its partitions canaries reach."""
    if stage.get("reading") is None:
        return ""
    how = "" if stage["reading"] == "full" else f" {stage['reading'].replace('_', ' ')}"
    none = stage.get("partitions_unvisited") or ()
    without = f" (none in {', '.join(map(str, none[:FEW]))}{', ...' * (len(none) > FEW)})" if none else ""
    return f"{how}, canaries in {stage['partitions_visited']} of {stage['partitions']} partitions{without}"


def status_tables(known: dict[str, Any]) -> None:
    """The daemon's status for a person."""
    out = console()
    wrong = known["conditions"]
    out.print(f"{shown(known['instance'])} at {known['now']}, version {known['version']}")
    out.print("[green]nothing is wrong[/]" if not wrong else f"[bold red]{len(wrong)} wrong[/]")
    for item in wrong:
        out.print(f"  [red]{shown(item['title'])}[/]")
        for name, value in item["facts"]:
            for line in shown_lines(f"{name}: {value}", "  "):
                out.print(f"    {line}")
    for stage in known["stages"]:
        state = f"[magenta]blind: {shown(stage['blind'])}[/]" if stage["blind"] else "read"
        lag = (
            ""
            if stage["lag_messages"] is None
            else f", {counted(stage['lag_messages'], 'message')} behind it"
        )
        out.print(f"  {shown(stage['name'])}: {state}{_reading(stage)}{lag}")
    for probe in known["probes"]:
        out.print(
            f"  {shown(probe['name'])}: {probe['pending']} pending, {probe['overdue']} overdue, "
            f"{probe['unread']} unread"
        )
    for one in known.get("objectives", ()):
        out.print(f"  {shown(_objective(one))}")
    for one in known.get("real", ()):
        found = f"{one['verdict']}: {one['told'] or 'no real traffic'}"
        fresh = found if one["verdict"] else "no fresh window"
        blind = f" [magenta]cannot be asked: {shown(one['trouble'])}[/]" if one["trouble"] else ""
        out.print(f"  real traffic, {one['kind']} {shown(one['place'])}: {shown(fresh)}{blind}")
    for window in known["windows"][:5]:
        told = Counter({name: n for name, n in window["outcomes"].items() if n})
        words = ", ".join(f"{n} {name}" for name, n in told.items())
        out.print(f"  window {window['start']} {shown(window['probe'])}: {window['sent']} sent: {words}")


def _objective(one: dict[str, Any]) -> str:
    name = f"objective {one['name']} ({one['kind']} {one['target']:g} %)"
    if "left" not in one:
        return f"{name}: nothing was counted yet"
    left = f"{one['left_share']:.1%} of its budget left: {one['left']:g} of {one['budget']:g} {one['unit']}"
    outage = f"or {one['outage_left_seconds'] / 60:.0f} min of a total outage"
    return f"{name}: {left}, {outage}; burns {one['burn']['1h']:g} times in the last hour"


def _at(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
