"""Which settings a query carries so that its answer cannot be half a truth and its cost stays small."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from canary.edges.clickhouse.settings import Settings

LOG_COMMENT = "ingestion-canary"
MAX_RESULT_BYTES = 256 * 1024 * 1024

_EXACT = {
    "skip_unavailable_shards": "0",
    "fallback_to_stale_replicas_for_distributed_queries": "0",
    "use_query_cache": "0",
    "limit": "0",
    "offset": "0",
    "final": "0",
    "additional_table_filters": "{}",
    "additional_result_filter": "",
}
_DELAY = "max_replica_delay_for_distributed_queries"
_WISHES = {"use_query_condition_cache": "0", "optimize_skip_unused_shards": "0", "log_comment": LOG_COMMENT}


_LIMITS = (
    "max_threads",
    "priority",
    "max_execution_time",
    "max_bytes_to_read",
    "max_result_rows",
    "max_result_bytes",
)


def matters(name: str) -> bool:
    """Whether a setting is one of the few that a query of ours cares for."""
    return name.endswith("_overflow_mode") or name in {*_EXACT, *_WISHES, *_LIMITS, _DELAY}


@dataclass(frozen=True, slots=True)
class Known:
    """A setting as the server tells it: its value for us, and whether we may change it."""

    value: str
    fixed: bool


@dataclass(frozen=True, slots=True)
class Guard:
    """Settings to send; `unsafe` names what cannot be made safe, `unkept` which limits are the server's."""

    send: Mapping[str, str]
    unsafe: Sequence[str] = ()
    unkept: Sequence[str] = ()


def limits(settings: Settings, *, time: timedelta, size: int, rows: int) -> dict[str, str]:
    """What one query may take from its host."""
    seconds = max(1, round(time.total_seconds()))
    values = (settings.max_threads, settings.priority, seconds, size, rows, MAX_RESULT_BYTES)
    return {name: str(value) for name, value in zip(_LIMITS, values, strict=True)}


def guard(known: Mapping[str, Known], *, cost: Mapping[str, str], max_delay: timedelta) -> Guard:
    """Send what the server knows and lets us change; judge what it has fixed by its value."""
    delay = str(max(1, round(max_delay.total_seconds())))
    modes = {name: "throw" for name in known if name.endswith("_overflow_mode")}
    vital = {**_EXACT, **modes, _DELAY: delay}
    send: dict[str, str] = {}
    unsafe: list[str] = []
    unkept: list[str] = []
    for name, value in {**vital, **_WISHES, **cost}.items():
        setting = known.get(name)
        if setting is None or setting.value == value:
            continue
        if not setting.fixed:
            send[name] = value
        elif name in vital and not _safe(name, setting.value):
            unsafe.append(name)
        elif name in cost or name == "log_comment":
            unkept.append(name)
    return Guard(send=send, unsafe=tuple(unsafe), unkept=tuple(unkept))


def _safe(name: str, value: str) -> bool:
    """Whether a value that is not ours and cannot be changed still forbids silent half-answers."""
    if name == _DELAY:
        return value not in ("", "0")
    return False
