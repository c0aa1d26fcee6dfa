"""A real daemon that kills itself: `python -m tests.chaos.victim CONFIG [POINT NUMBER]`.

It is put together by the composition root like any other; only what is put around its parts differs.
"""

import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

from canary.app import build
from canary.around import Around
from canary.config import load
from canary.daemon import Daemon
from canary.ledger import Ledger
from tests.chaos.points import PointedIngress, PointedLedger, PointedSender, pointed


class Suicide:
    """SIGKILL in the nth passing of one point, whichever thread it is in."""

    def __init__(self, point: str, number: int) -> None:
        self._point, self._number = point, number
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        if point != self._point:
            return
        with self._lock:
            self._passed[point] += 1
            if self._passed[point] == self._number:
                os.kill(os.getpid(), signal.SIGKILL)


def deadly(fuse: Suicide) -> Around:
    """A fuse at every point."""

    def opened(url: str) -> Ledger:
        ledger = PointedLedger.open(url)
        ledger.fuse = fuse
        return ledger

    return Around(
        ledger=opened,
        stage=lambda name, stage: pointed(stage, name, fuse),
        ingress=lambda ingress: PointedIngress(ingress, fuse),
        sender=lambda sender: PointedSender(sender, fuse),
    )


def main(config: Path, point: str, number: int) -> None:
    """Watch until killed, or until SIGTERM."""
    app = build(load(config, env={}).config, around=deadly(Suicide(point, number)))
    daemon = Daemon(app.watch, clock=app.clock)
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
    try:
        daemon.run()
    finally:
        app.ledger.close()
    os._exit(0)  # as `canary run` does: no library's thread may hold up the end


if __name__ == "__main__":
    main(Path(sys.argv[1]), *((sys.argv[2], int(sys.argv[3])) if len(sys.argv) > 2 else ("", 0)))
