"""Fetches and configures a real Apache Kafka: its jars come from Maven Central and are kept in a cache."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "4.1.0"
_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
_FETCH_WITHIN = 300.0
_FORMAT_WITHIN = 60.0
_JAVA = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
<packaging>pom</packaging><dependencies><dependency><groupId>org.apache.kafka</groupId>
<artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency></dependencies></project>
"""


class MissingError(Exception):
    """Java, Maven or Maven Central is not there."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the node listens, and the door's port that it advertises for the listener behind it."""

    inside: int
    behind: int
    controller: int
    door: int


def jars() -> Path:
    """The folder with Kafka's jars, fetched the first time; raises MissingError."""
    if shutil.which("java") is None:
        raise MissingError("kafka: needs Java 17 or newer (got no java on the path)")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ingestion-canary"
    kept = cache / f"kafka-{VERSION}"
    if kept.is_dir():
        return kept
    if shutil.which("mvn") is None:
        raise MissingError("kafka: needs Maven to fetch Apache Kafka (got no mvn on the path)")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        fetched = _fetch(Path(scratch))
        try:
            fetched.rename(kept)
        except OSError as error:
            if not kept.is_dir():
                raise MissingError(f"kafka: its jars cannot be kept in {kept} (got {error})") from error
    return kept


def _fetch(scratch: Path) -> Path:
    (scratch / "pom.xml").write_text(_POM)
    target = scratch / "jars"
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    try:
        subprocess.run(
            command,
            cwd=scratch,
            check=True,
            capture_output=True,
            timeout=_FETCH_WITHIN,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"kafka: Maven did not fetch it within {_FETCH_WITHIN:g} s") from error
    except subprocess.CalledProcessError as error:
        said = (error.stdout + error.stderr).decode("utf-8", "replace")[-500:]
        raise MissingError(f"kafka: Maven could not fetch it (got {said!r})") from error
    return target


def write_settings(folder: Path, *, ports: Ports) -> Path:
    """A fresh folder for one node; what an earlier run left there is thrown away."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
        "listeners": f"INSIDE://127.0.0.1:{ports.inside},DOOR://127.0.0.1:{ports.behind},"
        f"CONTROLLER://127.0.0.1:{ports.controller}",
        "advertised.listeners": f"INSIDE://127.0.0.1:{ports.inside},DOOR://127.0.0.1:{ports.door}",
        "inter.broker.listener.name": "INSIDE",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,DOOR:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(folder / "data"),
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "auto.create.topics.enable": "false",
        "log.retention.check.interval.ms": "1000",
        "log.initial.task.delay.ms": "1000",
        "file.delete.delay.ms": "0",
        "num.network.threads": "2",
        "num.io.threads": "2",
    }
    file = folder / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return file


def format_storage(jars: Path, settings: Path) -> None:
    """Prepare the node's folder, as `kafka-storage.sh format` does."""
    tool = ["-Xmx64m", *_JAVA, "-cp", f"{jars}/*", "kafka.tools.StorageTool"]
    command = ["java", *tool, "format", "-t", _CLUSTER, "-c", str(settings)]
    done = subprocess.run(
        command, capture_output=True, timeout=_FORMAT_WITHIN, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).decode("utf-8", "replace")[-500:]
        raise MissingError(f"kafka: its storage cannot be formatted (got {said!r})")


def command(jars: Path, settings: Path) -> list[str]:
    return ["java", "-Xms256m", "-Xmx256m", *_JAVA, "-cp", f"{jars}/*", "kafka.Kafka", str(settings)]
