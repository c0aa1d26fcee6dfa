"""The ways out as they are configured: each built, in their order, with where messages point to."""

import ssl
from collections.abc import Mapping
from datetime import timedelta

from alerts.alertmanager import AlertmanagerSender, Login
from alerts.beat import Ping
from alerts.command import CommandSender
from alerts.delivery import Sender
from alerts.fallback import Way, Ways
from alerts.hook import HookSender
from alerts.links import Links
from alerts.posting import Call
from alerts.slack import SlackSender
from alerts.webhook import WebhookSender
from canary.config.models import Config, SlackConfig
from canary.config.tls import TlsConfig
from canary.config.ways import AlertmanagerConfig, CommandConfig, WebhookConfig
from canary.heartbeat import Watchdog

ALERT = "IngestionCanary"


def make_ways(config: Config) -> Ways | None:
    """None where nobody is to be told. Touches no network and no file."""
    ways = [Way(name, _sender(config, name)) for name in config.ways]
    return Ways(ways, after=config.delivery.next_after) if ways else None


def make_alertmanager(config: Config, told: AlertmanagerConfig) -> AlertmanagerSender:
    """The Alertmanager, which heartbeats need beside messages."""
    return AlertmanagerSender(
        told.urls,
        call=_call("alertmanager", told.timeout, told.tls),
        login=Login(told.user or "", told.login, told.bearer),
        labels={"alertname": ALERT, "instance": config.canary.instance, **told.labels},
        links=links(config),
        every=told.every,
    )


def beats(config: Config) -> tuple[str, ...]:
    """The names of those who get a sign of life."""
    told = config.heartbeat
    if told is None:
        return ()
    return (*(("url",) if told.address is not None else ()), *(("watchdog",) if told.watchdog else ()))


def make_beats(config: Config) -> Mapping[str, Ping | Watchdog]:
    """Those themselves, by name."""
    told, found = config.heartbeat, dict[str, Ping | Watchdog]()
    if told is not None and told.address is not None:
        call = Call("heartbeat", told.timeout)
        found["url"] = Ping(told.address, call=call, signals=told.style == "healthchecks")
    if told is not None and told.watchdog and config.alertmanager is not None:
        found["watchdog"] = Watchdog(make_alertmanager(config, config.alertmanager), told.every)
    return found


def links(config: Config) -> Links:
    """Where messages point to."""
    told = config.delivery
    return Links(told.dashboard_url or "", told.runbook_url or "", told.status_url or "")


def _sender(config: Config, name: str) -> Sender:
    told = getattr(config, name)
    if isinstance(told, SlackConfig):
        return _slack(config, told)
    if isinstance(told, AlertmanagerConfig):
        return make_alertmanager(config, told)
    if isinstance(told, CommandConfig):
        return CommandSender(told.argv, timeout=told.timeout, links=links(config))
    if isinstance(told, WebhookConfig) and told.address is not None and told.keys is not None:
        call = _call("webhook", told.timeout, told.tls)
        return HookSender(told.address, keys=told.keys, call=call, links=links(config))
    raise ValueError(f"{name}: is no way out (got {type(told).__name__}). This is a bug.")


def _slack(config: Config, told: SlackConfig) -> Sender:
    """The Web API with a token, else an incoming webhook."""
    timeout = max(1, round(told.timeout.total_seconds()))
    if told.bot_token is not None:
        return SlackSender(
            told.bot_token,
            channel=told.channel or "",
            url=told.api_url,
            timeout=timeout,
            links=links(config),
        )
    if told.webhook is None:
        raise ValueError("slack: needs a token or a webhook. This is a bug.")
    return WebhookSender(told.webhook, timeout=timeout, links=links(config))


def _call(name: str, timeout: timedelta, tls: TlsConfig | None) -> Call:
    return Call(name, timeout, (lambda: _context(tls)) if tls is not None else None)


def _context(tls: TlsConfig) -> ssl.SSLContext:
    """Made anew for each call, so that changed certificates are taken up."""
    context = ssl.create_default_context(cafile=_path(tls.ca_file))
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, _path(tls.key_file))
    if not tls.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _path(path: object) -> str | None:
    return None if path is None else str(path)
