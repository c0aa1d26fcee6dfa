"""`canary demo`: the sandbox with the daemon beside it, and faults at the press of a key."""

import contextlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from canary.cli import codes
from canary.cli.common import broker_of, fail
from canary.cli.times import duration
from canary.config.render import printable


@dataclass(frozen=True, slots=True)
class Trick:
    """One fault that a key switches on."""

    words: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


_LOGGED = re.compile(r"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d),\d+ [A-Z]+ (.*)")

TRICKS: Mapping[str, Trick] = {
    "1": Trick(
        "lose 3 canaries between processed and events", "drop", {"at": "events", "count": 3, "canaries": True}
    ),
    "2": Trick("accept 3 posts with a 200 and drop them", "accept-and-drop", {"count": 3}),
    "3": Trick("stop the consumer into events: a backlog", "stop", {"at": "events"}),
    "4": Trick(
        "corrupt one canary on its way to processed",
        "corrupt",
        {"at": "processed", "count": 1, "canaries": True},
    ),
    "5": Trick("store two canaries twice", "duplicate", {"at": "events", "count": 2, "canaries": True}),
    "6": Trick("delay everything by 5 s", "delay", {"at": "events", "by": "5s"}),
    "7": Trick("refuse posts with a 400", "refuse", {}),
    "8": Trick("blind the monitor to ClickHouse", "blind", {"at": "events"}),
    "9": Trick("freeze the broker", "freeze", {"at": "raw"}),
}


def demo(
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where state is kept. Default: a temporary one."),
    ] = None,
    broker: Annotated[str, typer.Option(help="tansu, kafka or HOST:PORT.")] = "tansu",
    lasting: Annotated[
        timedelta | None, typer.Option("--for", parser=duration, metavar="DURATION", help="End by itself.")
    ] = None,
) -> int:
    """Run a whole small pipeline and watch it; press keys to break it. Ctrl-C ends it and leaves nothing."""
    from canary.sandbox import NotPossibleError, SandboxError, start

    broker_of(broker)
    signal.signal(signal.SIGTERM, _interrupt)
    with _state_folder(folder) as place:
        typer.echo(
            "starting a pipeline: ingress -> Kafka -> ClickHouse, and a stand-in for Slack ...", err=True
        )
        try:
            with start(place, broker=broker) as sandbox, _daemon(sandbox.config_path) as daemon:
                return _watch(sandbox, daemon, lasting)
        except KeyboardInterrupt:
            typer.echo("stopped.", err=True)
            return codes.OK
        except NotPossibleError as error:
            fail(codes.UNAVAILABLE, str(error))
        except SandboxError as error:
            fail(codes.SOFTWARE, str(error))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _state_folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail(codes.CANNOT_MAKE, f'--dir: cannot be made ({error.strerror}) (got "{folder}")')
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="canary-demo-", ignore_cleanup_errors=True) as temporary:
        yield Path(temporary)


@contextlib.contextmanager
def _daemon(config: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "canary", "run", "--until-eof", "--config", str(config)]
    daemon = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield daemon
    finally:
        daemon.terminate()
        try:
            daemon.wait(8)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _watch(sandbox: Any, daemon: "subprocess.Popen[str]", lasting: timedelta | None) -> int:
    _help()
    teller = threading.Thread(target=_relay, args=(daemon.stderr,), name="relay", daemon=True)
    teller.start()
    ends = time.monotonic() + lasting.total_seconds() if lasting is not None else None
    with _keys() as keys:
        while daemon.poll() is None and (ends is None or time.monotonic() < ends):
            key = keys.next(0.2)
            if key == "q":
                return codes.OK
            _press(sandbox, key)
    if daemon.poll() is None:
        return codes.OK
    return fail(codes.SOFTWARE, f"the daemon ended by itself (exit code {daemon.returncode})")


def _press(sandbox: Any, key: str) -> None:
    from canary.sandbox import SandboxError

    try:
        if key == "0":
            sandbox.heal()
            typer.echo(">>> all faults off")
        elif key == "s":
            for message in sandbox.slack_messages()[-5:]:
                typer.echo(f"    slack: {printable(str(message.get('text', '')))}")
        elif key in TRICKS:
            trick = TRICKS[key]
            sandbox.fault(trick.kind, **trick.options)
            typer.echo(f">>> {trick.words}")
        elif key in ("?", "h"):
            _help()
    except SandboxError as error:
        typer.echo(f">>> {error}")


def _help() -> None:
    for key, trick in TRICKS.items():
        typer.echo(f"  {key}  {trick.words}")
    typer.echo("  0  all faults off    s  what Slack got    ?  this help    q  quit")


def _relay(lines: IO[str] | None) -> None:
    for line in lines or ():
        typer.echo(relayed(line.rstrip("\n")))


def relayed(line: str) -> str:
    """What the daemon says, without the date and the level of its log; what is no line of that, as it is."""
    found = _LOGGED.fullmatch(line)
    return f"{found[1]} {found[2].removeprefix('canary: ')}" if found else line


class _Keys:
    """Single keys from a terminal, whole lines elsewhere; an input that ended gives none."""

    def __init__(self, source: IO[str], *, single: bool) -> None:
        self._source = source
        self._single = single
        self._ended = False

    def next(self, timeout: float) -> str:
        """The next key within so many seconds, or none."""
        if self._ended:
            time.sleep(timeout)
            return ""
        ready, _, _ = select.select([self._source], [], [], timeout)
        if not ready:
            return ""
        text = self._source.read(1) if self._single else self._source.readline()
        self._ended = text == ""
        return text.strip()


@contextlib.contextmanager
def _keys() -> Iterator[_Keys]:
    if not sys.stdin.isatty():
        yield _Keys(sys.stdin, single=False)
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield _Keys(sys.stdin, single=True)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
