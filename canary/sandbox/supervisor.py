"""Puts a sandbox together and takes it apart again; the only file that names every part."""

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from canary.sandbox.broker import Broker, choose
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.direct import DirectProducer
from canary.sandbox.doors import Door, Doors
from canary.sandbox.gate import Gate
from canary.sandbox.ingress import Ingress
from canary.sandbox.kafka_clients import (
    DEAD_LETTERS,
    PROCESSED,
    RAW,
    IdempotentProducer,
    Producer,
    make_topics,
)
from canary.sandbox.meddle import Plan, Truth
from canary.sandbox.movers import Mover, Pace
from canary.sandbox.sinks import ProcessedTopic, TableRows
from canary.sandbox.slack import SlackStandIn
from canary.sandbox.state import SLACK_CHANNEL, Addresses, Secrets, write_state

_LOG = logging.getLogger(__name__)
_INGRESS_EXPIRY = timedelta(seconds=20)
_MOVER_EXPIRY = timedelta(hours=1)
_AWAY = timedelta(seconds=1)
_READY_WITHIN = 20.0
_DENIED_CLICKHOUSE = (
    b"Code: 516. DB::Exception: canary: Authentication failed: password is incorrect, or there is no user "
    b"with such name. (AUTHENTICATION_FAILED)\n"
)


def _forbidden(body: bytes, *headers: str) -> bytes:
    head = ["HTTP/1.1 403 Forbidden", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*head, "", ""]).encode() + body


def _blink(gate: Gate) -> None:
    gate.set("down")
    time.sleep(_AWAY.total_seconds())
    gate.set("open")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that runs, for those who act on it."""

    broker: Broker
    clickhouse: ClickHouseFront
    ingress: Ingress
    slack: SlackStandIn
    gates: dict[str, Gate]
    restart: dict[str, Callable[[], None]]
    doors: Doors
    door: dict[str, Door]
    plan: Plan


class Sandbox:
    """A whole pipeline in this process (and one broker beside it); `start` returns when all of it answers."""

    def __init__(
        self, folder: Path, *, broker: str = "tansu", partitions: int | None = None, merges: bool = False
    ) -> None:
        self.folder = folder
        self._broker, self._partitions, self._merges = broker, partitions, merges
        self._stack = ExitStack()
        self._parts: Parts | None = None

    @property
    def parts(self) -> Parts:
        assert self._parts is not None, "the sandbox must be started first. This is a bug."
        return self._parts

    def start(self, *, control_port: Callable[[], int]) -> None:
        """Start every part and write the state; what was started is stopped again when a part cannot."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "faults.jsonl").write_text("")
        try:
            self._start(control_port)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part, last started first."""
        self._stack.close()

    def _start(self, control_port: Callable[[], int]) -> None:
        doors = Doors()
        self._stack.callback(doors.stop)
        keys = Secrets(
            canary=secrets.token_urlsafe(32),
            clickhouse=secrets.token_urlsafe(16),
            slack=f"xoxb-{secrets.token_hex(12)}",
        )
        broker = choose(self._broker, self.folder, doors, partitions=self._partitions)
        self._stack.callback(broker.stop)
        broker.start()
        gates = {name: Gate() for name in ("ingress", "events", "slack")}
        clickhouse = ClickHouseFront(
            gate=gates["events"], user="canary", password=keys.clickhouse, merges=self._merges
        )
        self._stack.callback(clickhouse.stop)
        clickhouse.start()
        make_topics(broker.inside, broker.partitions)
        slack = SlackStandIn(gate=gates["slack"], token=keys.slack, channel=SLACK_CHANNEL)
        self._stack.callback(slack.stop)
        slack.start()
        plan = Plan(Truth(self.folder / "faults.jsonl"))
        ingress = self._ingress(broker, plan, gates["ingress"])
        self._movers(broker, plan, clickhouse)
        door = {
            "ingress": doors.open(upstream=ingress.port, denial=_forbidden(b"forbidden\n")),
            "events": doors.open(
                upstream=clickhouse.port,
                denial=_forbidden(_DENIED_CLICKHOUSE, "X-ClickHouse-Exception-Code: 516"),
            ),
        }
        self._parts = Parts(
            broker=broker,
            clickhouse=clickhouse,
            ingress=ingress,
            slack=slack,
            gates=gates,
            restart={
                "ingress": ingress.restart,
                "events": clickhouse.restart,
                "slack": lambda: _blink(gates["slack"]),
            },
            doors=doors,
            door=door,
            plan=plan,
        )
        addresses = Addresses(
            ingress=door["ingress"].port,
            ingress_direct=ingress.port,
            kafka=broker.outside,
            kafka_direct=broker.inside,
            clickhouse=door["events"].port,
            clickhouse_direct=clickhouse.port,
            slack=slack.port,
            control=control_port(),
        )
        write_state(self.folder, addresses, keys, partitions=broker.partitions)

    def _producer(self, broker: Broker, name: str, *, expiry: timedelta, direct: bool) -> Producer:
        producer: Producer
        if direct and broker.direct:
            topics = {RAW: broker.partitions, PROCESSED: broker.partitions, DEAD_LETTERS: 1}
            producer = DirectProducer(
                broker.direct, name, partitions=topics, one_by_one=broker.one_by_one, expiry=expiry
            )
        else:
            producer = IdempotentProducer(broker.inside, name, expiry=expiry)
        self._stack.callback(producer.close)
        return producer

    def _ingress(self, broker: Broker, plan: Plan, gate: Gate) -> Ingress:
        producer = self._producer(broker, "ingress", expiry=_INGRESS_EXPIRY, direct=True)
        ingress = Ingress(producer, plan, gate=gate, partitions=producer.partitions(RAW))
        ingress.start()
        self._stack.callback(ingress.stop)
        return ingress

    def _movers(self, broker: Broker, plan: Plan, clickhouse: ClickHouseFront) -> None:
        producer = self._producer(
            broker, "clickhouse-ingestion", expiry=_MOVER_EXPIRY, direct=broker.one_by_one
        )
        first, second = producer.partitions(RAW), producer.partitions(PROCESSED)
        lines = (
            (ProcessedTopic(producer, plan, partitions=second), RAW, "clickhouse-ingestion", first, Pace()),
            (self._rows(clickhouse, plan, "events"), PROCESSED, "group1", second, Pace(fetch_ms=100)),
            (
                self._rows(clickhouse, plan, "events_recent"),
                PROCESSED,
                "group1_recent",
                second,
                Pace(fetch_ms=400),
            ),
        )
        movers = [
            Mover(
                sink,
                plan,
                bootstrap=broker.inside,
                topic=topic,
                group=group,
                partitions=partitions,
                pace=pace,
            )
            for sink, topic, group, partitions, pace in lines
        ]
        for mover in movers:
            self._stack.callback(mover.stop)
            mover.start()
        for mover in movers:
            self._stack.callback(mover.ask_to_stop)
            if not mover.ready(_READY_WITHIN):
                raise TimeoutError(f"sandbox: a mover did not begin to read within {_READY_WITHIN:g} s")

    @staticmethod
    def _rows(clickhouse: ClickHouseFront, plan: Plan, table: str) -> TableRows:
        return TableRows(clickhouse, plan, table=table, with_partition=table == "events_recent")
