"""The ways out: is each complete, and does their order name what is there?"""

from collections.abc import Mapping

from canary.config.checks_files import check_tls
from canary.config.fields import Table
from canary.config.models import SlackConfig
from canary.config.problems import Draft, plain
from canary.config.schema import Path
from canary.config.ways import WAYS, AlertmanagerConfig, DeliveryConfig, HeartbeatConfig, WebhookConfig


def check_ways(draft: Draft, tables: Mapping[Path, Table]) -> None:
    """Add to the draft what is wrong with them."""
    for path, table in tables.items():
        if isinstance(table, SlackConfig):
            _slack(draft, table)
        elif isinstance(table, AlertmanagerConfig):
            _alertmanager(draft, path, table)
        elif isinstance(table, WebhookConfig):
            _webhook(draft, path, table)
        elif isinstance(table, HeartbeatConfig):
            _heartbeat(draft, table)
        elif isinstance(table, DeliveryConfig):
            _order(draft, table)


def _slack(draft: Draft, slack: SlackConfig) -> None:
    ways = ("token", "token_file", "webhook_url", "webhook_url_file")
    given = [way for way in ways if getattr(slack, way) is not None]
    if len(given) != 1:
        what = "give exactly one of token, token_file, webhook_url and webhook_url_file"
        got = f"got {' and '.join(given) or 'none of them'}"
        draft.fault(("slack",), what, got=got)
    elif slack.bot_token is not None and slack.channel is None:
        draft.fault(("slack", "channel"), "is missing: a bot token needs to be told where to post")
    elif slack.webhook is not None and slack.channel is not None:
        draft.warn(("slack", "channel"), "is not used: an incoming webhook posts to its own channel")


def _alertmanager(draft: Draft, path: Path, told: AlertmanagerConfig) -> None:
    ways = ("password", "password_file", "bearer_token", "bearer_token_file")
    given = [way for way in ways if getattr(told, way) is not None]
    if len(given) > 1:
        draft.fault(path, f"give at most one of {', '.join(ways)}", got=f"got {' and '.join(given)}")
    elif told.login is not None and told.user is None:
        draft.fault((*path, "user"), "is missing: a password needs its user")
    elif told.user is not None and told.login is None:
        draft.fault((*path, "password"), "is missing: a user needs a password, or password_file")
    if told.tls is not None:
        check_tls(draft, path, told.tls)


def _webhook(draft: Draft, path: Path, told: WebhookConfig) -> None:
    for key in ("url", "secret"):
        _one_of(draft, path, told, key)
    if told.tls is not None:
        check_tls(draft, path, told.tls)


def _heartbeat(draft: Draft, told: HeartbeatConfig) -> None:
    if not told.watchdog or told.address is not None:
        _one_of(draft, ("heartbeat",), told, "url")
    if told.watchdog and "alertmanager" not in draft.raw:
        draft.fault(("heartbeat", "watchdog"), "needs the table [alertmanager]")


def _one_of(draft: Draft, path: Path, told: Table, key: str) -> None:
    given = [name for name in (key, f"{key}_file") if getattr(told, name) is not None]
    if len(given) != 1:
        got = f"got {' and '.join(given) or 'neither'}"
        draft.fault(path, f"give exactly one of {key} and {key}_file", got=got)


def _order(draft: Draft, told: DeliveryConfig) -> None:
    there = [way for way in WAYS if way in draft.raw]
    for way in told.order:
        if way not in WAYS:
            what = f"must name ways out: {', '.join(WAYS)}"
            draft.fault(("delivery", "order"), what, got=f"got {plain(way)}")
        elif way not in there:
            draft.fault(("delivery", "order"), f"names {way}, but there is no table [{way}]")
    left = [way for way in there if way not in told.order]
    if told.order and (left or len(set(told.order)) != len(told.order)):
        what = f"must name each way out that there is, once: {', '.join(there)}"
        draft.fault(("delivery", "order"), what, got=f"got {plain(list(told.order))}")
