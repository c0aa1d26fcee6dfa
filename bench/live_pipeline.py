"""A sandbox that never rests: real events, merges, and consumers that begin again from earlier."""

import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place

from canary.sandbox.clickhouse_engine import EngineError
from canary.sandbox.faults import Fault
from canary.sandbox.kafka_clients import PROCESSED
from canary.sandbox.meddle import Plan, Truth
from canary.sandbox.movers import Mover, Pace
from canary.sandbox.sinks import TableRows
from canary.sandbox.state import TOKEN
from canary.sandbox.supervisor import Sandbox

TABLES = ("events", "events_recent")
GROUPS = {"events": "group1", "events_recent": "group1_recent"}
PARTITIONS = 4
PUT_BACK = 200
"""So many offsets of each partition are read again."""

AGAIN = 10
"""Every so many batches one is sent a second time."""

OPTIMIZE_EVERY = 7.0
STOPPED = timedelta(seconds=25)
REPLAYING = 12.0
SECOND_TABLE = """
[[stages]]
name = "events_recent"
kind = "clickhouse"
url = "http://127.0.0.1:{port}"
user = "canary"
password_file = "ch-password"
database = "posthog"
table = "events_recent"
match = "uuid"
consumer_group = "group1_recent"

[audit]"""


class Pipeline:
    """The sandbox with what acts on it; `done` counts that, `trouble` what went wrong in between."""

    def __init__(self, folder: Path, *, broker: str, rate: int) -> None:
        self.dir, self.config_path = folder, folder / "unresting.toml"
        self.done: Counter[str] = Counter()
        self.trouble: Counter[str] = Counter()
        self._rate = rate
        self._sandbox = Sandbox(folder, broker=broker, partitions=PARTITIONS, merges=True)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(every, work), name=name, daemon=True)
            for name, every, work in (
                ("traffic", 1.0, self._send),
                ("merges", OPTIMIZE_EVERY, self.optimize),
            )
        ]
        self._batches: list[bytes] = []

    def __enter__(self) -> Self:
        self._sandbox.start(control_port=lambda: 0)
        port = self._sandbox.parts.door["events"].port
        text = (self.dir / "canary.toml").read_text()
        self.config_path.write_text(text.replace("\n[audit]", SECOND_TABLE.format(port=port)))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._sandbox.stop()

    def optimize(self) -> None:
        """Past the lock that writers take: rows go on coming meanwhile."""
        for table in TABLES:
            self._sandbox.parts.clickhouse.query(f"OPTIMIZE TABLE posthog.{table} FINAL")
        self.done["optimized"] += 1

    def drop(self, count: int) -> None:
        """Take as many rows from each table on their way, once no replay can have stored them before."""
        self._stop.wait(2 * STOPPED.total_seconds())
        for table in TABLES:
            self._sandbox.parts.plan.add(Fault("drop", at=table, count=count))

    def replay(self, table: str) -> None:
        """Stop a table's consumer for a while, put its group back, and let another one read from there."""
        parts = self._sandbox.parts
        parts.plan.add(Fault("stop", at=table, lasts=STOPPED))
        self._stop.wait(2)
        self.done["replayed"] += self._put_back(GROUPS[table])
        mover = Mover(
            TableRows(
                parts.clickhouse,
                Plan(Truth(self.dir / "replays.jsonl")),
                table=table,
                with_partition=table == "events_recent",
            ),
            Plan(Truth(self.dir / "replays.jsonl")),
            bootstrap=parts.broker.inside,
            topic=PROCESSED,
            group=GROUPS[table],
            partitions=PARTITIONS,
            pace=Pace(fetch_ms=200),
        )
        mover.start()
        self._stop.wait(REPLAYING)
        mover.stop()
        self.done["replays"] += 1

    def _put_back(self, group: str) -> int:
        consumer = Consumer({"bootstrap.servers": self._sandbox.parts.broker.inside, "group.id": group})
        try:
            at = consumer.committed([Place(PROCESSED, p) for p in range(PARTITIONS)], 30)
            back = [Place(PROCESSED, one.partition, max(one.offset - PUT_BACK, 0)) for one in at]
            consumer.commit(offsets=back, asynchronous=False)
        finally:
            consumer.close()
        return sum(max(one.offset, 0) - to.offset for one, to in zip(at, back, strict=True))

    def _send(self) -> None:
        self._post(self._batch())
        self.done["events"] += self._rate
        if len(self._batches) >= AGAIN:
            self._post(self._batches[0])
            self.done["again"] += self._rate
            self._batches.clear()

    def _batch(self) -> bytes:
        now = datetime.now(UTC).isoformat()
        ids = [str(uuid.uuid4()) for _ in range(self._rate)]
        events = [
            {"event": "real", "uuid": one, "distinct_id": one[:2], "timestamp": now, "properties": {}}
            for one in ids
        ]
        self._batches.append(json.dumps({"api_key": TOKEN, "batch": events}).encode())
        return self._batches[-1]

    def _post(self, body: bytes) -> None:
        url = f"http://127.0.0.1:{self._sandbox.parts.door['ingress'].port}/batch/"
        request = Request(url, body, {"Content-Type": "application/json"})
        with build_opener(ProxyHandler({})).open(request, timeout=20) as answer:
            answer.read()

    def _repeat(self, every: float, work: Callable[[], None]) -> None:
        while not self._stop.wait(every):
            try:
                work()
            except (URLError, OSError, EngineError) as error:
                self.trouble[f"{type(error).__name__}: {error}"[:200]] += 1
