"""`python -m bench.traffic ADDRESS TOPIC PARTITIONS RATE`: a busy topic, and canaries in it.

Writes with librdkafka until it is stopped. For each canary it says, before it is sent, its id, its partition
and the time (Unix seconds), one line each; and its id and the time once the broker has taken it.
"""

import json
import secrets
import sys
import time
from datetime import UTC, datetime
from functools import partial
from itertools import count
from uuid import UUID

from confluent_kafka import KafkaError, Message, Producer

from bench.figures import say
from canary.identity import Mint
from canary.lanes import Keying

SECRET = b"a secret of the bench, long enough"
PROBE = "bench"
TOKEN = "phc_bench"
CANARIES = 10
STEP = 0.005
AT_ONCE = 1000


def main() -> None:
    """Keep the rate in steps of ten milliseconds."""
    address, topic, partitions, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    settings: dict[str, str | int] = {
        "bootstrap.servers": address,
        "linger.ms": 20,
        "compression.type": "snappy",
        "acks": "all",
    }
    settings["queue.buffering.max.messages"] = 1_000_000
    producer = Producer({**settings, "partitioner": "murmur2_random"})
    mint, keying = Mint(SECRET, PROBE), Keying("{token}:{distinct_id}", "murmur2", TOKEN)
    values = [_event("$pageview", "user", "") for _ in range(1000)]
    producer.produce(topic, values[0], b"first")
    if producer.flush(60):
        sys.exit("nothing could be written within 60 s")
    began, sent = time.monotonic(), 0
    for canary in count():
        while (due := time.monotonic() - began) < canary / CANARIES:
            for number in range(sent, min(int(due * rate), sent + AT_ONCE)):
                producer.produce(
                    topic, values[number % len(values)], f"{TOKEN}:user-{number % 100_000}".encode()
                )
                sent = number + 1
            producer.poll(STEP)
        now = datetime.now(UTC)
        one, name = mint.mint(now), f"canary-bench--{canary % 640}"
        partition = keying.partition(name, partitions)
        say(f"{one} {partition} {now.timestamp()}")
        value = _event("ingestion_canary", name, str(one))
        producer.produce(topic, value, keying.key(name), on_delivery=partial(_taken, one))


def _taken(one: UUID, error: KafkaError | None, _: Message) -> None:
    if error is None:
        say(f"{one} {time.time()}")


def _event(event: str, distinct_id: str, id_: str) -> bytes:
    """As PostHog's ingress writes it, about 400 bytes."""
    inner = {
        "event": event,
        "timestamp": "2026-01-02T03:04:05Z",
        "properties": {"canary_id": id_, "$current_url": "https://example.com/" + secrets.token_urlsafe(150)},
    }
    return json.dumps({"uuid": id_, "distinct_id": distinct_id, "data": json.dumps(inner)}).encode()


if __name__ == "__main__":
    main()
