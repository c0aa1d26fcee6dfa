"""Every way out in a laboratory of its own: what arrived, and faults on demand; for the contract suite."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import urllib3

from alerts.alertmanager import AlertmanagerSender, Login
from alerts.command import CommandSender
from alerts.delivery import Sender
from alerts.hook import HookSender
from alerts.posting import Call
from alerts.slack import SlackSender
from alerts.webhook import WebhookSender
from canary.sandbox.gate import Down, Gate
from canary.sandbox.httpd import HttpServer, Request, Response
from canary.sandbox.ports import free_port
from canary.sandbox.slack import SlackStandIn

SECRET = "very-secret-indeed-0123456789ab"
KEY = "whsec_" + base64.b64encode(SECRET.encode()).decode()
DEADLINE, HASTY = timedelta(seconds=20), timedelta(seconds=1)
"""For what is to arrive, however busy the machine is; and for what is not to be answered."""
READY_WITHIN = 60.0

Fault = Literal["none", "unfit", "broken", "again", "hang", "lost"]
Answer = Callable[[Request], Response]

# What the other side answers for each fault, where it answers at all.
STATUSES = {"unfit": (400, b"invalid_payload"), "broken": (401, b"invalid_auth"), "again": (429, b"{}")}


@dataclass
class Front:
    """Stands before a server: passes on, refuses, hangs, or loses the answer."""

    behind: Answer
    gate: Gate = field(default_factory=Gate)
    kind: Fault = "none"
    passed: list[Request] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=lambda: dict(STATUSES))

    def __call__(self, request: Request) -> Response:
        """One request."""
        if self.kind in self.answers:
            status, body = self.answers[self.kind]
            kind = "application/json" if body.startswith(b"{") else "text/plain"
            headers = {"Content-Type": kind} | ({"Retry-After": "7"} if status == 429 else {})
            return Response(status, body, headers)
        answer = self.behind(request)
        self.passed.append(request)
        if self.kind == "lost":
            raise Down("the answer is lost")
        return answer


@dataclass
class Lab:
    """One way out, with what it needs on the other side."""

    name: str
    sender: Sender
    got: Callable[[], list[str]]
    """What arrived, oldest first, each as one text."""
    fault: Callable[[Fault], None]
    hasty: Sender
    """The same way with a short deadline, for faults that keep the answer back."""
    json: bool = True
    """Whether what arrives is data (to be equal) rather than markup (to be harmless)."""
    edge: str = ""
    """The base address of the server, where there is one."""


@contextmanager
def served(
    behind: Answer, answers: dict[str, tuple[int, bytes]] | None = None
) -> Iterator[tuple[Front, str]]:
    """A front that runs, and its address."""
    front = Front(behind)
    front.answers |= answers or {}
    server = HttpServer(front, gate=front.gate, name="front")
    server.start()
    try:
        yield front, f"http://127.0.0.1:{server.port}"
    finally:
        front.gate.close()
        server.stop()


def _switch(front: Front) -> Callable[[Fault], None]:
    def switch(kind: Fault) -> None:
        front.kind = kind
        front.gate.set("freeze" if kind == "hang" else "open")

    return switch


def _forward(base: str) -> Answer:
    def answer(request: Request) -> Response:
        keep = {k: v for k, v in request.headers.items() if k in ("content-type", "authorization")}
        with urllib3.PoolManager(retries=False, timeout=20) as pool:
            found = pool.request(request.method, base + request.path, body=request.body, headers=keep)
            kind = found.headers.get("Content-Type", "")
            return Response(found.status, found.data, {"Content-Type": kind})

    return answer


@contextmanager
def slack_api() -> Iterator[Lab]:
    """The Web API, on the stand-in that refuses what Slack would."""
    answers = {
        "unfit": (200, b'{"ok":false,"error":"msg_too_long"}'),
        "broken": (200, b'{"ok":false,"error":"invalid_auth"}'),
        "again": (429, b'{"ok":false,"error":"ratelimited"}'),
    }
    stand_in = SlackStandIn(gate=Gate(), token=SECRET)
    stand_in.start()
    with served(_forward(f"http://127.0.0.1:{stand_in.port}"), answers) as (front, url):
        sender, hasty = (
            SlackSender(lambda: SECRET, channel="C0SANDBOX01", url=f"{url}/api/", timeout=timeout.seconds)
            for timeout in (DEADLINE, HASTY)
        )
        yield Lab("slack api", sender, _slack_texts(stand_in), _switch(front), hasty, json=False, edge=url)
    stand_in.stop()
    assert stand_in.room.broken == []


def _slack_texts(stand_in: SlackStandIn) -> Callable[[], list[str]]:
    return lambda: [json.dumps([m.text, m.blocks], ensure_ascii=False) for m in stand_in.messages]


@contextmanager
def slack_webhook() -> Iterator[Lab]:
    """An incoming webhook, on the stand-in."""
    stand_in = SlackStandIn(gate=Gate(), token=SECRET)
    stand_in.start()
    answers = {"broken": (404, b"no_service"), "again": (429, b"rate_limited")}
    with served(_forward(f"http://127.0.0.1:{stand_in.port}"), answers) as (front, url):
        address = url + stand_in.webhook_url.partition(str(stand_in.port))[2]
        sender, hasty = (
            WebhookSender(lambda: address, timeout=timeout.seconds) for timeout in (DEADLINE, HASTY)
        )
        texts = _slack_texts(stand_in)
        yield Lab("slack webhook", sender, texts, _switch(front), hasty, json=False, edge=url)
    stand_in.stop()
    assert stand_in.room.broken == []


@contextmanager
def hook() -> Iterator[Lab]:
    """A generic webhook, on a receiver that takes what is well signed."""
    with served(lambda _: Response(204)) as (front, url):
        sender, hasty = (
            HookSender(lambda: f"{url}/{SECRET}", keys=lambda: KEY, call=Call("webhook", timeout))
            for timeout in (DEADLINE, HASTY)
        )
        yield Lab("webhook", sender, lambda: _bodies(front), _switch(front), hasty, edge=url)


def _bodies(front: Front) -> list[str]:
    return [request.body.decode() for request in front.passed]


SCRIPT = """
import sys, time
folder = sys.argv[1]
kind = open(folder + "/kind").read()
if kind == "hang": time.sleep(60)
if kind in ("unfit", "again"): sys.exit({"unfit": 65, "again": 75}[kind])
text = sys.stdin.read()
open(folder + "/got", "a").write(text)
if kind == "lost": time.sleep(60)
print("very-secret-indeed-0123456789ab")
"""


@contextmanager
def command() -> Iterator[Lab]:
    """A program that writes down what it gets."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kind").write_text("none")
        script = folder / "take.py"
        script.write_text(SCRIPT)
        program = folder / "python"
        program.symlink_to(sys.executable)

        def switch(kind: Fault) -> None:
            (folder / "kind").write_text(kind)
            program.unlink(missing_ok=True)
            if kind != "broken":
                program.symlink_to(sys.executable)

        def got() -> list[str]:
            file = folder / "got"
            return file.read_text().splitlines() if file.exists() else []

        sender, hasty = (
            CommandSender([str(program), str(script), name], timeout=timeout)
            for timeout in (DEADLINE, 2 * HASTY)
        )
        yield Lab("command", sender, got, switch, hasty)


def _posted_alerts(front: Front) -> list[str]:
    bodies = [json.loads(r.body) for r in front.passed if r.method == "POST"]
    return [json.dumps(alert) for body in bodies for alert in body]


@contextmanager
def alertmanager() -> Iterator[Lab]:
    """Alertmanager as a receiver that remembers; for the real one see below."""
    with served(lambda _: Response(200, b"{}")) as (front, url), _alertmanager_lab(front, url) as lab:
        yield lab


@contextmanager
def _alertmanager_lab(front: Front, url: str) -> Iterator[Lab]:
    login = Login(user="canary", password=lambda: SECRET)
    sender, hasty = (
        AlertmanagerSender([url], call=Call("alertmanager", timeout), login=login)
        for timeout in (DEADLINE, HASTY)
    )
    yield Lab("alertmanager", sender, lambda: _posted_alerts(front), _switch(front), hasty, edge=url)


@contextmanager
def real_alertmanager() -> Iterator[Lab]:
    """The real one, behind a front that can lose its answers."""
    with running() as base, served(_forward(base)) as (front, url), _alertmanager_lab(front, url) as lab:
        yield lab


def alertmanager_program() -> str | None:
    """Where Debian puts it, or where anybody has it."""
    return shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@contextmanager
def running() -> Iterator[str]:
    """A real Alertmanager with nobody to tell; its address."""
    program = alertmanager_program()
    if program is None:
        raise RuntimeError("no alertmanager on this machine; ask alertmanager_program() first")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = folder / "config.yml"
        config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        command = [
            program,
            f"--config.file={config}",
            f"--storage.path={folder}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        _wait_until_ready(base, process)
        yield base


def _wait_until_ready(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    with urllib3.PoolManager(retries=False, timeout=1) as pool:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if pool.request("GET", f"{base}/-/ready").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
    raise RuntimeError(f"alertmanager did not come up (exit code {process.poll()})")


def active(base: str) -> list[dict[str, Any]]:
    """The alerts that a real Alertmanager holds as firing."""
    with urllib3.PoolManager(retries=False, timeout=20) as pool:
        return list(json.loads(pool.request("GET", f"{base}/api/v2/alerts").data))


def under_ci() -> bool:
    """Whether what is missing must fail rather than be skipped."""
    return os.environ.get("CI") == "true"
