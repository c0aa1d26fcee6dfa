"""`python -m bench.audit`: a large topic with planted faults on a real Kafka, audited and read back.

The audit is held against reading the whole topic back with kafka-python and with librdkafka and comparing
ids, in one run on one machine; and it must name every planted fault, and nothing else. With `--growth` the
same window is audited while the table grows with rows of earlier days.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import audit_page, figures
from bench.audit_page import Audited, Took
from bench.audit_readers import READERS, TROUBLE, Read, Reader
from bench.audit_table import PASSWORD, fill_past, fill_table, grow
from bench.audit_topic import (
    BLOCK_LOST,
    COMPACTED,
    DUPLICATES,
    GROUP,
    LETTERS,
    Plan,
    fill_topic,
)
from canary.sandbox.broker import Apache
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.doors import Doors
from canary.sandbox.gate import Gate

CONFIG = """
[canary]
secret = "0123456789abcdef-bench"
[[probes]]
name = "bench"
url = "http://127.0.0.1:9"
token = "phc_bench"
[[stages]]
name = "topic"
kind = "kafka"
bootstrap = "{bootstrap}"
topic = "{topic}"
dead_letters = ["{letters}"]
[[stages]]
name = "table"
kind = "clickhouse"
url = "{url}"
user = "canary"
password = "{password}"
database = "posthog"
table = "events_recent"
consumer_group = "{group}"
[audit]
max_seconds = "10m"
max_execution_time = "2m"
max_bytes_to_read = 100000000000
"""
DOCS = Path(__file__).parent.parent / "docs"
WHOLE = 10_000_000
"""A run with so many events writes its page."""

GROWTH_EVENTS = 1_000_000
"""Of one hour, and of one day in the past."""

SIZES = (2_000_000, 10_000_000, 50_000_000)
Say = Callable[[str], None]


def main() -> None:
    """Fill, audit, read back, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--events", type=int, default=WHOLE)
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--times", type=int, default=3, help="audits; the median is compared")
    parser.add_argument("--without-readers", action="store_true", help="only the audit")
    parser.add_argument("--page", type=Path, help=f"where to write it; by itself with {WHOLE:,} events")
    parser.add_argument("--growth", action="store_true", help="a window's cost as the table grows, instead")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows, for --growth")
    told = parser.parse_args()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        figures.say(line)

    events = GROWTH_EVENTS if told.growth else told.events
    with running() as (broker, front, folder):
        plan = Plan("audited", events, told.partitions, plain=told.growth)
        config = filled(broker, front, folder, plan, say)
        if told.growth:
            wrong = growth(front, config, plan, told.sizes, say)
            whole, page = tuple(told.sizes) == SIZES, DOCS / "bench-audit-growth.md"
            say(verdict(wrong))
            text = _growth_page(lines)
        else:
            readers = {} if told.without_readers else READERS
            whole, page = told.events >= WHOLE and bool(readers), DOCS / "bench-audit.md"
            audits, wrong = audited_often(config, plan, told.times, say)
            took = [row for what in readers if (row := _read(what, front, broker, plan, wrong, say))]
            say(verdict(wrong))
            figures.say(audit_page.printed(audits, took))
            text = audit_page.page(lines, audits, took, verdict(wrong))
        if told.page is not None or whole:
            (told.page or page).write_text(text)
    sys.exit(1 if wrong else 0)


def verdict(wrong: Sequence[str]) -> str:
    """Whether the audit said what it should have said."""
    return "WRONG: " + "; ".join(wrong) if wrong else "every planted fault was named, and nothing else"


@contextmanager
def running() -> Iterator[tuple[Apache, ClickHouseFront, Path]]:
    """A broker and a table, and a folder for both."""
    doors = Doors()
    with tempfile.TemporaryDirectory(prefix="canary-bench-") as name:
        folder = Path(name)
        broker = Apache(folder / "broker", doors)
        front = ClickHouseFront(gate=Gate(), user="canary", password=PASSWORD, path=folder / "clickhouse")
        (folder / "broker").mkdir()
        try:
            broker.start()
            front.start()
            yield broker, front, folder
        finally:
            front.stop()
            broker.stop()
            doors.stop()


def filled(broker: Apache, front: ClickHouseFront, folder: Path, plan: Plan, say: Say) -> Path:
    """The topic and the table made; the configuration of the audit."""
    _timed("topic", lambda: fill_topic(broker.inside, plan), plan, say)
    _timed("table", lambda: fill_table(front, plan), plan, say)
    config = folder / "canary.toml"
    config.write_text(
        CONFIG.format(
            bootstrap=broker.outside,
            topic=plan.topic,
            letters=plan.letters,
            url=front.url,
            password=PASSWORD,
            group=GROUP,
        )
    )
    return config


def _timed(what: str, fill: Callable[[], None], plan: Plan, say: Say) -> None:
    started = time.monotonic()
    fill()
    say(f"filling the {what} with {plan.events:,} events: {time.monotonic() - started:.1f} s")


def audited_often(config: Path, plan: Plan, times: int, say: Say) -> tuple[list[Audited], list[str]]:
    """The same audit several times; and what any of them should have said and did not."""
    audits: list[Audited] = []
    wrong: list[str] = []
    for _ in range(max(times, 1)):
        one = audited(config, plan.span)
        say(one.line)
        audits.append(one)
        wrong += [fault for fault in _wrong(one.report, plan) if fault not in wrong]
    appended = audits[0].report["appended"]
    say(f"{appended:,} offsets; planted besides: {LETTERS} dead letters, {COMPACTED} compacted")
    return audits, wrong


def growth(front: ClickHouseFront, config: Path, plan: Plan, sizes: Sequence[int], say: Say) -> list[str]:
    """What a sound window costs, one with explained gaps, and one with losses, by rows in the table."""
    wrong = []
    fill_past(front, plan, plan.events)
    for aim in sizes:
        size = grow(front, aim)
        for what, span, lost in (
            ("a sound window", plan.minutes(40, 45), 0),
            ("a window with duplicates", plan.minutes(10, 15), 0),
            ("a window with losses", plan.minutes(22, 36), 1 + BLOCK_LOST),
        ):
            report = audited(config, span).report
            cost, counts = report["cost"], report["counts"]
            say(
                f"{size:,} rows, {what} of {report['appended']:,} events: {cost['seconds']:.2f} s,"
                f" {cost['queries']} queries, {cost['rows_read']:,} rows, {cost['bytes_read'] / 1e6:.1f} MB"
                f" read, {cost['messages_fetched']:,} messages fetched, {counts['lost']:,} lost"
            )
            if counts["lost"] != lost:
                wrong.append(f"{size:,} rows, {what}: lost are {counts['lost']}, planted were {lost}")
    return wrong


def audited(config: Path, span: tuple[datetime, datetime]) -> Audited:
    """The command itself, in a process of its own; the server is in this one."""
    since, until = span
    command = [sys.executable, "-m", "canary", "audit", "--config", str(config), "--output", "json"]
    started, server, children = time.monotonic(), time.process_time(), _children()
    done = subprocess.run(
        [*command, "--from", since.isoformat(), "--to", until.isoformat()],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    told = json.loads(done.stdout or '{"audits": [], "summary": "it said nothing"}')
    if not told["audits"]:
        sys.exit(f"the audit could not be made: {told['summary']}")
    cpu = _children() - children
    return Audited(dict(told["audits"][0]), seconds, cpu, time.process_time() - server)


def _children() -> float:
    """CPU seconds of all that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wrong(report: dict[str, Any], plan: Plan) -> Iterator[str]:
    """What the audit should have said and did not, or said and should not have."""
    expected = plan.expected()
    found = {name: number for name, number in report["counts"].items() if number}
    if found != expected:
        yield f"counts are {found}, planted were {expected}"
    if sorted(report["lost"]["replay"]) != sorted(map(str, plan.lost)):
        yield f"lost are {report['lost']['replay']}, planted were {[*map(str, plan.lost)]}"
    twice = {name: report["twice"][name] for name in ("mergeable", "permanent", "strangers")}
    if twice != {"mergeable": DUPLICATES, "permanent": DUPLICATES, "strangers": 0}:
        yield f"rows twice are {twice}, planted were {DUPLICATES} of each kind"
    if any(report["strays"].values()):
        yield f"stray rows are {report['strays']}, planted were none"


def _read(
    what: str, front: ClickHouseFront, broker: Apache, plan: Plan, wrong: list[str], say: Say
) -> Took | None:
    """Everything read back in one way, told partition by partition; None where it stands still."""
    reader: Reader = READERS[what]
    started, cpu = time.monotonic(), time.process_time()
    whole = Read()
    try:
        for part in reader(front, broker.inside, plan):
            whole += part
            figures.say(f"  {what}: {whole.messages:,} messages, {time.monotonic() - started:.1f} s")
    except TROUBLE as error:
        wrong.append(f"{what}: {error}")
        return None
    row = Took(what, time.monotonic() - started, time.process_time() - cpu, whole)
    say(
        f"{what}: {row.seconds:.2f} s, {row.cpu:.1f} s of CPU, {whole.messages:,} messages,"
        f" {whole.rows:,} rows read, {whole.missing:,} missing"
    )
    return row


def _growth_page(lines: Sequence[str]) -> str:
    title = "# What a window's audit costs as the table grows\n\nMade by `make bench-audit-growth`."
    text = "\n".join(lines)
    return f"{title}\n\n```\n{text}\n```\n\n{figures.setting('').told}"


if __name__ == "__main__":
    main()
