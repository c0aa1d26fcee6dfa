"""Nodes of a real Apache Kafka with settings of a test's own; skipped where it cannot run, but not in CI."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from canary.sandbox import apache
from canary.sandbox.broker import wait_for
from canary.sandbox.child import Child
from canary.sandbox.ports import HOST as HOST
from canary.sandbox.ports import free_port


@dataclass(frozen=True, slots=True)
class Node:
    """One process and where it listens for clients."""

    number: int
    port: int
    child: Child
    folder: Path

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def start(self) -> None:
        self.child.start()
        wait_for(self.port, self.child)


def base(number: int, folder: Path, *, ports: tuple[int, int], replicas: int) -> dict[str, str]:
    """What a node of a small cluster needs; `ports` are the client's and the first node's controller's."""
    first = number == 1
    settings = {
        "process.roles": "broker,controller" if first else "broker",
        "node.id": str(number),
        "controller.quorum.voters": f"1@{HOST}:{ports[1]}",
        "listeners": f"CLIENT://{HOST}:{ports[0]}" + (f",CONTROLLER://{HOST}:{ports[1]}" if first else ""),
        "advertised.listeners": f"CLIENT://{HOST}:{ports[0]}",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        "auto.leader.rebalance.enable": "false",
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "2",
    }
    for kind in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
        settings[f"{kind}.replication.factor"] = str(replicas)
    settings["offsets.topic.num.partitions"] = "1"
    return settings


def jar_of_tests(artifact: str) -> Path:
    """What Apache Kafka's own tests use of one of its parts, kept beside the jars of that version."""
    kept = apache.jars().parent / f"{artifact}-{apache.VERSION}-test.jar"
    if not kept.exists():
        what = f"org.apache.kafka:{artifact}:{apache.VERSION}:jar:test"
        copy = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={what}"]
        target = f"-DoutputDirectory={kept.parent}"
        subprocess.run([*copy, target], cwd=kept.parent, check=True, timeout=120, stdin=subprocess.DEVNULL)
    return kept


@contextmanager
def nodes(folder: Path, extras: Sequence[Mapping[str, str]]) -> Iterator[list[Node]]:
    """One running node for each of `extras`, its settings beyond the base; "+name" adds to a list."""
    try:
        jars = apache.jars()
    except apache.MissingError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"the reference tier must run here: {error}")
        pytest.skip(str(error))
    made: list[Node] = []
    controller = free_port()
    try:
        for number, extra in enumerate(extras, 1):
            place, port = folder / f"node{number}", free_port()
            place.mkdir()
            settings = base(number, place, ports=(port, controller), replicas=len(extras))
            for name, value in extra.items():
                listed = f"{settings[name[1:]]},{value}" if name.startswith("+") else value
                settings[name.removeprefix("+")] = listed
            file = place / "server.properties"
            file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
            apache.format_storage(jars, file)
            made.append(Node(number, port, Child(apache.command(jars, file), log=place / "log"), place))
            made[-1].start()
        yield made
    finally:
        for node in made:
            node.child.thaw()
            node.child.stop()
