"""A daemon in a process of its own, and what can be seen of it from outside: CPU, memory, metrics, status."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import psutil

from canary.sandbox.ports import free_port

UP_WITHIN = 120.0
DOWN_WITHIN = 10.0
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


class NotUpError(Exception):
    """The daemon did not come up, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the daemon sends; `lines` are further values of the configuration, by name."""

    name: str
    rate: float
    lanes: int
    pool: int
    batch: int = 1
    lines: tuple[tuple[str, str], ...] = ()


class Place(Protocol):
    """A sandbox's folder and the configuration that it wrote for a monitor."""

    @property
    def dir(self) -> Path: ...
    @property
    def config_path(self) -> Path: ...


class Running:
    """One daemon."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process = process
        self.log = log
        self._url = f"http://127.0.0.1:{port}"
        self._seen = psutil.Process(process.pid)

    def cpu(self) -> float:
        """CPU seconds used so far, in all threads."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """Resident megabytes."""
        return float(self._seen.memory_info().rss) / 1e6

    def get(self, path: str, *, within: float = 60.0) -> str:
        """What one of its windows shows; 503 is an answer too. A machine that is starved lets one wait."""
        try:
            with build_opener(ProxyHandler({})).open(self._url + path, timeout=within) as answer:
                return str(answer.read().decode())
        except HTTPError as error:
            return error.read().decode()

    def took(self, path: str) -> float:
        """How many milliseconds a bare request for this path takes."""
        connection = HTTPConnection(self._url.removeprefix("http://"), timeout=60)
        started = time.perf_counter()
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        finally:
            connection.close()
        return 1000 * (time.perf_counter() - started)

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.get("/status")))

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all series of this name that carry these labels."""
        total = 0.0
        for line in self.get("/metrics").splitlines():
            found = SERIES.match(line)
            if found and found[1] == f"ingestion_canary_{name}":
                own = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                total += float(found[3]) if labels.items() <= own.items() else 0.0
        return total

    def until(self, true: Callable[[], bool], *, within: float, every: float = 0.25) -> bool:
        """Wait until something is true; says whether it became so. Raises NotUpError if the daemon ends."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise NotUpError(f"the daemon ended with {self.process.returncode}: {self.said()}")
            if true():
                return True
            time.sleep(every)
        return False

    def lasts(self, seconds: float) -> None:
        """Wait so long. Raises NotUpError if the daemon ends."""
        self.until(lambda: False, within=seconds, every=1)

    def answers(self) -> bool:
        try:
            self.get("/healthz", within=1)
        except (URLError, OSError):
            return False
        return True

    def said(self) -> str:
        return self.log.read_text()[-2000:]

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DOWN_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def configuration(sandbox: Place, load: Load, port: int) -> Path:
    """The sandbox's configuration with this load, a web port and a ledger of its own."""
    values = {
        "rate": str(load.rate),
        "batch": str(load.batch),
        "lanes": str(load.lanes),
        "pool": str(load.pool),
        "listen": f'"127.0.0.1:{port}"',
        "url = sqlite": f'"sqlite:///{load.name}.db"',
        **dict(load.lines),
    }
    lines = []
    for line in sandbox.config_path.read_text().splitlines():
        key = line.partition(" = ")[0]
        key = "url = sqlite" if line.startswith('url = "sqlite') else key
        lines.append(f"{key.removesuffix(' = sqlite')} = {values[key]}" if key in values else line)
    path = sandbox.dir / f"{load.name}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@contextmanager
def daemon(sandbox: Place, load: Load) -> Iterator[Running]:
    """A daemon that answers; stopped in the end."""
    port = free_port()
    config = configuration(sandbox, load, port)
    log = sandbox.dir / f"{load.name}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "canary", "run", "--config", str(config), "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )
    running = Running(process, port, log)
    try:
        if not running.until(running.answers, within=UP_WITHIN):
            raise NotUpError(f"the daemon does not answer: {running.said()}")
        yield running
    finally:
        running.stop()
