"""`python -m bench.targeted`: what each way of reading fetches of a busy topic, and costs; real Kafka.

64 partitions, 20,000 messages a second by librdkafka, 10 canaries a second. All canaries arrive (the table
shows each a second after Kafka took it), but one in 50, which only Kafka shows. Writes docs/reading.md.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from bench.figures import Figure, Setting, as_json, at_least, plain, setting, text, under
from bench.traffic import PROBE, SECRET
from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Settings
from canary.edges.kafka.stage import ClientName
from canary.edges.kafka.trust import Reading
from canary.identity import Verifier
from canary.sandbox.broker import Apache
from canary.sandbox.doors import Doors
from canary.values import Marks, Resume, Wanted

DOCS = Path(__file__).parent.parent / "docs"
PARTITIONS = 64
RATE = 20_000
SEEK_AFTER: Mapping[Reading, timedelta] = {
    "full": timedelta(seconds=30),
    "targeted": timedelta(seconds=30),  # as the monitor's default
    "on_demand": timedelta(seconds=5),  # shorter than that, or nothing would be looked for in so short a run
}
ARRIVES = timedelta(seconds=1)
MISSING = 50
SETTLE = 5.0
"""Seconds in which a way learns how records' times lie, before it is measured,"""

AFTER = 3.0
"""and in which it may still show who was sent until the end of that."""

WAYS: Sequence[tuple[str, Reading, ClientName]] = (
    ("full", "full", "kafka-python"),
    ("full by librdkafka", "full", "librdkafka"),
    ("targeted", "targeted", "kafka-python"),
    ("on demand", "on_demand", "kafka-python"),
)


@dataclass(slots=True)
class Canary:
    """Where it goes, when it was sent and when Kafka took it, and whether the table never shows it."""

    partition: int
    sent_at: datetime
    missing: bool
    taken_at: datetime | None = None

    def arrived(self, now: datetime) -> bool:
        return not self.missing and self.taken_at is not None and now - self.taken_at > ARRIVES


@dataclass(slots=True)
class Canaries:
    """What the traffic says it sends, and what was seen of it."""

    sent: dict[UUID, "Canary"] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, process: "subprocess.Popen[str]") -> None:
        for line in process.stdout or ():
            one, *partition, at = line.split()
            moment = datetime.fromtimestamp(float(at), UTC)
            with self.lock:
                if partition:
                    missing = len(self.sent) % MISSING == 0
                    self.sent[UUID(one)] = Canary(int(partition[0]), moment, missing)
                else:
                    self.sent[UUID(one)].taken_at = moment

    def all(self) -> list[tuple[UUID, "Canary"]]:
        with self.lock:
            return list(self.sent.items())

    def wanted(self, now: datetime, since: datetime, seen: Container[UUID]) -> list[Wanted]:
        return [
            Wanted(id_, one.sent_at, "ingestion_canary", "", one.partition, one.arrived(now))
            for id_, one in self.all()
            if one.sent_at >= since and id_ not in seen
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
        f"{RATE:,} messages a second in snappy batches (linger 20 ms), 10 canaries "
        f"a second; each way is measured for {told.seconds:g} s. The reader looks every 500 ms, as the "
        "daemon does; CPU is its own process's, user and system."
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
        return [figure for way in WAYS for figure in _one(address, topic, way, canaries, seconds)]
    finally:
        traffic.kill()
        traffic.wait()


def _one(
    address: str, topic: str, way: tuple[str, Reading, ClientName], canaries: Canaries, seconds: float
) -> Sequence[Figure]:
    """Read in one way for so long, after a few seconds to learn how records' times lie."""
    name, reading, client = way
    line = Line(SystemClock())
    verifier = Verifier(SECRET, [PROBE])
    stage = KafkaStage(
        Settings(
            "raw",
            (address,),
            topic,
            wait=timedelta(milliseconds=750),
            every=timedelta(milliseconds=500),
            reading=reading,
            client=client,
            seek_after=SEEK_AFTER[reading],
        ),
        marks=Marks(verifier.recognises, "ingestion_canary", "canary-"),
        now=line.now,
        resume=Resume(),
    )
    consumer = KafkaConsumer(bootstrap_servers=address, proxy_url="direct://")
    try:
        stage.look(())
        since, seen = line.now(), dict[UUID, datetime]()
        _read(stage, canaries, line, since, seen, SETTLE)
        before, used, began = _end(consumer, topic), time.process_time(), time.monotonic()
        marked = line.now()
        counts = _read(stage, canaries, line, since, seen, seconds)
        cpu = (time.process_time() - used) / (time.monotonic() - began) * 100
        grown = _end(consumer, topic) - before
        due = _due(canaries, reading, marked, line.now())
        _read(stage, canaries, line, since, seen, AFTER)
    finally:
        stage.close()
        consumer.close()
    share = counts["records_read"] / grown * 100
    note = f"{counts['records_read']:,} of {grown:,} messages, {counts['bytes_read'] / 1e6:.1f} MB"
    what, unit = f"{name}: share of the topic fetched", "%"
    fetched = (
        plain(what, share, unit=unit, note=note)
        if reading == "full"
        else under(what, share, aim=2, unit=unit, note=note)
    )
    told = dict(canaries.all())
    waits = [(one.taken_at - one.sent_at).total_seconds() for i in due if (one := told[i]).taken_at]
    followed = [(seen[one] - at).total_seconds() for one, at in due.items() if one in seen]
    return [
        fetched,
        at_least(
            f"{name}: canaries seen",
            len(followed) / max(len(due), 1) * 100,
            aim=100,
            unit="%",
            note=f"of {len(due)} that had to be looked for",
        ),
        plain(f"{name}: seen after its send, median", statistics.median(followed or [0.0]), unit="s"),
        plain(f"{name}: taken by Kafka after its send, median", statistics.median(waits or [0.0]), unit="s"),
        plain(f"{name}: CPU of the reader", cpu, unit="% of a core"),
    ]


def _due(canaries: Canaries, reading: Reading, since: datetime, until: datetime) -> dict[UUID, datetime]:
    """The canaries that had to be seen, and when they were sent: on demand, those that turned late then."""
    if reading == "on_demand":
        since, until = since - SEEK_AFTER[reading], until - SEEK_AFTER[reading]
    return {
        id_: one.sent_at
        for id_, one in canaries.all()
        if since <= one.sent_at < until and (one.missing or reading != "on_demand")
    }


def _read(
    stage: KafkaStage,
    canaries: Canaries,
    line: Line,
    since: datetime,
    seen: dict[UUID, datetime],
    seconds: float,
) -> Counter[str]:
    counts: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        look = stage.look(canaries.wanted(line.now(), since, seen))
        if look.blind:
            sys.stderr.write(f"blind: {look.blind}\n")
        for note in look.notes:
            sys.stderr.write(f"{note}\n")
        counts.update(look.counts)
        seen.update((item.id, item.seen_at) for item in look.sightings if item.id not in seen)
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
