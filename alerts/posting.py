"""One HTTP call with a deadline, and what its answers and failures mean for a message."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ssl import SSLContext
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from alerts.delivery import DeliveryError

T = TypeVar("T")

FIX_WAIT = timedelta(seconds=60)
"""How long to wait where a person has to put something right before a try can succeed."""
LONGEST_RETRY_AFTER = timedelta(minutes=10)
MOST_READ = 4096
"""Bytes of an answer that are looked at; the rest is nobody's news."""

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
UNFIT = frozenset({400, 413, 422})
"""Statuses that find fault with the message itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def taken(self) -> bool:
        """Whether it is a yes."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Call:
    """How to reach a server. `name` begins every complaint; the address may be secret and is not shown."""

    name: str
    timeout: timedelta = timedelta(seconds=5)
    ssl_context: Callable[[], SSLContext] | None = None

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post it; any answer is an answer. Raises DeliveryError where there was none."""
        return self._request("POST", url, body=body, headers=headers)

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Ask for it."""
        return self._request("GET", url, body=None, headers=headers)

    def _request(self, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        if not is_address(url):
            raise DeliveryError(f"{self.name}: is not an http(s) address", retry_after=FIX_WAIT, broken=True)
        ends = time.monotonic() + self.timeout.total_seconds()
        try:
            context = self.ssl_context() if self.ssl_context and url.startswith("https") else None
        except (OSError, ValueError) as error:
            reason = f"{self.name}: its TLS files cannot be used ({type(error).__name__})"
            raise DeliveryError(reason, retry_after=FIX_WAIT, broken=True) from None
        # A connection a call: messages are rare, and an idle one may be dead without our knowing.
        with urllib3.PoolManager(retries=False, ssl_context=context) as pool:
            return self._called(lambda: _exchange(pool, method, url, body, headers, ends))

    def _called(self, call: Callable[[], T]) -> T:
        """Always raised `from None`, because the causes may show the address."""
        try:
            return call()
        except (NewConnectionError, NameResolutionError, ConnectTimeoutError) as error:
            raise DeliveryError(f"{self.name}: cannot be reached ({_cause(error)})") from None
        except (SSLError, LocationParseError) as error:
            raise DeliveryError(
                f"{self.name}: no secure connection ({type(error).__name__})", broken=True
            ) from None
        except (HTTPError, OSError, ValueError) as error:
            reason = f"{self.name}: gave no answer ({type(error).__name__})"
            raise DeliveryError(reason, uncertain=True) from None


def _exchange(
    pool: urllib3.PoolManager,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    ends: float,
) -> Answer:
    left = ends - time.monotonic()
    response = pool.request(
        method,
        url,
        body=body,
        headers=headers,
        timeout=urllib3.Timeout(total=left),
        redirect=False,
        preload_content=False,
    )
    read = b""
    while len(read) < MOST_READ and time.monotonic() < ends:
        if not (piece := response.read1(MOST_READ - len(read))):
            break
        read += piece
    response.close()
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, read)


def refused(name: str, answer: Answer) -> DeliveryError:
    """What an answer other than yes means; what the server wrote is not shown, for it may quote secrets."""
    shown = f"{name}: refused (HTTP {answer.status})"
    if answer.status in UNFIT:
        return DeliveryError(f"{name}: does not take this message (HTTP {answer.status})", permanent=True)
    if answer.status == 429:
        return DeliveryError(f"{name}: too many messages", retry_after=retry_after(answer.headers))
    if answer.status in TRANSIENT or answer.status >= 500:
        # It may have done part of the work before it failed.
        wait = retry_after(answer.headers) if "retry-after" in answer.headers else None
        return DeliveryError(shown, uncertain=True, retry_after=wait)
    if 300 <= answer.status < 400:
        shown = f"{name}: answers a redirection (HTTP {answer.status}), which is not followed"
    return DeliveryError(shown, retry_after=FIX_WAIT, broken=True)


def retry_after(headers: Mapping[str, str]) -> timedelta:
    """How long the other side wants to be left alone: whole seconds, within reason; a second where unsaid."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    seconds = int(value) if value.isascii() and value.isdigit() else 1
    return min(LONGEST_RETRY_AFTER, timedelta(seconds=min(max(1, seconds), 86400)))


def secret(source: Callable[[], str], what: str) -> str:
    """The current secret, or an error that names it without showing it."""
    try:
        found = source().strip()
    except (OSError, ValueError) as error:
        reason = f"{what}: cannot be read ({type(error).__name__})"
        raise DeliveryError(reason, retry_after=FIX_WAIT, broken=True) from None
    if not found:
        raise DeliveryError(f"{what}: is empty", retry_after=FIX_WAIT, broken=True)
    if not all("!" <= char <= "~" for char in found):
        reason = f"{what}: holds spaces or characters that no secret has"
        raise DeliveryError(reason, retry_after=FIX_WAIT, broken=True)
    return found


def is_address(url: str) -> bool:
    """Whether it is an http or https address with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _cause(error: HTTPError) -> str:
    if isinstance(error, NameResolutionError):
        return "its name is not known"
    return "no connection in time" if isinstance(error, ConnectTimeoutError) else "no connection"
