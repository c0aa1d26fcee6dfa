"""Which faults there are, and which event or post each one acts on: decisions only, nothing is done here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

CANARY = "ingestion_canary"

EVENT_KINDS = ("drop", "duplicate", "delay", "reorder", "corrupt")
POST_KINDS = (
    "refuse",
    "error",
    "error-stored",
    "throttle",
    "timeout-stored",
    "timeout-lost",
    "accept-and-drop",
)
PART_KINDS = ("freeze", "restart", "slow", "down")
KINDS = (*EVENT_KINDS, "stop", *POST_KINDS, *PART_KINDS, "blind", "skew")

TOPICS_AND_TABLE = ("raw", "processed", "events")
EVERYWHERE = ("ingress", *TOPICS_AND_TABLE)
_PLACES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(EVENT_KINDS, TOPICS_AND_TABLE),
    "stop": ("processed", "events"),
    **dict.fromkeys(POST_KINDS, ("ingress",)),
    "throttle": ("ingress", "slack"),
    **dict.fromkeys(PART_KINDS, (*EVERYWHERE, "slack")),
    "blind": EVERYWHERE,
    "skew": EVERYWHERE,
}
_HOWS: dict[str, tuple[str, ...]] = {
    "duplicate": ("same", "another-day"),
    "blind": ("refuse", "deny", "hang"),
}
_COUNTED = (*EVENT_KINDS, *POST_KINDS)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = timedelta(days=1000)
_KEYS = {"kind", "at", "count", "share", "block", "canaries", "lasts", "by", "field", "how"}


class FaultError(ValueError):
    """The fault asked for does not exist or its options do not fit together."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault as it was asked for; without `count` and `lasts` it holds until it is healed."""

    kind: str
    at: str
    count: int | None = None
    share: float | None = None
    block: int | None = None
    canaries: bool = False
    lasts: timedelta | None = None
    by: timedelta = timedelta(seconds=5)
    field: str | None = None
    how: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fault looks at when it decides about an event or a post."""

    uuid: str
    canary: bool
    lane: int = 0


@dataclass(frozen=True, slots=True)
class Active:
    """A fault that is on: how often it may still strike, and the lane its block is taken from."""

    fault: Fault
    since: datetime
    left: int | None
    lane: int | None = None

    def expired(self, now: datetime) -> bool:
        return self.fault.lasts is not None and now >= self.since + self.fault.lasts


def duration(text: str, *, option: str = "duration") -> timedelta:
    """Read `500ms`, `5s`, `2m`, `1h`; a bare number is seconds."""
    found = _DURATION.fullmatch(text if text and text[-1].isalpha() else f"{text}s")
    if found is None:
        raise FaultError(f'{option}: must look like 500ms, 5s, 2m or 1h (got "{text}")')
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > _LONGEST.total_seconds():
        raise FaultError(f'{option}: must be at most {_LONGEST.days * 24}h (got "{text}")')
    return timedelta(seconds=seconds)


def fault_from(options: Mapping[str, Any]) -> Fault:
    """A fault from plain options (durations as text); raises FaultError with every rule it breaks first."""
    kind, at = options.get("kind"), options.get("at")
    if kind not in KINDS:
        raise FaultError(f'kind: must be one of {", ".join(KINDS)} (got "{kind}")')
    unknown = sorted(set(options) - _KEYS)
    if unknown:
        raise FaultError(f'{unknown[0]}: there is no such option (got "{options[unknown[0]]}")')
    places = _PLACES[kind]
    if at is None and kind in POST_KINDS:
        at = "ingress"
    if at not in places:
        raise FaultError(f'--at: must be one of {", ".join(places)} for {kind} (got "{at or ""}")')
    lasts, by = options.get("lasts"), options.get("by")
    fault = Fault(
        kind=kind,
        at=at,
        count=options.get("count"),
        share=options.get("share"),
        block=options.get("block"),
        canaries=bool(options.get("canaries", False)),
        lasts=None if lasts is None else duration(lasts, option="--for"),
        by=timedelta(seconds=5)
        if by is None
        else _shift(by)
        if kind == "skew"
        else duration(by, option="--by"),
        field=options.get("field"),
        how=options.get("how") or _HOWS.get(kind, (None,))[0],
    )
    _check(fault)
    return fault


def _shift(text: str) -> timedelta:
    size = duration(text.removeprefix("-"), option="--by")
    return -size if text.startswith("-") else size


def _check(fault: Fault) -> None:
    chosen = [name for name in ("count", "share", "block") if getattr(fault, name) is not None]
    if len(chosen) > 1:
        raise FaultError(f"--{chosen[0]}: cannot be given together with --{chosen[1]}")
    if (chosen or fault.canaries) and not counted(fault):
        option = chosen[0] if chosen else "canaries"
        raise FaultError(f"--{option}: means nothing for {fault.kind} --at {fault.at}")
    if fault.share is not None and not 0 < fault.share <= 1:
        raise FaultError(f"--share: must be above 0 and at most 1 (got {fault.share})")
    for name in ("count", "block"):
        value = getattr(fault, name)
        if value is not None and value < 1:
            raise FaultError(f"--{name}: must be at least 1 (got {value})")
    if fault.field is not None and fault.kind != "corrupt":
        raise FaultError(f'--field: only for corrupt (got "{fault.field}")')
    if fault.how not in _HOWS.get(fault.kind, (None,)):
        raise FaultError(
            f'--how: must be one of {", ".join(_HOWS.get(fault.kind, ("nothing",)))} (got "{fault.how}")'
        )


def counted(fault: Fault) -> bool:
    """Whether the fault acts on single events or posts, rather than on a whole part."""
    return fault.kind in _COUNTED and fault.at != "slack"


def activate(fault: Fault, now: datetime) -> Active:
    return Active(fault, now, fault.count if fault.block is None else fault.block)


def strike(active: Active, subject: Subject, now: datetime) -> Active | None:
    """The fault as it is after striking this subject, or None where it leaves it alone."""
    fault = active.fault
    if active.left == 0 or active.expired(now) or (fault.canaries and not subject.canary):
        return None
    if fault.share is not None and crc32(subject.uuid.encode()) / 2**32 >= fault.share:
        return None
    if fault.block is not None and active.lane not in (None, subject.lane):
        return None
    return replace(
        active,
        left=None if active.left is None else active.left - 1,
        lane=subject.lane if fault.block is not None else None,
    )
