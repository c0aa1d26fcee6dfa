"""A running sandbox as its caller sees it: a subprocess, and the orders it takes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from canary.sandbox.faults import FaultError
from canary.sandbox.ports import HOST

_STOP_WITHIN = 15.0
_ORDER_WITHIN = 60.0


EXTRA = 'sandbox: needs the extra "sandbox": pip install "ingestion-canary[sandbox]"'


class SandboxError(Exception):
    """The sandbox did not come up, or is not there any more."""


class NotPossibleError(SandboxError):
    """The sandbox, as it runs, cannot do what was asked for."""


def order(port: int, path: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give one order to a sandbox's control port; raises FaultError, NotPossibleError, SandboxError."""
    request = Request(f"http://{HOST}:{port}{path}", json.dumps(dict(options)).encode())
    try:
        with _direct().open(request, timeout=_ORDER_WITHIN) as answer:
            return dict(json.loads(answer.read()))
    except HTTPError as error:
        said = json.loads(error.read()).get("error", "")
        kind = {400: FaultError, 409: NotPossibleError}.get(error.code, SandboxError)
        raise kind(said) from error
    except (URLError, OSError) as error:
        raise SandboxError(f"sandbox: does not answer on port {port} (got {error})") from error


def _direct() -> Any:
    return build_opener(ProxyHandler({}))


class Handle:
    """Give it orders, look at what it got, stop it; a context manager that stops it in the end."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]", state: Mapping[str, Any]) -> None:
        self.dir, self.state = folder, dict(state)
        self._process = process

    @property
    def config_path(self) -> Path:
        return self.dir / "canary.toml"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ingress_url(self) -> str:
        """The door that the monitor uses."""
        return f"http://{HOST}:{self.state['ingress']}"

    def fault(self, kind: str, **options: Any) -> None:
        """As `canary sandbox fault`: `at`, `count`, `share`, `block`, `canaries`, `by`, `field`, `how`, and
        `lasts` for `--for`; durations as text or timedelta."""
        plain = {
            name: f"{value.total_seconds()}s" if isinstance(value, timedelta) else value
            for name, value in options.items()
        }
        order(self.state["control"], "/fault", {"kind": kind, **plain})

    def heal(self) -> None:
        order(self.state["control"], "/heal", {})

    def status(self) -> dict[str, Any]:
        return order(self.state["control"], "/status", {})

    def slack_messages(self) -> list[dict[str, Any]]:
        """What Slack's stand-in got so far, as each message stands now."""
        return self._slack("messages")

    def slack_posted(self) -> list[dict[str, Any]]:
        """The same messages as each was when it came."""
        return self._slack("posted")

    def _slack(self, what: str) -> list[dict[str, Any]]:
        url = f"http://{HOST}:{self.state['slack']}/{what}"
        with _direct().open(url, timeout=_ORDER_WITHIN) as answer:
            return list(json.loads(answer.read()))

    def struck(self) -> list[dict[str, Any]]:
        """What the faults did so far: a line per event."""
        lines = (self.dir / "faults.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        """Return when it and all it started are gone."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    folder: Path,
    *,
    broker: str = "tansu",
    partitions: int | None = None,
    within: timedelta = timedelta(seconds=90),
) -> Handle:
    """Run a sandbox as a subprocess and return when it is ready; it ends with us, however we end.

    Raises NotPossibleError where it cannot run here, SandboxError where it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "canary.sandbox", "--dir", str(folder), "--broker", broker]
    command += [] if partitions is None else ["--partitions", str(partitions)]
    log = folder / "sandbox.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    assert process.stdout is not None
    timer = threading.Timer(within.total_seconds(), process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
    finally:
        timer.cancel()
    if line.strip() == "ready":
        return Handle(folder, process, json.loads((folder / "sandbox.json").read_text()))
    code = process.wait()
    Handle(folder, process, {}).stop()
    said = log.read_text().strip()[-2000:]
    if code == os.EX_UNAVAILABLE:
        raise NotPossibleError(said)
    last = said.rpartition("\n")[2]
    raise SandboxError(
        f"sandbox: did not come up, exit code {code} (got {last!r}; {log.name} in its --dir has it all)"
    )
