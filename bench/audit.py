"""`python -m bench.audit`: a large topic with planted faults on a real Kafka, audited and read back.

The audit is held against reading the whole topic back with kafka-python and with librdkafka and comparing
ids, in one run on one machine; and it must name every planted fault, and nothing else. With `--growth` the
same window is audited while the table grows with rows of earlier days.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import figures
from bench.audit_readers import READERS, Read, Reader
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


@dataclass(frozen=True, slots=True)
class Took:
    """One way to look for what is missing."""

    what: str
    seconds: float
    read: Read


def main() -> None:
    """Fill, audit, read back, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--events", type=int, default=WHOLE)
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--without-readers", action="store_true", help="only the audit")
    parser.add_argument("--growth", action="store_true", help="a window's cost as the table grows, instead")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows, for --growth")
    told = parser.parse_args()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        figures.say(line)

    with running() as (broker, front, folder):
        plan = Plan(
            "audited", GROWTH_EVENTS if told.growth else told.events, told.partitions, plain=told.growth
        )
        config = filled(broker, front, folder, plan, say)
        if told.growth:
            wrong = growth(front, config, plan, told.sizes, say)
        else:
            readers = {} if told.without_readers else READERS
            wrong = compared(front, broker, config, plan, readers, say)
    say("WRONG: " + "; ".join(wrong) if wrong else "every planted fault was named, and nothing else")
    if told.growth or (told.events >= WHOLE and not told.without_readers):
        write("bench-audit-growth.md" if told.growth else "bench-audit.md", lines)
    sys.exit(1 if wrong else 0)


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


def compared(
    front: ClickHouseFront,
    broker: Apache,
    config: Path,
    plan: Plan,
    readers: dict[str, Reader],
    say: Say,
) -> list[str]:
    """The audit beside reading everything back; what it should have said and did not."""
    report = audited(config, plan.span)
    say(f"{report['appended']:,} offsets; planted besides: {LETTERS} dead letters, {COMPACTED} compacted")
    cost = report["cost"]
    found = Read(cost["messages_fetched"], cost["rows_read"], report["counts"]["lost"])
    audit = Took("canary audit", cost["seconds"], found)
    _tell(audit, audit, report, say)
    say(f"  the audit asked {cost['queries']} queries, {cost['bytes_read'] / 1e6:.1f} MB")
    for what, reader in readers.items():
        _tell(_read(what, reader(front, broker.inside, plan)), audit, report, say)
    return list(_wrong(report, plan))


def growth(front: ClickHouseFront, config: Path, plan: Plan, sizes: Sequence[int], say: Say) -> list[str]:
    """What a sound window costs and what one with losses costs, by rows in the table."""
    wrong = []
    fill_past(front, plan, plan.events)
    for aim in sizes:
        size = grow(front, aim)
        for what, span, lost in (
            ("a sound window", plan.minutes(40, 45), 0),
            ("a window with losses", plan.minutes(22, 36), 1 + BLOCK_LOST),
        ):
            report = audited(config, span)
            cost, counts = report["cost"], report["counts"]
            say(
                f"{size:,} rows, {what} of {report['appended']:,} events: {cost['seconds']:.2f} s,"
                f" {cost['queries']} queries, {cost['rows_read']:,} rows, {cost['bytes_read'] / 1e6:.1f} MB"
                f" read, {cost['messages_fetched']:,} messages fetched, {counts['lost']:,} lost"
            )
            if counts["lost"] != lost:
                wrong.append(f"{size:,} rows, {what}: lost are {counts['lost']}, planted were {lost}")
    return wrong


def audited(config: Path, span: tuple[datetime, datetime]) -> dict[str, Any]:
    """The command itself, in a process of its own."""
    since, until = span
    command = [sys.executable, "-m", "canary", "audit", "--config", str(config), "--output", "json"]
    done = subprocess.run(
        [*command, "--from", since.isoformat(), "--to", until.isoformat()],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)
    if not told["audits"]:
        sys.exit(f"the audit could not be made: {told['summary']}")
    return dict(told["audits"][0])


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


def _read(what: str, parts: Iterator[Read]) -> Took:
    started = time.monotonic()
    whole = sum(parts, Read())
    return Took(what, time.monotonic() - started, whole)


def _tell(row: Took, audit: Took, report: dict[str, Any], say: Say) -> None:
    faster = "" if row is audit else f"; the audit is {row.seconds / audit.seconds:.0f} times faster"
    say(
        f"  {row.what}: {row.seconds:.2f} s, {row.read.messages:,} messages fetched"
        f" ({100 * row.read.messages / report['appended']:.3f} %), {row.read.rows:,} rows read,"
        f" {row.read.missing:,} missing{faster}"
    )


def write(name: str, lines: Sequence[str]) -> None:
    """The page of a run."""
    text = "\n".join(lines)
    (DOCS / name).write_text(f"# {TITLES[name]}\n\n```\n{text}\n```\n\n{figures.setting('').told}")


TITLES = {
    "bench-audit.md": "The audit against reading everything back\n\nMade by `make bench-audit`.",
    "bench-audit-growth.md": (
        "What a window's audit costs as the table grows\n\nMade by `make bench-audit-growth`."
    ),
}


if __name__ == "__main__":
    main()
