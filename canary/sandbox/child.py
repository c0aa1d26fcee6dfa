"""A subprocess that cannot outlive us: it ends with us, however we end."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

_GUARD = """
exec 3<&0
log=$1; shift
"$@" </dev/null >>"$log" 2>&1 3<&- &
child=$!
echo "$child"
exec >&-
(read -r _ <&3; kill -9 "$child") 2>/dev/null &
guard=$!
exec 3<&-
wait "$child"
ended=$?
kill -9 "$guard" 2>/dev/null
wait "$guard"
exit "$ended"
"""


class Child:
    """One command under a small shell that holds a pipe from us: when the pipe breaks, the child is killed.

    When the shell has ended, nothing is left that might kill a later process of the same number.
    A death signal set in the child would be simpler, but it fires when the *thread* that started it ends.
    """

    def __init__(self, command: Sequence[str], *, log: Path) -> None:
        self._command, self._log = list(command), log
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def pid(self) -> int:
        return self._pid

    def start(self) -> None:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(self._log), *self._command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert guard.stdout is not None
        self._pid = int(guard.stdout.readline())
        guard.stdout.close()
        self._guard = guard

    def alive(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self, *, patience: timedelta = timedelta()) -> None:
        """Ask it to end when there is patience, else kill it; returns when it is gone."""
        guard = self._guard
        if guard is None or guard.stdin is None:
            return
        if patience:
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + patience.total_seconds()
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
        guard.stdin.close()
        guard.wait()
        self._guard = None

    def last_words(self) -> str:
        if not self._log.exists():
            return ""
        return self._log.read_text("utf-8", "replace")[-500:]

    def _signal(self, number: signal.Signals) -> None:
        if self.alive():
            os.kill(self._pid, number)
