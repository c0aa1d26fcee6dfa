"""The example file: complete, loadable, and telling the truth about defaults."""

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from canary.config import load
from canary.config.alerts import AlertsConfig, MaintenanceConfig, ObjectiveConfig, RuleConfig
from canary.config.audit import AuditConfig
from canary.config.changes import ChangesConfig
from canary.config.counters import CountersConfig
from canary.config.fields import Table, to_duration
from canary.config.ledger import LedgerConfig
from canary.config.models import CanaryConfig, SlackConfig, WebConfig
from canary.config.probes import ProbeConfig
from canary.config.render import toml_value
from canary.config.stages import ClickHouseStageConfig, ColumnsConfig, KafkaStageConfig, SaslConfig
from canary.config.tls import TlsConfig
from canary.config.ways import (
    AlertmanagerConfig,
    CommandConfig,
    DeliveryConfig,
    HeartbeatConfig,
    WebhookConfig,
)
from canary.edges.clickhouse.settings import DEFAULT_COLUMNS

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"
TABLES: list[tuple[type[Table], str]] = [
    (CanaryConfig, "canary"),
    (LedgerConfig, "ledger"),
    (WebConfig, "web"),
    (CountersConfig, "counters"),
    (ProbeConfig, "probes"),
    (KafkaStageConfig, "kafka"),
    (ClickHouseStageConfig, "clickhouse"),
    (AuditConfig, "audit"),
    (ChangesConfig, "changes"),
    (SlackConfig, "slack"),
    (AlertsConfig, "alerts"),
    (RuleConfig, "alerts.rules"),
    (MaintenanceConfig, "alerts.maintenance"),
    (ObjectiveConfig, "objectives"),
    (DeliveryConfig, "delivery"),
    (AlertmanagerConfig, "alertmanager"),
    (WebhookConfig, "webhook"),
    (CommandConfig, "command"),
    (HeartbeatConfig, "heartbeat"),
]
SETTING = re.compile(r"(#?)([a-z_]+) = (.+?)(  +# none by default.*)?$")


def _sections() -> dict[str, list[re.Match[str]]]:
    """Table (for stages: their kind) -> the settings of the example, commented out or not."""
    found: dict[str, list[re.Match[str]]] = {}
    at: list[re.Match[str]] = []
    for line in EXAMPLE.read_text().splitlines():
        if header := re.match(r"#?\[+([a-z.]+)\]+$", line):
            at = found.setdefault(header[1], [])
        elif setting := SETTING.match(line):
            if setting[2] == "kind" and tomllib.loads(line)["kind"] in ("kafka", "clickhouse"):
                at = found.setdefault(tomllib.loads(line)["kind"], [])
            at.append(setting)
    return found


def test_the_example_is_sound(tmp_path: Path) -> None:
    """As it is, it loads with no more than the note that the secret will be made."""
    file = tmp_path / "canary.toml"
    file.write_text(EXAMPLE.read_text())

    loaded = load(file, env={})

    assert [stage.name for stage in loaded.config.stages] == ["raw", "processed", "events"]
    assert loaded.warnings == ()
    assert [note.partition(" (")[0] for note in loaded.at_start] == [
        "canary.secret_file: is not there yet; the first start makes it"
    ]


@pytest.mark.parametrize(("model", "section"), TABLES)
def test_every_setting_is_in_the_example(model: type[Table], section: str) -> None:
    """No key of a model is missing from the example, and the example has no key of its own."""
    settings = {match[2] for match in _sections()[section]}
    names = _names_before_kind() if section in ("kafka", "clickhouse") else set()

    assert set(model.model_fields) == settings | names | _lists_of_tables(model)


def _lists_of_tables(model: type[Table]) -> set[str]:
    """Keys whose tables stand under headers of their own."""
    return {"rules", "maintenance"} if model is AlertsConfig else set()


def _names_before_kind() -> set[str]:
    return {match[2] for match in _sections()["stages"]}


@pytest.mark.parametrize(("model", "section"), TABLES)
def test_stated_defaults_are_the_defaults(model: type[Table], section: str) -> None:
    """What stands behind a `#` is the model's default, or is marked as none by default."""
    checked = 0
    for match in _sections()[section]:
        default = model.model_fields[match[2]].get_default(call_default_factory=True)
        if match[1] and match[4]:
            assert default in (None, {}, ()) or default is PydanticUndefined, match[0]
        elif match[1]:
            stated = tomllib.loads(f"value = {match[3]}")["value"]
            stated = to_duration(stated) if isinstance(default, timedelta) else stated
            assert stated == _as_toml(default), match[0]
        checked += 1

    assert checked > 0


def _as_toml(default: Any) -> Any:
    if isinstance(default, timedelta):
        return default
    if isinstance(default, Table):
        return default.model_dump(mode="json")
    return tomllib.loads(f"value = {toml_value(default)}")["value"]


@pytest.mark.parametrize("model", [TlsConfig, SaslConfig, ColumnsConfig])
def test_inner_tables_are_in_the_example(model: type[Table]) -> None:
    """Every key of an inner table is shown, the second way of a secret aside."""
    text = EXAMPLE.read_text()

    for key in model.model_fields:
        assert re.search(rf"\b{key}(_file)? = ", text), key


def test_default_columns_are_those_of_the_edge() -> None:
    """The configuration states the columns that the ClickHouse edge takes by itself."""
    assert dict(DEFAULT_COLUMNS) == ColumnsConfig().model_dump()


def _uncommented() -> Iterator[str]:
    absent = False  # inside a table that is not there: what stands under its header has no table to go to
    for line in EXAMPLE.read_text().splitlines():
        if header := re.match(r"(#?)\[", line):
            absent = bool(header[1])
        match = None if absent else SETTING.match(line)
        yield line[1:] if match and match[1] and not match[4] else line


def test_the_defaults_can_be_uncommented(tmp_path: Path) -> None:
    """Taking every `#` away from the defaults changes no value."""
    plain, spelled = tmp_path / "plain.toml", tmp_path / "spelled.toml"
    plain.write_text(EXAMPLE.read_text())
    spelled.write_text("\n".join(_uncommented()))

    first, second = load(plain, env={}).config, load(spelled, env={}).config

    assert first.model_dump() == second.model_dump()
