"""Who is told: the ways out that are configured, or nobody; and what became of it, in metrics."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from alerts.condition import Amendment, Condition, Notice
from alerts.delivery import DeliveryError, Sender
from alerts.fallback import Way, Ways
from alerts.orders import OrderBook
from alerts.pager import Hooks
from alerts.pager import Pager as RealPager
from alerts.slack_errors import KNOWN
from alerts.store import Store
from canary.config.models import Config
from canary.hinting import HintingPager
from canary.ledger import Ledger
from canary.metrics import Metrics
from canary.pager import Pager
from canary.paging_rules import LEDGER_KEY, rules_of
from canary.ways import make_ways


class SilentPager:
    """Keeps the conditions that would have been told, for the page and for `status`."""

    def __init__(self) -> None:
        self.conditions: tuple[Condition, ...] = ()

    def update(self, conditions: Sequence[Condition], *, now: datetime, unknown: Collection[str]) -> object:
        """Take in what is true now."""
        del now, unknown
        self.conditions = tuple(conditions)
        return ()

    def amend(self, amendments: Sequence[Amendment], *, now: datetime) -> None:
        """Nobody was told anything."""

    def deliver(self, now: datetime) -> bool:
        """There is nobody to tell."""
        del now
        return False

    def owed(self) -> int:
        """Nothing is owed to nobody."""
        return 0

    def silence(self, now: datetime) -> str:
        """Nobody waits."""
        del now
        return ""

    def check(self) -> list[str]:
        """Nothing can be wrong with it."""
        return []

    def prune(self, now: datetime) -> int:
        """Nothing was told."""
        del now
        return 0


def make_pager(
    config: Config,
    ledger: Ledger,
    metrics: Metrics,
    listeners: Sequence[Callable[[Notice], None]] | None,
    *,
    around: Callable[[Sender], Sender],
) -> Pager:
    """The ways out as they are configured; nobody without them, and for a check (no listeners).

    `around` makes the sender that is used of each that is configured.
    """
    ways = make_ways(config)
    if ways is None or listeners is None:
        return SilentPager()
    used = Ways([Way(way.name, around(way.sender)) for way in ways.ways], after=ways.after)
    real = RealPager(
        Store(ledger.engine, begin=ledger.begin),
        used,
        rules=rules_of(config),
        hooks=make_hooks(metrics, listeners),
        orders=OrderBook(ledger.engine, begin=ledger.begin),
        keep=config.alerts.keep,
        store_key=LEDGER_KEY,  # the pager's store is the ledger: that it is gone is one fault
    )
    return HintingPager(real)


def make_hooks(metrics: Metrics, listeners: Sequence[Callable[[Notice], None]]) -> Hooks:
    """What the pager did, as metrics and for the listeners."""

    def sent(notice: Notice) -> None:
        metrics.counter("notices_sent_total", notice.kind).inc()
        for listener in listeners:
            listener(notice)

    def way(name: str, error: DeliveryError | None) -> None:
        metrics.gauge("way_out_up", name).set(error is None)
        if error is not None:
            metrics.counter("way_out_failures_total", name, cause(error)).inc()

    return Hooks(
        on_sent=sent,
        on_failed=lambda _notice, _error: metrics.counter("notices_failed_total").inc(),
        on_way=way,
    )


def cause(error: DeliveryError) -> str:
    """Why a way out failed, as a label: Slack's own word where it is one of those we know."""
    if error.code in KNOWN:
        return error.code
    if error.permanent:
        return "refused"
    if error.broken:
        return "to_fix"
    return "limited" if error.retry_after is not None else "no_answer" if error.uncertain else "unreachable"
