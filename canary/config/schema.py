"""What the models say of themselves: which keys a table has, and what kind of value a key takes."""

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from canary.config.alerts import AlertsConfig, ObjectiveConfig
from canary.config.audit import AuditConfig
from canary.config.changes import ChangesConfig
from canary.config.counters import CountersConfig
from canary.config.fields import Table
from canary.config.ledger import LedgerConfig
from canary.config.models import CanaryConfig, Config, SlackConfig, WebConfig
from canary.config.probes import ProbeConfig
from canary.config.secret import Secret
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig
from canary.config.ways import (
    AlertmanagerConfig,
    CommandConfig,
    DeliveryConfig,
    HeartbeatConfig,
    WebhookConfig,
)

Path = tuple[str | int, ...]
"""Where a value stands: table, index in a list of tables, key."""

SINGLE: Mapping[str, type[Table]] = types.MappingProxyType(
    {
        "canary": CanaryConfig,
        "ledger": LedgerConfig,
        "web": WebConfig,
        "audit": AuditConfig,
        "changes": ChangesConfig,
        "counters": CountersConfig,
        "slack": SlackConfig,
        "alerts": AlertsConfig,
        "alertmanager": AlertmanagerConfig,
        "webhook": WebhookConfig,
        "command": CommandConfig,
        "delivery": DeliveryConfig,
        "heartbeat": HeartbeatConfig,
    }
)
OPTIONAL = ("slack", "alertmanager", "webhook", "command", "heartbeat")
"""Tables without which there is nothing of their kind, rather than one with defaults."""
LISTS = ("probes", "stages", "objectives")
REQUIRED = ("probes", "stages")
"""Lists that every configuration has."""

KINDS: Mapping[str, type[Table]] = types.MappingProxyType(
    {"kafka": KafkaStageConfig, "clickhouse": ClickHouseStageConfig}
)


def kinds_of(annotation: Any) -> frozenset[Any]:
    """The plain types in an annotation: unions opened, what is inside containers left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return kinds_of(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return frozenset().union(*(kinds_of(part) for part in get_args(annotation)))
    return frozenset({origin or annotation})


def table_at(path: Path, raw: Any) -> type[Table] | None:
    """The model of the table at this path; None where there is none, or a stage's kind is unknown."""
    if not path:
        return Config
    head, rest = path[0], path[1:]
    if head in LISTS:
        if not rest:
            return None
        model, rest = _item(str(head), value_at(path[:2], raw)), rest[1:]
    else:
        model = SINGLE.get(str(head))
    for key in rest:
        if not isinstance(key, int):  # a number picks one of a list's tables, which are all alike
            model = None if model is None else _inner(model, key)
    return model


def _item(head: str, value: Any) -> type[Table] | None:
    if head in ("probes", "objectives"):
        return ProbeConfig if head == "probes" else ObjectiveConfig
    kind = value.get("kind") if isinstance(value, dict) else None
    return KINDS.get(kind) if isinstance(kind, str) else None


def _inner(model: type[Table], key: str | int) -> type[Table] | None:
    field = model.model_fields.get(str(key))
    kinds = kinds_of(field.annotation) if field else frozenset()
    if field and tuple in kinds:
        kinds = kinds_of(next(iter(get_args(field.annotation)), None))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Table)), None)


def kinds_at(path: Path, raw: Any) -> frozenset[Any]:
    """What a key takes; nothing where the key is not known."""
    table = table_at(path[:-1], raw)
    if table is not None:
        field = table.model_fields.get(str(path[-1]))
        return kinds_of(field.annotation) if field else frozenset()
    inside = annotation_at(path[:-1], raw) if len(path) > 2 else None
    return kinds_of(get_args(inside)[-1]) if get_origin(inside) is dict else frozenset()


def annotation_at(path: Path, raw: Any) -> Any:
    """The annotation of a key as it stands in its model; None where the key is not known."""
    table = table_at(path[:-1], raw)
    field = table.model_fields.get(str(path[-1])) if table else None
    return field.annotation if field else None


def is_secret(path: Path, raw: Any) -> bool:
    """Whether the value itself must not be shown (the name of a file that holds it may be)."""
    return Secret in kinds_at(path, raw) and not str(path[-1]).endswith("_file")


def value_at(path: Path, raw: Any) -> Any:
    """The value at this path; None where there is none."""
    for step in path:
        if isinstance(raw, dict):
            raw = raw.get(step)
        elif isinstance(raw, list) and isinstance(step, int) and 0 <= step < len(raw):
            raw = raw[step]
        else:
            return None
    return raw


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean ...?` or nothing."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def shown(path: Path, raw: Any) -> str:
    """The path as messages spell it: list items by their name, where they have one of their own."""
    parts: list[str] = []
    for index, step in enumerate(path):
        name = value_at((*path[: index + 1], "name"), raw) if isinstance(step, int) else None
        twins = value_at(path[:index], raw) if isinstance(name, str) else None
        names = [item.get("name") for item in twins if isinstance(item, dict)] if twins else []
        own = isinstance(name, str) and name.replace("_", "").replace("-", "").isalnum()
        parts.append(str(name) if own and names.count(name) == 1 else str(step))
    return ".".join(parts)
