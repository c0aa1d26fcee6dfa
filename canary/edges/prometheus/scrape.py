"""Reads one Prometheus endpoint: the counters that were asked for, and when its process was born."""

import math
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import timedelta

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from canary.counted import CounterTroubleError
from reconcile.counters import Counters, Series

MOST = 16 * 1024 * 1024
BORN = "process_start_time_seconds"
_HEADERS = {"Accept": "text/plain; version=0.0.4", "User-Agent": "ingestion-canary"}


class Endpoint:
    """One replica's address. `cause` is the label that says why something was dropped."""

    def __init__(self, url: str, *, names: AbstractSet[str], cause: str, timeout: timedelta) -> None:
        self.url = url
        self._names = names
        self._cause = cause
        self._timeout = timeout.total_seconds()
        self._pool = urllib3.PoolManager(retries=False, maxsize=1)

    def read(self) -> Counters:
        """The counters now; raises CounterTroubleError."""
        return parsed(self._text(), url=self.url, names=self._names, cause=self._cause)

    def close(self) -> None:
        """Drop the connection."""
        self._pool.clear()

    def _text(self) -> str:
        try:
            answer = self._pool.request(
                "GET",
                self.url,
                headers=_HEADERS,
                timeout=urllib3.Timeout(total=self._timeout),
                redirect=False,
                preload_content=False,
            )
            try:
                if answer.status != 200:
                    raise CounterTroubleError(f"{self.url}: answers {answer.status}")
                body = answer.read(MOST + 1)
            finally:
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise CounterTroubleError(f"{self.url}: {type(error).__name__}") from None
        if len(body) > MOST:
            raise CounterTroubleError(f"{self.url}: answers more than {MOST // 1024 // 1024} MiB")
        return str(body.decode("utf-8", "replace"))


def parsed(text: str, *, url: str, names: AbstractSet[str], cause: str) -> Counters:
    """The series of these names, added up by cause; raises CounterTroubleError where it is no exposition."""
    values: dict[Series, float] = {}
    born: float | None = None
    try:
        for name, labels, value in _samples(text):
            if name == BORN:
                born = value
            if name in names and value >= 0 and math.isfinite(value):
                key = (url, name, labels.get(cause, ""))
                values[key] = values.get(key, 0.0) + value
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise CounterTroubleError(f"{url}: is no Prometheus endpoint ({type(error).__name__})") from None
    return Counters(values, born)


def _samples(text: str) -> Iterable[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
