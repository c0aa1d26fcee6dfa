"""The ways out beside Slack, their order, and the heartbeat: as tables of the file."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from canary.config.fields import Flag, SecretPath, SecretText, Span, Table, Text, Texts, Url, wrong
from canary.config.secret import Secret
from canary.config.tls import TlsConfig

WAYS = ("slack", "alertmanager", "webhook", "command")
"""Every way out, in the order in which they are tried where the configuration names none."""


def _labels(value: dict[str, str]) -> dict[str, str]:
    if not all(name.isidentifier() and name.isascii() for name in value):
        raise wrong("must have names of letters, digits and '_', as Prometheus's labels have")
    return value


class DeliveryConfig(Table):
    """`[delivery]`: in which order the ways out are tried, and where messages point to."""

    order: Texts = ()
    next_after: Span = timedelta(minutes=5)
    dashboard_url: Url | None = None
    runbook_url: Url | None = None
    status_url: Url | None = None


class AlertmanagerConfig(Table):
    """`[alertmanager]`: one server or a whole cluster."""

    urls: Annotated[tuple[Url, ...], Field(min_length=1)]
    user: Text | None = None
    password: SecretText | None = None
    password_file: SecretPath | None = None
    bearer_token: SecretText | None = None
    bearer_token_file: SecretPath | None = None
    labels: Annotated[dict[str, Text], AfterValidator(_labels)] = Field(default_factory=dict)
    every: Span = timedelta(minutes=1)
    timeout: Span = timedelta(seconds=5)
    tls: TlsConfig | None = None

    @property
    def login(self) -> Secret | None:
        return self.password or self.password_file

    @property
    def bearer(self) -> Secret | None:
        return self.bearer_token or self.bearer_token_file


class WebhookConfig(Table):
    """`[webhook]`: a program that takes signed posts."""

    url: SecretText | None = None
    url_file: SecretPath | None = None
    secret: SecretText | None = None
    secret_file: SecretPath | None = None
    timeout: Span = timedelta(seconds=5)
    tls: TlsConfig | None = None

    @property
    def address(self) -> Secret | None:
        return self.url or self.url_file

    @property
    def keys(self) -> Secret | None:
        return self.secret or self.secret_file


class CommandConfig(Table):
    """`[command]`: a program of this machine."""

    argv: Annotated[tuple[Text, ...], Field(min_length=1)]
    timeout: Span = timedelta(seconds=10)


class HeartbeatConfig(Table):
    """`[heartbeat]`: the sign of life that somebody else misses when it stays out."""

    url: SecretText | None = None
    url_file: SecretPath | None = None
    style: Literal["plain", "healthchecks"] = "healthchecks"
    watchdog: Flag = False
    every: Span = timedelta(minutes=1)
    timeout: Span = timedelta(seconds=5)

    @property
    def address(self) -> Secret | None:
        return self.url or self.url_file
