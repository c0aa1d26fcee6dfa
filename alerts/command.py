"""The way out through a program of the reader's own: the notice as JSON on its standard input."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from alerts.condition import Notice
from alerts.delivery import DeliveryError, Receipt
from alerts.links import Links
from alerts.payload import encoded
from alerts.posting import FIX_WAIT

NAME = "command"
UNFIT, AGAIN = 65, 75
"""EX_DATAERR: this message, never. EX_TEMPFAIL: not now. (sysexits.h)"""
OURS = "CANARY_"
"""Variables that begin so may hold our secrets, and are kept from the program."""


class CommandSender:
    """Runs it once a notice. What it prints is not read: it may be anything, secrets included."""

    def __init__(
        self, argv: Sequence[str], *, timeout: timedelta = timedelta(seconds=10), links: Links | None = None
    ) -> None:
        """`argv` is run as it is, without a shell."""
        self._argv, self._timeout, self._links = tuple(argv), timeout, links or Links()

    def __repr__(self) -> str:
        return "CommandSender()"

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:  # noqa: ARG002
        """Run it; exit code 0 is a yes."""
        process = self._started()
        try:
            process.communicate(encoded(notice, self._links) + b"\n", self._timeout.total_seconds())
        except subprocess.TimeoutExpired:
            raise DeliveryError(f"{NAME}: was not done in time, and was ended", uncertain=True) from None
        finally:
            _end(process)
        if process.returncode == 0:
            return Receipt()
        raise _failed(process.returncode)

    def check(self) -> list[str]:
        """Whether there is such a program that we may run; it is not run."""
        if shutil.which(self._argv[0]) is None:
            return [f"{NAME}.argv: there is no such program that we may run"]
        return []

    def _started(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        try:
            return subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = f"{NAME}: cannot be started ({type(error).__name__})"
            raise DeliveryError(reason, retry_after=FIX_WAIT, broken=True) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """It and all that it started, if anything of it is still there."""
    with suppress(ProcessLookupError, PermissionError):  # they may have ended by themselves
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()


def _failed(code: int) -> DeliveryError:
    if code == UNFIT:
        return DeliveryError(f"{NAME}: does not take this message (exit code {code})", permanent=True)
    if code == AGAIN:
        return DeliveryError(f"{NAME}: cannot now (exit code {code})")
    if code < 0:
        return DeliveryError(f"{NAME}: was ended by signal {-code}", uncertain=True)
    return DeliveryError(f"{NAME}: failed (exit code {code})", uncertain=True)
