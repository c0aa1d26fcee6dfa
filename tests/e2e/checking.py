"""Runs the real command line against a running sandbox, and brings that sandbox back to peace."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from canary.sandbox.handle import Handle

WITHIN = 100.0
PEACE_WITHIN = 40.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
    took: float

    @property
    def report(self) -> dict[str, Any]:
        """The JSON it printed."""
        return dict(json.loads(self.stdout))


def begin(*arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Start the real command line; ledgers that checks keep go where the configuration is."""
    at = Path(arguments[arguments.index("--config") + 1]).parent if "--config" in arguments else None
    kept = {"TMPDIR": str(at)} if at is not None and at.is_dir() else {}
    return subprocess.Popen(
        [sys.executable, "-m", "canary", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **kept, **(env or {})},
    )


def end(process: "subprocess.Popen[str]", started: float) -> Ran:
    """Wait for it; a command that hangs is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"the command hung; it said {out[-500:]!r} and {err[-2000:]!r}") from None
    return Ran(process.returncode, out, err, time.monotonic() - started)


def canary(*arguments: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run one command to its end."""
    started = time.monotonic()
    return end(begin(*arguments, env=env), started)


def check(config: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Ran:
    """`canary check` with JSON on stdout."""
    return canary(*check_arguments(config, *arguments), env=env)


def check_arguments(config: Path, *arguments: str) -> Sequence[str]:
    return ("check", "--config", str(config), "--output", "json", *arguments)


def altered(sandbox: Handle, name: str, changes: Mapping[str, str]) -> Path:
    """The sandbox's configuration with some values replaced, next to it; keys as in `probes.url`."""
    lines, table, left = [], "", dict(changes)
    for line in sandbox.config_path.read_text().splitlines():
        table = line.strip("[]") if line.startswith("[") else table
        key = f"{table}.{line.partition(' = ')[0]}"
        lines.append(f"{line.partition(' = ')[0]} = {json.dumps(left.pop(key))}" if key in left else line)
    assert not left, f"nothing to replace in {sandbox.config_path}: {left}"
    file = sandbox.dir / f"{name.replace(' ', '-')}.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


def peace(sandbox: Handle) -> None:
    """All faults off, and an event of our own goes all the way through."""
    sandbox.heal()
    until = time.monotonic() + PEACE_WITHIN
    while time.monotonic() < until:
        if _arrives(sandbox, time.monotonic() + 6):
            return
    raise AssertionError(f"the sandbox does not come to peace: {sandbox.status()}")


def _arrives(sandbox: Handle, until: float) -> bool:
    marker = str(uuid.uuid4())
    event = {
        "api_key": "phc_sandbox",
        "uuid": marker,
        "event": "peace",
        "distinct_id": marker,
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {},
    }
    try:
        _http(f"{sandbox.ingress_url}/i/v0/e/", json.dumps(event).encode())
        while time.monotonic() < until:
            asked = f"SELECT count() FROM posthog.events WHERE uuid = '{marker}'"
            if int(_clickhouse(sandbox, asked)):
                return True
            time.sleep(0.1)
    except (URLError, OSError, HTTPError):
        time.sleep(0.3)
    return False


def rows_of_canaries(sandbox: Handle) -> int:
    """How many have arrived so far, of all checks."""
    return int(_clickhouse(sandbox, "SELECT count() FROM posthog.events WHERE event = 'ingestion_canary'"))


def ids_of_canaries(sandbox: Handle) -> frozenset[str]:
    """The ids of all canaries that have arrived so far."""
    asked = "SELECT DISTINCT toString(uuid) FROM posthog.events WHERE event = 'ingestion_canary' FORMAT TSV"
    return frozenset(_clickhouse(sandbox, asked).split())


def _clickhouse(sandbox: Handle, query: str) -> str:
    password = (sandbox.dir / "ch-password").read_text().strip()
    headers = {"X-ClickHouse-User": "canary", "X-ClickHouse-Key": password}
    return _http(f"http://127.0.0.1:{sandbox.state['clickhouse']}/", query.encode(), headers)


def _http(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> str:
    request = Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    with urlopen(request, timeout=3) as answer:
        return str(answer.read().decode())
