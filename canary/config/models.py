"""The configuration as one frozen, typed value: every table, key and default; nothing is read here."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from canary.config.alerts import AlertsConfig, ObjectiveConfig
from canary.config.audit import AuditConfig
from canary.config.changes import ChangesConfig
from canary.config.counters import CountersConfig
from canary.config.fields import (
    Address,
    Count,
    Duration,
    Name,
    Number,
    SecretPath,
    SecretText,
    Span,
    Table,
    Text,
    Url,
)
from canary.config.ledger import LedgerConfig
from canary.config.probes import ProbeConfig
from canary.config.secret import Secret, make_secret_file
from canary.config.stages import StageConfig
from canary.config.ways import (
    WAYS,
    AlertmanagerConfig,
    CommandConfig,
    DeliveryConfig,
    HeartbeatConfig,
    WebhookConfig,
)


class CanaryConfig(Table):
    """`[canary]`: identity, windows and the promises to whoever pays for the events."""

    secret: SecretText | None = None
    secret_file: SecretPath = Secret(path=Path("canary-secret"))
    instance: Name = "canary"
    window: Span = timedelta(seconds=60)
    grace: Span = timedelta(seconds=60)
    objective: Span = timedelta(seconds=30)
    lost_after: Span = timedelta(minutes=30)
    patience: Span = timedelta(seconds=90)
    horizon: Span = timedelta(hours=24)
    passed_grace: Duration = timedelta(seconds=2)
    down_after: Span = timedelta(minutes=5)
    max_events_per_day: Annotated[Count, Field(ge=1)] = 100_000
    check_rate: Annotated[Number, Field(gt=0)] = 5.0
    price_per_million: Annotated[Number, Field(ge=0)] | None = None

    @property
    def key(self) -> Secret:
        """What proves our canaries: given directly, else the file."""
        return self.secret or self.secret_file

    def made_key(self) -> str:
        """The key; the first start makes its file."""
        if self.secret is None and self.secret_file.path is not None:
            make_secret_file(self.secret_file.path)
        return self.key()


class WebConfig(Table):
    """`[web]`: where metrics, health and the status page are served."""

    listen: Address = "127.0.0.1:9187"

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class SlackConfig(Table):
    """`[slack]`: a bot token with a channel, or an incoming webhook."""

    token: SecretText | None = None
    token_file: SecretPath | None = None
    webhook_url: SecretText | None = None
    webhook_url_file: SecretPath | None = None
    channel: Text | None = None
    api_url: Url = "https://slack.com/api/"
    repeat: Span = timedelta(hours=4)
    timeout: Span = timedelta(seconds=5)

    @property
    def bot_token(self) -> Secret | None:
        return self.token or self.token_file

    @property
    def webhook(self) -> Secret | None:
        return self.webhook_url or self.webhook_url_file


class Config(Table):
    """The whole file."""

    canary: CanaryConfig = CanaryConfig()
    ledger: LedgerConfig = LedgerConfig()
    web: WebConfig = WebConfig()
    counters: CountersConfig = CountersConfig()
    probes: Annotated[tuple[ProbeConfig, ...], Field(min_length=1)]
    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1)]
    audit: AuditConfig = AuditConfig()
    changes: ChangesConfig = ChangesConfig()
    slack: SlackConfig | None = None
    alerts: AlertsConfig = AlertsConfig()
    objectives: tuple[ObjectiveConfig, ...] = ()
    alertmanager: AlertmanagerConfig | None = None
    webhook: WebhookConfig | None = None
    command: CommandConfig | None = None
    delivery: DeliveryConfig = DeliveryConfig()
    heartbeat: HeartbeatConfig | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways out that there are, in the order in which they are tried."""
        there = tuple(way for way in WAYS if getattr(self, way) is not None)
        return self.delivery.order or there
