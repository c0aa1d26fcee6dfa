"""`canary run`: the daemon, until SIGTERM."""

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Annotated, TextIO

import typer

from canary.cli import codes
from canary.cli.common import ConfigOption, built, fail, load_config
from canary.pager import Pager

COLLECT_AFTER = 20_000, 20, 20
"""Nearly all that a canary leaves behind goes by itself: to look for cycles after every 700 objects, as
Python does, took a tenth of the CPU at 160 canaries a second."""

_HEAPS = ((-8, 1), (-3, 128 * 1024), (-1, 128 * 1024))
"""By glibc's own number for each setting: how many heaps the threads share; the size in bytes from which a
block is a mapping of its own, which goes back whole; the free end of the heap that is kept."""


def run(
    config: ConfigOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log warnings only.")] = False,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", hidden=True, help="End when stdin does, as whoever holds it ended.")
    ] = False,
) -> int:
    """Watch until told to stop: send, follow, settle, page; serve metrics and the status page."""
    from canary.calendars import calendar
    from canary.cli.tell import OneLine, Teller
    from canary.daemon import Daemon
    from canary.heartbeat import STEP, Heartbeat, Settling
    from canary.observing import STEP as CHANGES
    from canary.observing import observer
    from canary.status import Status
    from canary.tools import beside
    from canary.ways import make_beats
    from canary.web.server import Sources, WebServer

    _share_heaps()
    loaded = load_config(config, starting=True)
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[log], level=logging.WARNING if quiet else logging.INFO)
    for noisy in ("kafka", "apscheduler", "urllib3", "clickhouse_connect", "slack_sdk", "alembic"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL if noisy == "kafka" else logging.ERROR)
    app = built(loaded)
    teller = Teller(app.watch)
    app.on_sent(teller.sent)
    status = Status(app.watch, instance=loaded.canary.instance)
    ending = threading.Event()
    audits = calendar(loaded, app, wait=lambda span: ending.wait(span.total_seconds()))
    daemon = Daemon(
        app.watch,
        clock=app.clock,
        on_settled=[status.settled, teller.settled],
        audits=audits,
        beside=beside(loaded, app, audits),
    )
    changes = observer(loaded, app)
    if changes is not None:
        daemon.add(CHANGES, changes.step)
    settling = Settling(app.watch)

    def unwell() -> list[str]:
        """What nobody else would tell: we hang, nothing settles, or our messages do not go out."""
        silence = app.pager.silence(app.watch.desk.line.now())
        return [*daemon.stuck(), *settling(), *([silence] if silence else [])]

    def unready() -> list[str]:
        return list(dict.fromkeys([*daemon.unready(), *unwell()]))

    sources = Sources(app.metrics.registry, status, daemon.stuck, unready)
    if loaded.heartbeat is not None:
        beat = Heartbeat(
            make_beats(loaded),
            unwell=unwell,
            every=loaded.heartbeat.every,
            clock=app.clock,
            metrics=app.metrics,
        )
        daemon.add(STEP, beat.step)
    try:
        web = WebServer(loaded.web.host, loaded.web.port, sources)
    except OSError as error:
        app.ledger.close()
        fail(codes.CANNOT_MAKE, f"web.listen: cannot listen on {loaded.web.listen} ({error.strerror})")

    def end(*_: object) -> None:
        ending.set()
        daemon.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if until_eof:
        threading.Thread(target=at_eof, args=(sys.stdin, end), name="end of stdin", daemon=True).start()
    web.start()
    teller.started(loaded)
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it again and again costs as much as a window
    gc.set_threshold(*COLLECT_AFTER)
    threading.Thread(target=_check_ways, args=(app.pager,), name="check of the ways out", daemon=True).start()
    try:
        daemon.run()
    finally:
        web.stop()
        app.ledger.close()
        sys.stderr.flush()
    os._exit(codes.OK)  # no library's thread may hold up the end


def _share_heaps() -> None:
    """Else glibc gives nearly each of our threads a heap, whose free part the others cannot use, and puts
    large blocks there too as soon as one was freed: fetched answers of megabytes, between what stays."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return  # another C library, which has no such heaps
    for setting, value in _HEAPS:
        mallopt(setting, value)


def at_eof(source: TextIO, end: Callable[[], None]) -> None:
    """Read until nobody holds the other end any more; what is read says nothing."""
    while source.read(1024):
        pass
    end()


def _check_ways(pager: Pager) -> None:
    for problem in pager.check():
        logging.getLogger("canary").error("way out: %s", problem)
