"""`python -m bench.targeted`: what each way of reading fetches of a busy topic, and costs; real Kafka.

64 partitions, 20,000 messages a second by librdkafka, 10 canaries a second. All canaries arrive (the table
shows each a second after its send), but one in 50, which only Kafka shows. Writes docs/reading.md.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from bench.figures import Figure, Setting, as_json, at_least, plain, setting, text, under
from bench.traffic import PROBE, SECRET
from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Settings
from canary.identity import Verifier
from canary.sandbox.broker import Apache
from canary.sandbox.doors import Doors
from canary.values import Marks, Resume, Wanted

DOCS = Path(__file__).parent.parent / "docs"
PARTITIONS = 64
RATE = 20_000
SEEK_AFTER = timedelta(seconds=5)
ARRIVES = timedelta(seconds=1)
MISSING = 50
SETTLE = 5.0


@dataclass(slots=True)
class Canaries:
    """What the traffic says it sends, and what was seen of it."""

    sent: dict[UUID, tuple[int, datetime, bool]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, process: "subprocess.Popen[str]") -> None:
        for number, line in enumerate(process.stdout or ()):
            one, partition, at = line.split()
            sent_at = datetime.fromtimestamp(float(at), UTC)
            with self.lock:
                self.sent[UUID(one)] = (int(partition), sent_at, number % MISSING == 0)

    def wanted(self, now: datetime, since: datetime, seen: set[UUID]) -> list[Wanted]:
        with self.lock:
            sent = list(self.sent.items())
        return [
            Wanted(one, at, "ingestion_canary", "", partition, not missing and now - at > ARRIVES)
            for one, (partition, at, missing) in sent
            if at >= since and one not in seen
        ]


def main() -> None:
    """Measure one way after the other on the same traffic."""
    parser = argparse.ArgumentParser(prog="python -m bench.targeted", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each way is measured")
    parser.add_argument("--dry", action="store_true", help="write no document")
    told = parser.parse_args()
    doors = Doors()
    with tempfile.TemporaryDirectory(prefix="canary-bench-") as folder:
        broker = Apache(Path(folder), doors)
        broker.start()
        try:
            found = _measured(broker.inside, told.seconds)
        finally:
            broker.stop()
            doors.stop()
    where = setting(
        f"A real Apache Kafka, the producer and the reader share the machine. {PARTITIONS} partitions, "
        f"{RATE:,} messages a second in snappy batches (linger 20 ms), 10 canaries a second; each way is "
        f"measured for {told.seconds:g} s. The reader looks every 500 ms, as the daemon does; CPU is its own "
        "process's, user and system."
    )
    sys.stdout.write(text(found) + f"\n\n{where.machine}\n{where.versions}\n")
    if not told.dry:
        (DOCS / "reading.md").write_text(_markdown(found, where))
        (DOCS / "reading.json").write_text(as_json(found, where))


def _measured(address: str, seconds: float) -> Sequence[Figure]:
    topic = "events_plugin_ingestion"
    admin = KafkaAdminClient(bootstrap_servers=address, proxy_url="direct://", bootstrap_timeout_ms=30_000)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    admin.close()
    arguments = [sys.executable, "-m", "bench.traffic", address, topic, str(PARTITIONS), str(RATE)]
    traffic = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    canaries = Canaries()
    threading.Thread(target=canaries.listen, args=(traffic,), daemon=True).start()
    try:
        while not canaries.sent and traffic.poll() is None:
            time.sleep(0.1)
        return [
            figure
            for reading in ("full", "targeted", "on_demand")
            for figure in _one(address, topic, reading, canaries, seconds)
        ]
    finally:
        traffic.kill()
        traffic.wait()


def _one(address: str, topic: str, reading: str, canaries: Canaries, seconds: float) -> Sequence[Figure]:
    """Read in one way for so long, after a few seconds to learn how records' times lie."""
    line = Line(SystemClock())
    verifier = Verifier(SECRET, [PROBE])
    settings = Settings(
        "raw", (address,), topic, wait=timedelta(milliseconds=750), every=timedelta(milliseconds=500)
    )
    stage = KafkaStage(
        replace(settings, reading=reading, seek_after=SEEK_AFTER),  # type: ignore[arg-type]
        marks=Marks(verifier.recognises, "ingestion_canary", "canary-"),
        now=line.now,
        resume=Resume(),
    )
    consumer = KafkaConsumer(bootstrap_servers=address, proxy_url="direct://")
    try:
        stage.look(())
        since, seen = line.now(), set[UUID]()
        _read(stage, canaries, line, since, seen, SETTLE)
        before, used, began = _end(consumer, topic), time.process_time(), time.monotonic()
        marked = line.now()
        counts = _read(stage, canaries, line, since, seen, seconds)
        cpu = (time.process_time() - used) / (time.monotonic() - began) * 100
        grown = _end(consumer, topic) - before
        until = line.now() - timedelta(seconds=1)
        due = _due(canaries, reading, marked - SEEK_AFTER, until)
    finally:
        stage.close()
        consumer.close()
    followed = len(due & seen) / max(len(due), 1) * 100
    share = counts["records_read"] / grown * 100
    name = reading.replace("_", " ")
    note = f"{counts['records_read']:,} of {grown:,} messages, {counts['bytes_read'] / 1e6:.1f} MB"
    if reading == "full":
        fetched = plain(f"{name}: share of the topic fetched", share, unit="%", note=note)
    else:
        fetched = under(f"{name}: share of the topic fetched", share, aim=2, unit="%", note=note)
    return [
        fetched,
        at_least(
            f"{name}: canaries seen",
            followed,
            aim=100,
            unit="%",
            note=f"of {len(due)} that had to be looked for",
        ),
        plain(f"{name}: CPU of the reader", cpu, unit="% of a core"),
    ]


def _due(canaries: Canaries, reading: str, since: datetime, until: datetime) -> set[UUID]:
    """The canaries that had to be seen by then."""
    if reading == "on_demand":
        until -= SEEK_AFTER
    else:
        since += SEEK_AFTER
    with canaries.lock:
        sent = list(canaries.sent.items())
    return {
        one for one, (_, at, missing) in sent if since <= at < until and (missing or reading != "on_demand")
    }


def _read(
    stage: KafkaStage, canaries: Canaries, line: Line, since: datetime, seen: set[UUID], seconds: float
) -> Counter[str]:
    counts: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        look = stage.look(canaries.wanted(line.now(), since, seen))
        if look.blind:
            sys.stderr.write(f"blind: {look.blind}\n")
        counts.update(look.counts)
        seen.update(item.id for item in look.sightings)
    return counts


def _end(consumer: KafkaConsumer, topic: str) -> int:
    ends = consumer.end_offsets([TopicPartition(topic, n) for n in range(PARTITIONS)])
    return int(sum(ends.values()))


def _markdown(figures: Sequence[Figure], where: Setting) -> str:
    rows = ["| what | aim | figure | |", "|---|---|---|---|"]
    for one in figures:
        mark = {True: "met", False: "missed", None: ""}[one.met]
        rows.append(
            f"| {one.what}{f' ({one.note})' if one.note else ''} | {one.aim} | {one.figure} | {mark} |"
        )
    return (
        "# What reading a busy topic costs\n\nMade by `make bench-reading`.\n\n"
        + "\n".join(rows)
        + f"\n\nMachine: {where.machine}.\n\nVersions: {where.versions}.\n\n{where.how}\n"
    )


if __name__ == "__main__":
    main()
