"""`[alerts]` and `[[objectives]]`: when a person hears of something, and what was promised."""

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from canary.config.fields import Count, Duration, Name, Number, Span, Table, Text, wrong

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Severity = Literal["page", "ticket", "note"]


def _clock(value: str) -> str:
    try:
        told = time.fromisoformat(value)
    except ValueError:
        told = None
    if told is None or told.tzinfo is not None or len(value) != 5:
        raise wrong('must be a time of day such as "02:30"')
    return value


def _moment(value: Any) -> Any:
    """A moment with its zone, as a TOML date or as text."""
    if isinstance(value, datetime):
        value = value.isoformat()
    try:
        told = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        told = None
    if told is None or told.tzinfo is None:
        raise wrong('must be a moment with its zone, such as "2026-03-01T22:00:00Z"')
    return told.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # a zone that is not there is a KeyError
        raise wrong('must be a time zone that this machine knows, such as "Europe/Berlin"') from None
    return value


def _day(value: str) -> str:
    if value not in DAYS:
        raise wrong(f"must be one of {', '.join(DAYS)}")
    return value


Clock = Annotated[str, AfterValidator(_clock)]
Moment = Annotated[str, BeforeValidator(_moment)]
Zone = Annotated[str, AfterValidator(_zone)]
Day = Annotated[str, AfterValidator(_day)]


_Holding = create_model("_Holding", __base__=Table, **{"for": (Duration | None, None)})  # type: ignore[call-overload]
"""With the key `for`, which is a word of Python's own and cannot be written as the others are."""


class RuleConfig(_Holding):  # type: ignore[misc, valid-type]
    """`[[alerts.rules]]`: what is not set stays as it is by default for those keys."""

    match: str
    repeat: Duration | None = None
    resolve_delay: Duration | None = None
    after_cause: Duration | None = None
    growth: Annotated[Number, Field(gt=1)] | None = None
    growth_gap: Duration | None = None
    severity: Severity | None = None
    open_at: Annotated[Number, Field(ge=0)] | None = None
    close_at: Annotated[Number, Field(ge=0)] | None = None
    min_events: Annotated[Count, Field(ge=0)] | None = None
    min_bad: Annotated[Count, Field(ge=0)] | None = None
    thin: Literal["page", "ticket", "note", "nothing"] | None = None

    @property
    def hold(self) -> timedelta | None:
        """What `for` says: how long it must hold before anybody is told."""
        held: timedelta | None = getattr(self, "for")
        return held


class MaintenanceConfig(Table):
    """`[[alerts.maintenance]]`: hours in which nothing is sent, again and again or once."""

    match: str = ""
    at: Clock = "00:00"
    days: tuple[Day, ...] = DAYS
    zone: Zone = "UTC"
    start: Moment | None = None
    length: Span
    author: Text = "the configuration"
    reason: str = ""


class AlertsConfig(Table):
    """`[alerts]`: the limits over all messages, and the lists below it."""

    per_hour: Annotated[Count, Field(ge=1)] = 60
    burst: Annotated[Count, Field(ge=1)] = 6
    crowd: Annotated[Count, Field(ge=1)] = 20
    keep: Span = timedelta(days=30)
    rules: tuple[RuleConfig, ...] = ()
    maintenance: tuple[MaintenanceConfig, ...] = ()


class ObjectiveConfig(Table):
    """`[[objectives]]`: what was promised, in percent of what is counted."""

    name: Name
    kind: Literal["on_time", "delivered", "latency", "freshness", "downtime"]
    target: Annotated[Number, Field(gt=0, lt=100)]
    within: Span | None = None
    probe: Name | None = None
    over: Span = timedelta(days=30)
