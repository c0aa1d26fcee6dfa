"""A sign of life by HTTP: a ping that says "all is well" or, where the other side knows it, "it is not"."""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit, urlunsplit

from alerts.delivery import DeliveryError
from alerts.posting import FIX_WAIT, Call, is_address, refused, secret

MOST_TOLD = 10_000
"""Bytes of reasons that the other side keeps."""


class Ping:
    """Pings one address, read anew each time, for it is the secret.

    With `signals`, the beginning goes to `.../start` and a failure to `.../fail`, as healthchecks.io has it;
    without, only success is told.
    """

    def __init__(self, url: Callable[[], str], *, call: Call, signals: bool) -> None:
        self._url, self._call, self._signals = url, call, signals

    def __repr__(self) -> str:
        return "Ping()"

    def start(self) -> None:
        """We begin. Raises DeliveryError, as the others do."""
        if self._signals:
            self._ping("/start")

    def success(self) -> None:
        """All is well."""
        self._ping("")

    def fail(self, reasons: Sequence[str]) -> None:
        """It is not, and why."""
        if self._signals:
            self._ping("/fail", "\n".join(reasons).encode("utf-8", "backslashreplace")[:MOST_TOLD])

    def _ping(self, suffix: str, body: bytes = b"") -> None:
        url = secret(self._url, f"{self._call.name}.url")
        if not is_address(url):
            raise DeliveryError(f"{self._call.name}.url: is not an http(s) address", retry_after=FIX_WAIT)
        parts = urlsplit(url)
        address = urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix)) if suffix else url
        answer = self._call.post(address, body, {}) if body else self._call.get(address, {})
        if not answer.taken:
            raise refused(self._call.name, answer)
