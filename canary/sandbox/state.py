"""The files of a sandbox's folder: a configuration for the monitor, its secrets, and the addresses."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from canary.sandbox.broker import ImpossibleError
from canary.sandbox.kafka_clients import DEAD_LETTERS, PROCESSED, RAW
from canary.sandbox.ports import HOST, free_port

CONFIG = "canary.toml"
STATE = "sandbox.json"
TOKEN = "phc_sandbox"
SLACK_CHANNEL = "#canary"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the files with secrets hold."""

    canary: str = field(repr=False)
    clickhouse: str = field(repr=False)
    slack: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ports on this machine, and the broker's two addresses; those named direct lead past the doors."""

    ingress: int
    ingress_direct: int
    kafka: str
    kafka_direct: str
    clickhouse: int
    clickhouse_direct: int
    slack: int
    control: int


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder, and make it; however we end, it is free again. Raises ImpossibleError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImpossibleError(
                f'--dir: another sandbox runs there; give another (got "{folder}")'
            ) from None
        yield


def write_state(folder: Path, addresses: Addresses, secrets: Secrets, *, partitions: int) -> None:
    """Write every file, each whole or not at all; `sandbox.json` last."""
    replace_file(folder / "secret", secrets.canary, private=True)
    replace_file(folder / "ch-password", secrets.clickhouse, private=True)
    replace_file(folder / "slack-token", secrets.slack, private=True)
    replace_file(folder / CONFIG, _config(addresses))
    state = {"pid": os.getpid(), "partitions": partitions, **asdict(addresses)}
    replace_file(folder / STATE, json.dumps(state, indent=1) + "\n")


def read_state(folder: Path) -> dict[str, Any] | None:
    """What `sandbox.json` says; None where no sandbox has been started."""
    try:
        found = json.loads((folder / STATE).read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def forget_state(folder: Path) -> None:
    """The sandbox is gone: nobody should look for it at its ports."""
    (folder / STATE).unlink(missing_ok=True)


def replace_file(path: Path, text: str, *, private: bool = False) -> None:
    """Put a whole new file in place of the old one."""
    scratch = path.with_name(f".{path.name}.new")
    with os.fdopen(
        os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644), "w"
    ) as file:
        file.write(text)
    scratch.replace(path)


def _config(at: Addresses) -> str:
    return f"""\
# Written by `canary sandbox`, anew at each start.
[canary]
secret_file = "secret"
instance = "sandbox"
window = "5s"
grace = "6s"
objective = "2s"
lost_after = "20s"
patience = "4s"
max_events_per_day = 5000000

[ledger]
url = "sqlite:///ledger.db"

[web]
listen = "{HOST}:{free_port()}"

[[probes]]
name = "sandbox"
preset = "posthog"
url = "http://{HOST}:{at.ingress}"
token = "{TOKEN}"
rate = 1.0
batch = 1
lanes = 4
pool = 3

[[stages]]
name = "raw"
kind = "kafka"
bootstrap = "{at.kafka}"
topic = "{RAW}"
key = "{{token}}:{{distinct_id}}"
partitioner = "murmur2"
dead_letters = ["{DEAD_LETTERS}"]

[[stages]]
name = "processed"
kind = "kafka"
bootstrap = "{at.kafka}"
topic = "{PROCESSED}"
key = "{{uuid}}"
partitioner = "murmur2"
consumer_group = "clickhouse-ingestion"

[[stages]]
name = "events"
kind = "clickhouse"
url = "http://{HOST}:{at.clickhouse}"
user = "canary"
password_file = "ch-password"
database = "posthog"
table = "events"
match = "uuid"
consumer_group = "group1"
siblings = ["events_recent"]

[audit]
enabled = false
window = "10s"
delay = "2s"

[changes]
in_trouble = "3s"

[slack]
token_file = "slack-token"
channel = "{SLACK_CHANNEL}"
api_url = "http://{HOST}:{at.slack}/api/"
"""
