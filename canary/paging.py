"""Who is told: Slack as it is configured, or nobody."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from alerts.condition import Condition, Notice
from alerts.delivery import Sender
from alerts.orders import OrderBook
from alerts.pager import Hooks
from alerts.pager import Pager as RealPager
from alerts.slack import SlackSender
from alerts.store import Store
from alerts.webhook import WebhookSender
from canary.config.models import Config, SlackConfig
from canary.ledger import Ledger
from canary.metrics import Metrics
from canary.paging_rules import LEDGER_KEY, rules_of
from canary.watch import Pager


class SilentPager:
    """Keeps the conditions that would have been told, for the page and for `status`."""

    def __init__(self) -> None:
        self.conditions: tuple[Condition, ...] = ()

    def update(self, conditions: Sequence[Condition], *, now: datetime, unknown: Collection[str]) -> object:
        """Take in what is true now."""
        del now, unknown
        self.conditions = tuple(conditions)
        return ()

    def deliver(self, now: datetime) -> bool:
        """There is nobody to tell."""
        del now
        return False

    def owed(self) -> int:
        """Nothing is owed to nobody."""
        return 0

    def check(self) -> list[str]:
        """Nothing can be wrong with it."""
        return []


def make_pager(
    config: Config,
    ledger: Ledger,
    metrics: Metrics,
    listeners: Sequence[Callable[[Notice], None]] | None,
    *,
    around: Callable[[Sender], Sender],
) -> Pager:
    """Slack as it is configured; nobody for a configuration without it, and for a check (no listeners).

    `around` makes the sender that is used of the one that is configured.
    """
    if config.slack is None or listeners is None:
        return SilentPager()

    def sent(notice: Notice) -> None:
        metrics.counter("notices_sent_total", notice.kind).inc()
        for listener in listeners:
            listener(notice)

    hooks = Hooks(
        on_sent=sent,
        on_failed=lambda _notice, _error: metrics.counter("notices_failed_total").inc(),
    )
    return RealPager(
        Store(ledger.engine, begin=ledger.begin),
        around(sender(config.slack)),
        rules=rules_of(config),
        hooks=hooks,
        orders=OrderBook(ledger.engine, begin=ledger.begin),
        store_key=LEDGER_KEY,  # the pager's store is the ledger: that it is gone is one fault
    )


def sender(told: SlackConfig) -> Sender:
    """The way out that is configured: the Web API with a token, else an incoming webhook."""
    timeout = max(1, round(told.timeout.total_seconds()))
    if told.bot_token is not None:
        return SlackSender(told.bot_token, channel=told.channel or "", url=told.api_url, timeout=timeout)
    if told.webhook is None:
        raise ValueError("slack: needs a token or a webhook. This is a bug.")
    return WebhookSender(told.webhook, timeout=timeout)
