"""Posts canaries to an HTTP ingress and says, of each post, what is known to have become of it."""

import json
import re
import threading
import time
import unicodedata
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import SplitResult, quote, urlsplit

from canary.edges.http.shape import PostHogShape, Shape, TemplateShape
from canary.edges.http.tls import TlsContexts, TlsFiles
from canary.edges.http.wire import Heard, Resolver, Unanswered, Unconnected, Unsent, Wire, connect
from canary.values import Answer, Event, Now, Secret
from reconcile.outcome import Receipt, combined

MAX_DETAIL = 200
MIN_SECRET = 8
"""Values of headers shorter than this hide nothing, and would blot out half a text."""

GZIP, WINDOW_BITS, MEMORY_LEVEL = 16, 14, 6
"""A post is a few kilobytes: setting up zlib's usual quarter of a megabyte costs more than packing it."""

_RETRIED = (408, 429)
_OURS = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """One ingress, as a probe reaches it.

    Parameters
    ----------
    url: without a path, PostHog's own paths are used; with one, that path takes everything.
    headers: sent along, as they are at that moment; `{token}` in a value is the token.
    template, batch_template: for the generic preset, see `http_shape.TemplateShape`.
    timeout: of each try, from the name's lookup to the last byte of the answer.
    tries, patience: how often, and for how long in all, what was surely not taken is tried again: a 408,
        a 429, no connection.
    renew: how long a connection is used before the name is looked up again.
    """

    url: str
    token: Secret = field(repr=False)
    preset: Literal["posthog", "generic"] = "posthog"
    headers: Callable[[], Mapping[str, str]] = field(default=dict, repr=False)
    template: str | None = None
    batch_template: str | None = None
    gzip: bool = True
    timeout: timedelta = timedelta(seconds=2)
    tries: int = 3
    patience: timedelta = timedelta(seconds=10)
    renew: timedelta = timedelta(seconds=30)
    tls: TlsFiles = field(default_factory=TlsFiles)


@dataclass(frozen=True, slots=True)
class _Try:
    receipt: Receipt
    started_at: datetime
    detail: str
    status: int | None = None
    pause: float | None = None
    """Seconds to wait before the next try; None for a try that decides."""
    sent: bool = True


class HttpIngress:
    """One connection a lane. Any thread may post, but each lane has only one post in flight at a time."""

    def __init__(self, settings: Settings, *, now: Now) -> None:
        url, port = _url(settings.url)
        self._settings = settings
        self._now = now
        self._host = _ascii(url.hostname or "")
        name = f"[{self._host}]" if ":" in self._host else self._host
        self._host_header = name if port is None else f"{name}:{port}"
        self._resolver = Resolver(self._host, port or (443 if url.scheme == "https" else 80))
        self._tls = TlsContexts(settings.tls) if url.scheme == "https" else None
        self._shape = _shape(settings, quote(url.path, safe="/%:@!$&'()*+,;=~") if url.path != "/" else "")
        self._query = "?" + quote(url.query, safe="/%:@!$&'()*+,;=~?") if url.query else ""
        _check_headers(settings.headers())
        self._wires: dict[int, Wire] = {}
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def post(self, events: Sequence[Event], lane: int = 0, *, deadline: timedelta | None = None) -> Answer:
        """Post one event, or several as a batch; `deadline` is for each try. Never raises for the network."""
        if not events:
            raise ValueError("http.post: no events. This is a bug.")
        with self._lock:
            if lane in self._busy:
                raise ValueError(f"http.post: lane {lane} has a post in flight. This is a bug.")
            self._busy.add(lane)
        try:
            return self._answered(events, lane, deadline)
        finally:
            with self._lock:
                self._busy.discard(lane)
                if self._stopping.is_set():
                    self._drop(lane)

    def close(self) -> None:
        """End what is in flight and refuse what comes after."""
        with self._lock:
            self._stopping.set()
            for lane, wire in list(self._wires.items()):
                wire.abort()
                if lane not in self._busy:
                    self._drop(lane)

    def _answered(self, events: Sequence[Event], lane: int, deadline: timedelta | None) -> Answer:
        limit = (deadline or self._settings.timeout).total_seconds()
        end = time.monotonic() + self._settings.patience.total_seconds()
        tries: list[_Try] = []
        while True:
            one = self._try(events, lane, limit, len(tries))
            tries.append(one)
            if one.pause is None or len(tries) >= self._settings.tries:
                break
            if time.monotonic() + one.pause > end or self._stopping.wait(one.pause):
                break
        earlier = [str(each.status or "no connection") for each in tries[:-1]]
        before = "".join(f"{said}, " for said in earlier if one.status or said != "no connection")
        return Answer(
            receipt=combined([each.receipt for each in tries]),
            started_at=next((each.started_at for each in tries if each.sent), tries[0].started_at),
            answered_at=self._now(),
            tries=len(tries),
            status=one.status,
            detail=(f"{before}then {one.detail}" if before else one.detail)[:MAX_DETAIL],
        )

    def _try(self, events: Sequence[Event], lane: int, limit: float, earlier: int) -> _Try:
        started_at = self._now()
        try:
            token, given = self._settings.token().strip(), self._settings.headers()
            _check_headers(given)
        except (OSError, ValueError) as fault:
            told = _line(f"not sent: the token or the headers cannot be read: {fault}", ())
            return _Try(Receipt.REFUSED, started_at, told)
        secrets = (token, *(value for value in given.values() if len(value) >= MIN_SECRET))
        target, headers, body = self._request(events, token, given)
        deadline = time.monotonic() + limit  # a large batch takes us a while to write
        try:
            wire = self._wire(lane, deadline)
            started_at = self._now()
            heard = wire.exchange(
                target, host=self._host_header, headers=headers, body=body, deadline=deadline
            )
        except Unsent as fault:
            self._drop(lane)
            pause = _backoff(earlier) if isinstance(fault, Unconnected) else None
            told = _line(f"not sent: {fault}", secrets)
            return _Try(Receipt.REFUSED, started_at, told, pause=pause, sent=False)
        except Unanswered as fault:
            self._drop(lane)
            return _Try(Receipt.UNKNOWN, started_at, _line(f"sent, but no answer: {fault}", secrets))
        if not heard.again:
            self._drop(lane)
        pause = _pause(heard, earlier, self._now()) if heard.status in _RETRIED else None
        return _Try(_receipt(heard.status), started_at, _detail(heard, secrets), heard.status, pause)

    def _request(
        self, events: Sequence[Event], token: str, given: Mapping[str, str]
    ) -> tuple[str, dict[str, str], bytes]:
        body = self._shape.body(events, token=token, sent_at=self._now())
        headers = {"Content-Type": "application/json", "User-Agent": "ingestion-canary"}
        if self._settings.gzip:
            body = _gzipped(body)
            headers["Content-Encoding"] = "gzip"
        theirs = {name.lower() for name in given}
        headers = {name: value for name, value in headers.items() if name.lower() not in theirs}
        headers |= {name: value.replace("{token}", token) for name, value in given.items()}
        return self._shape.path(len(events)) + self._query, headers, body

    def _wire(self, lane: int, deadline: float) -> Wire:
        """The lane's connection, made anew when it is old or the other side has closed it."""
        wire = self._wires.get(lane)
        if wire is not None:
            if time.monotonic() - wire.born < self._settings.renew.total_seconds() and wire.usable:
                return wire
            self._drop(lane)
        if self._stopping.is_set():
            raise Unsent("this program is ending")
        tls = None if self._tls is None else self._tls.current()
        wire = self._wires[lane] = connect(self._resolver, tls=tls, host=self._host, deadline=deadline)
        return wire

    def _drop(self, lane: int) -> None:
        wire = self._wires.pop(lane, None)
        if wire is not None:
            wire.close()


def _receipt(status: int) -> Receipt:
    if 200 <= status < 300:
        return Receipt.ACCEPTED
    return Receipt.REFUSED if 300 <= status < 500 else Receipt.UNKNOWN


def _pause(heard: Heard, earlier: int, now: datetime) -> float:
    """Seconds until the next try: as the ingress asks, else longer each time."""
    asked = heard.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit() and len(asked) < 10:
        return max(0.1, float(asked))
    try:
        at = parsedate_to_datetime(asked)
    except (ValueError, OverflowError):
        return _backoff(earlier)
    return max(0.1, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def _backoff(earlier: int) -> float:
    return float(0.25 * 2.0**earlier)


def _detail(heard: Heard, secrets: Sequence[str]) -> str:
    said = f"{heard.status} {heard.reason}".strip()
    if 300 <= heard.status < 400:
        place = urlsplit(heard.headers.get("location", "")).netloc.rpartition("@")[2]
        said += f": redirects are not followed (to {place or 'another path'})"
    elif not heard.whole:
        said += " (the rest of the answer did not come whole)"
    elif heard.status < 300 and (limited := _limited(heard)):
        said += f": quota limited ({limited})"
    elif heard.status >= 400 and heard.body and "content-encoding" not in heard.headers:
        said += f": {heard.body.decode(errors='replace')}"
    return _line(said, secrets)


def _limited(heard: Heard) -> str:
    """What a quota drops although the answer is good, in the answer's own words; "" where it says nothing."""
    if b"quota" not in heard.body or "content-encoding" in heard.headers:
        return ""
    try:
        told = json.loads(heard.body)
    except (ValueError, RecursionError):
        return ""
    found = (told.get("quota_limited") or told.get("quotaLimited")) if isinstance(told, dict) else None
    return ", ".join(map(str, found)) if isinstance(found, list) else str(found or "")


def _line(text: str, secrets: Sequence[str]) -> str:
    """One safe line: nothing that moves a cursor or turns a text around, no secret, and short."""
    clean = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    clean = " ".join(clean.split())
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        clean = clean.replace(secret, "***")
    return clean if len(clean) <= MAX_DETAIL else clean[: MAX_DETAIL - 1] + "…"


def _gzipped(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, GZIP | WINDOW_BITS, MEMORY_LEVEL)
    return packer.compress(body) + packer.flush()


def _shape(settings: Settings, path: str) -> Shape:
    if settings.preset == "posthog":
        return PostHogShape(path)
    return TemplateShape(path, template=settings.template, batch_template=settings.batch_template)


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"probes.headers: not a name that can be set (got {name!r})")
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"probes.headers.{name}: must be printable ASCII")


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise ValueError(f"probes.url: not a host name (got {host!r})") from error


def _url(text: str) -> tuple[SplitResult, int | None]:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"probes.url: {error}") from error
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"probes.url: must be http://host or https://host (got scheme {url.scheme!r})")
    if "@" in url.netloc:
        raise ValueError("probes.url: must not hold a user or password; use headers")
    return url, port
