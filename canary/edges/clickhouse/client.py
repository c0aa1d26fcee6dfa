"""The connection to one ClickHouse server: one statement, one answer, every failure one clear line.

The only file that knows clickhouse-connect.
"""

import logging
import re
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from clickhouse_connect.driver import httputil
from clickhouse_connect.driver.binding import format_bind_value
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, StreamCompleteException
from clickhouse_connect.driver.httpclient import HttpClient
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3 import exceptions as http

from canary.edges.clickhouse.guard import Known, matters
from canary.edges.clickhouse.settings import Settings
from canary.edges.clickhouse.sql import Parameter, Statement

CLIENT_NAME = "ingestion-canary"
RENEW = timedelta(minutes=10)
"""Connect anew this often: a profile that changed is seen, and the host's name is resolved again."""

_DENIED = frozenset({192, 193, 194, 492, 516})
_BUDGET = frozenset({158, 159, 160, 241, 307, 396})
_GONE = frozenset({16, 36, 47, 60, 81, 386})
_READONLY = 164
_CHANGED = frozenset({_READONLY, 452})
_NOTHING_TO_ESCAPE = re.compile(r"[\w.:@/ -]*").fullmatch
_WRONG_ANSWER = (
    StreamCompleteException,
    ValueError,
    LookupError,
    struct.error,
    EOFError,
    TypeError,
    AttributeError,
)
"""The driver parses whatever answers: bytes that no ClickHouse sent end in any of these."""


class Blind(Exception):  # noqa: N818 - reads as a state
    """The server could not be asked; `over_budget` when it refused because of the question's size.

    `stale_schema` when what we believe about the table may be out of date.
    """

    def __init__(self, reason: str, *, over_budget: bool = False, stale_schema: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.over_budget = over_budget
        self.stale_schema = stale_schema


@dataclass(frozen=True, slots=True)
class Reply:
    """Rows as text by logical name, and what reading them cost the server."""

    rows: Sequence[Mapping[str, str | None]]
    rows_read: int
    bytes_read: int


class Server:
    """Connects when first asked and again when the password changed; not for use by two threads at once."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings = settings
        self._url = url
        self._client: HttpClient | None = None
        self._pool: _Pool | None = None
        self._password = ""
        self._known: Mapping[str, Known] = {}
        self._age = 0.0

    def known(self) -> Mapping[str, Known]:
        """The server's settings as they are for us; connects if need be. Raises Blind."""
        self._connected()
        return self._known

    def ask(self, statement: Statement, send: Mapping[str, str], *, timeout: timedelta) -> Reply:
        """Raises Blind, whatever went wrong outside."""
        client = self._connected()
        assert self._pool is not None  # set together with the client
        self._pool.deadline = timeout.total_seconds()
        try:
            result = client.query(statement.sql, parameters=bound(statement.parameters), settings=dict(send))
            rows = [dict(zip(statement.fields, _texts(row), strict=False)) for row in result.result_rows]
        except ClickHouseError as error:
            raise self._blind(error, timeout) from None
        except (http.HTTPError, OSError) as error:
            raise self._blind(error, timeout) from None
        except _WRONG_ANSWER as error:
            raise Blind(f"the answer is not ClickHouse's ({type(error).__name__})") from None
        summary = result.summary or {}
        return Reply(rows, _count(summary.get("read_rows")), _count(summary.get("read_bytes")))

    def close(self) -> None:
        """Drops the connections; the next question would connect again."""
        client, pool = self._client, self._pool
        self._client = self._pool = None
        if client is not None:
            client.close()
        if pool is not None:
            pool.clear()

    def _connected(self) -> HttpClient:
        password = self._read_password()
        young = time.monotonic() - self._age < RENEW.total_seconds()
        if self._client is not None and password == self._password and young:
            return self._client
        self.close()
        self._password = password
        timeout = self._settings.timeout
        self._pool = _pool(self._settings, timeout)
        try:
            self._client = _client(self._settings, self._url, password=password, pool=self._pool)
        except ClickHouseError as error:
            raise self._blind(error, timeout) from None
        except (http.HTTPError, OSError) as error:
            raise self._blind(error, timeout) from None
        except _WRONG_ANSWER as error:
            raise Blind(f"what answers is not ClickHouse ({type(error).__name__})") from None
        self._known = {
            name: Known(value=str(one.value), fixed=bool(one.readonly))
            for name, one in self._client.server_settings.items()
            if matters(name)
        }
        self._age = time.monotonic()
        return self._client

    def _read_password(self) -> str:
        if self._settings.password is None:
            return ""
        try:
            return self._settings.password()
        except (OSError, ValueError) as error:
            # what a secret of ours says names its file; the words of others might hold what they read
            ours = isinstance(error, ValueError) and not isinstance(error, UnicodeError)
            raise Blind(f"the password cannot be read ({error if ours else type(error).__name__})") from None

    def _blind(self, error: Exception, timeout: timedelta) -> Blind:
        code = error.code if isinstance(error, DatabaseError) else None
        reason = _refused(error, code, user=self._settings.user) if code else _broken(error, timeout)
        if reason.startswith("authentication") or code in _CHANGED:
            self.close()
        if self._password:
            reason = reason.replace(self._password, "***")
        return Blind(reason, over_budget=code in _BUDGET, stale_schema=code in _GONE)


class _Listed:
    """A list as ClickHouse writes it. The driver goes through every character of every item, which was most
    of what a question of a few hundred ids costs; what needs no escaping is spared that."""

    def __init__(self, items: Sequence[str | int]) -> None:
        self._text = f"[{', '.join(map(_quoted, items))}]"

    def __str__(self) -> str:
        return self._text


def bound(parameters: Mapping[str, Parameter]) -> dict[str, str | _Listed]:
    """Parameters as the driver is handed them: it writes what it does not know by its `str`."""
    return {name: one if isinstance(one, str) else _Listed(one) for name, one in parameters.items()}


def _quoted(item: str | int) -> str:
    plain = isinstance(item, str) and _NOTHING_TO_ESCAPE(item)
    return f"'{item}'" if plain else str(format_bind_value(item, top_level=False))


class _Pool(PoolManager):
    """Tries once and waits no longer than its deadline, which the driver alone would not promise."""

    deadline = 2.0

    def request(self, method: str, url: str, *args: Any, **kw: Any) -> BaseHTTPResponse:
        kw |= {"retries": False, "redirect": False}
        kw["timeout"] = Timeout(connect=min(2.0, self.deadline), read=self.deadline)
        return super().request(method, url, *args, **kw)


def _pool(settings: Settings, timeout: timedelta) -> _Pool:
    tls = settings.tls
    options = httputil.get_pool_manager_options(
        ca_cert=tls.ca if tls else None,
        verify=tls.verify if tls else True,
        client_cert=tls.cert if tls else None,
        client_cert_key=tls.key if tls else None,
    )
    pool = _Pool(**options)
    pool.deadline = timeout.total_seconds()
    return pool


def _client(settings: Settings, url: str, *, password: str, pool: _Pool) -> HttpClient:
    # The driver warns of every failed request; the one who asked decides what is worth a line.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    by_certificate = secure and settings.password is None and settings.tls is not None
    return HttpClient(
        "https" if secure else "http",
        parts.hostname or "localhost",
        parts.port or (8443 if secure else 8123),
        settings.user,
        password,
        None,
        query_retries=0,
        connect_timeout=2,
        send_receive_timeout=2,
        client_name=CLIENT_NAME,
        client_cert=settings.tls.cert if by_certificate and settings.tls else None,
        pool_mgr=pool,
        proxy_path=parts.path,
        tz_source="server",
        show_clickhouse_errors="scrub",
        autogenerate_session_id=False,
        autogenerate_query_id=True,
        form_encode_query_params=True,
    )


def _refused(error: Exception, code: int, *, user: str) -> str:
    """The server answered, and the answer was no."""
    if code in _DENIED:
        return f"authentication failed for user {user}"
    text = _line(str(error))
    if code == _READONLY:
        return f"settings cannot be made safe (readonly=1): {text}"
    return text


def _broken(error: BaseException | None, timeout: timedelta) -> str:
    """No answer that we could use: the innermost reason that says something."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    for kind, words in _TRANSPORT:
        if any(isinstance(one, kind) for one in chain):
            return words or f"timed out after {timeout.total_seconds():g} s"
    text = _line(str(chain[0]))
    if "HTTP status 401" in text or "HTTP status 403" in text:
        return f"authentication failed ({text})"
    return text


# From the particular to the general: urllib3's "no connection" is also a time-out to it.
_TRANSPORT: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "connection refused"),
    (http.NameResolutionError, "the host's name cannot be resolved"),
    (ConnectionResetError, "connection reset"),
    (BrokenPipeError, "connection reset"),
    (http.SSLError, "TLS failed: the certificate or the protocol was not accepted"),
    (http.NewConnectionError, "no way to the host"),
    (http.TimeoutError, ""),
    (TimeoutError, ""),
    (http.ProtocolError, "connection reset"),
)
_PREAMBLE = re.compile(
    r"^Received ClickHouse exception, code: \d+, server response: (Code: \d+\. DB::Exception: )?"
)


def _line(text: str) -> str:
    return _PREAMBLE.sub("", " ".join(text.split()))[:300]


def _texts(row: Sequence[object]) -> list[str | None]:
    return [None if value is None else str(value) for value in row]


def _count(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0
