"""What a post looks like: PostHog's capture shapes, and a generic JSON shape by template."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from canary.values import Event

DEFAULT_TEMPLATE = (
    '{"id": "{id}", "event": "{event}", "distinct_id": "{distinct_id}",'
    ' "timestamp": "{timestamp}", "properties": "{properties}"}'
)


class Shape(Protocol):
    """How events become a request."""

    def path(self, count: int) -> str:
        """Where so many events are posted to."""
        ...

    def body(self, events: Sequence[Event], *, token: str, sent_at: datetime) -> bytes:
        """What is posted."""
        ...


class PostHogShape:
    """`/i/v0/e`, `/e`, `/capture` take one event; several, or any number at `/batch`, go as a batch."""

    def __init__(self, path: str) -> None:
        self._path = path

    def path(self, count: int) -> str:
        return self._path or ("/i/v0/e" if count == 1 else "/batch")

    def body(self, events: Sequence[Event], *, token: str, sent_at: datetime) -> bytes:
        if len(events) == 1 and not self._path.rstrip("/").endswith("/batch"):
            # `token` is another name of `api_key`: capture refuses an event that has both
            return _bytes({"api_key": token, **_posthog(events[0])})
        return _bytes(
            {
                "api_key": token,
                "historical_migration": False,
                "batch": [_posthog(event) for event in events],
                "sent_at": _iso(sent_at),
            }
        )


class TemplateShape:
    """Any JSON by template.

    A string that is one placeholder becomes that value (`"{properties}"` an object, `"{timestamp_ms}"` a
    number); inside longer strings placeholders are filled in as text. Several events go as an array, or
    into `batch_template`, where the string `"{events}"` stands for that array.
    """

    def __init__(self, path: str, *, template: str | None, batch_template: str | None) -> None:
        self._path = path or "/"
        self._template = _parsed("template", template or DEFAULT_TEMPLATE, ("{id}", "{properties}"))
        self._batch = (
            None if batch_template is None else _parsed("batch_template", batch_template, ("{events}",))
        )

    def path(self, count: int) -> str:  # noqa: ARG002 - one path for all
        return self._path

    def body(self, events: Sequence[Event], *, token: str, sent_at: datetime) -> bytes:
        general = {"{token}": lambda: token, "{sent_at}": lambda: _iso(sent_at)}
        filled = [_fill(self._template, {**_facts(event), **general}) for event in events]
        if self._batch is not None:
            return _bytes(_fill(self._batch, {"{events}": lambda: filled, **general}))
        return _bytes(filled[0] if len(filled) == 1 else filled)


def _posthog(event: Event) -> dict[str, Any]:
    return {
        "uuid": str(event.id),
        "event": event.name,
        "distinct_id": event.distinct_id,
        "timestamp": _iso(event.timestamp),
        "properties": dict(event.properties),
    }


def _facts(event: Event) -> dict[str, Callable[[], Any]]:
    return {
        "{id}": lambda: str(event.id),
        "{event}": lambda: event.name,
        "{distinct_id}": lambda: event.distinct_id,
        "{timestamp}": lambda: _iso(event.timestamp),
        "{timestamp_ms}": lambda: int(event.timestamp.timestamp() * 1000),
        "{properties}": lambda: dict(event.properties),
    }


def _fill(template: Any, facts: dict[str, Callable[[], Any]]) -> Any:
    if isinstance(template, dict):
        return {name: _fill(value, facts) for name, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, facts) for value in template]
    if not isinstance(template, str) or "{" not in template:
        return template
    if template in facts:
        return facts[template]()
    for placeholder, fact in facts.items():
        if placeholder in template:
            value = fact()
            template = template.replace(placeholder, value if isinstance(value, str) else json.dumps(value))
    return template


def _parsed(name: str, template: str, needed: tuple[str, ...]) -> Any:
    try:
        parsed = json.loads(template)
    except ValueError as error:
        raise ValueError(f"probes.{name}: must be JSON ({error})") from error
    if not any(placeholder in template for placeholder in needed):
        raise ValueError(f"probes.{name}: must hold {' or '.join(needed)}, or nobody could find its events")
    return parsed


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
