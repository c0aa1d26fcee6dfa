"""A policy with its state, told one look after another."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.policy import NOTHING, decide
from alerts.rules import Rule, Rules
from alerts.silence import Orders
from alerts.state import State

T0 = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = Rules(default=Rule(resolve_delay=timedelta()))


def at(seconds: float) -> datetime:
    """That long after the start."""
    return T0 + timedelta(seconds=seconds)


def bad(
    key: str = "lost",
    *,
    count: int = 1,
    severity: Severity = Severity.PAGE,
    considered: int = 0,
    level: float | None = None,
    muted_by: tuple[str, ...] = (),
    group: str = "",
) -> Condition:
    """One that is true."""
    return Condition(
        key,
        severity,
        f"{key} is bad",
        count=count,
        considered=considered,
        level=level,
        muted_by=muted_by,
        group=group,
        member=key if group else "",
    )


@dataclass
class Run:
    """What is told at each look, in seconds after the start."""

    rules: Rules = AT_ONCE
    state: State = field(default_factory=State)
    orders: Orders = NOTHING

    def look(
        self, seconds: float, *conditions: Condition, unknown: frozenset[str] = frozenset()
    ) -> list[Notice]:
        """What this look tells."""
        self.state, notices = decide(
            self.state, conditions, now=at(seconds), rules=self.rules, unknown=unknown, orders=self.orders
        )
        return list(notices)

    def told(self, seconds: float, *conditions: Condition) -> list[tuple[str, Kind]]:
        """Key and kind of what it tells."""
        return [(notice.key, notice.kind) for notice in self.look(seconds, *conditions)]
