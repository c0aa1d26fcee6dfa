"""`python -m bench.audit`: a large topic with planted faults on a real Kafka, audited and read back.

The audit is held against reading the whole topic back with kafka-python and with librdkafka and comparing
ids, in one run on one machine; and it must name every planted fault, and nothing else.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.audit_readers import by_kafka_python, by_librdkafka
from bench.audit_topic import COMPACTED, DUPLICATES, GROUP, LETTERS, PASSWORD, Plan, fill_table, fill_topic
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
"""


@dataclass(frozen=True, slots=True)
class Took:
    """One way to look for what is missing."""

    what: str
    seconds: float
    messages: int
    rows: int
    missing: int


def main() -> None:
    """Fill, audit, read back, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--extra-rows", type=int, default=0, help="older rows that the table holds besides")
    parser.add_argument("--without-readers", action="store_true", help="only the audit")
    told = parser.parse_args()
    with _running() as (broker, front, folder):
        plan = Plan(topic="audited", events=told.events, partitions=told.partitions)
        _timed("filling the topic", lambda: fill_topic(broker.inside, plan))
        _timed("filling the table", lambda: fill_table(front, plan, extra=told.extra_rows))
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
        report = _audit(config, plan)
        wrong = list(_wrong(report, plan))
        rows = [_took(report)]
        if not told.without_readers:
            rows += [_read(front, broker.inside, plan, read) for read in (by_kafka_python, by_librdkafka)]
        _print(rows, report)
    if wrong:
        _say("WRONG: " + "; ".join(wrong))
        sys.exit(1)
    _say("every planted fault was named, and nothing else")


@contextmanager
def _running() -> Iterator[tuple[Apache, ClickHouseFront, Path]]:
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


def _audit(config: Path, plan: Plan) -> dict[str, Any]:
    """The command itself, in a process of its own."""
    since, until = plan.span
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


def _took(report: dict[str, Any]) -> Took:
    cost = report["cost"]
    lost = report["counts"]["lost"]
    return Took("canary audit", cost["seconds"], cost["messages_fetched"], cost["rows_read"], lost)


def _read(
    front: ClickHouseFront, bootstrap: str, plan: Plan, read: Callable[[ClickHouseFront, str, Plan], Any]
) -> Took:
    started = time.monotonic()
    name, messages, rows, missing = read(front, bootstrap, plan)
    return Took(name, time.monotonic() - started, messages, rows, missing)


def _print(rows: list[Took], report: dict[str, Any]) -> None:
    _say(f"{report['appended']:,} offsets; planted besides: {LETTERS} dead letters, {COMPACTED} compacted")
    audit = rows[0]
    for row in rows:
        faster = "" if row is audit else f"; the audit is {row.seconds / audit.seconds:.0f} times faster"
        _say(
            f"  {row.what}: {row.seconds:.2f} s, {row.messages:,} messages fetched"
            f" ({100 * row.messages / report['appended']:.3f} %), {row.rows:,} rows read,"
            f" {row.missing:,} missing{faster}"
        )
    _say(
        f"  the audit asked {report['cost']['queries']} queries, {report['cost']['bytes_read'] / 1e6:.1f} MB"
    )


def _timed(what: str, work: Callable[[], None]) -> None:
    started = time.monotonic()
    work()
    _say(f"{what}: {time.monotonic() - started:.1f} s")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
