"""What was promised, held against every settled window and every minute: budgets, burn rates, conditions."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from alerts.condition import Condition, Severity
from canary.config.alerts import ObjectiveConfig
from canary.ledger import Ledger, LedgerError
from canary.metrics import Metrics
from canary.minutes import MINUTE, is_down
from canary.scene import clock, span
from canary.values import Minute, WindowReport
from reconcile.burn import TIERS, Count, Standing, stand
from reconcile.outcome import Outcome

OPEN = (Outcome.PENDING, Outcome.UNREAD)
AMENDED_FOR = timedelta(hours=25)
"""So far back minutes may still change: the horizon of a canary and a little."""

STALE = timedelta(minutes=10)
"""After so long without anything new to count, nobody can tell how fast it burns."""

BURNS = sorted({length for tier in TIERS for length in (tier.long, tier.short)})

Key = tuple[datetime, str]


def label(length: timedelta) -> str:
    """A window as metrics name it: 5m, 1h, 3d."""
    seconds = round(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds // 60}m"


class Objective:
    """One promise and its counts. Not locked: its owner is."""

    def __init__(self, told: ObjectiveConfig, *, window: timedelta, down_after: timedelta) -> None:
        self.told = told
        self._window = window
        self._down_after = down_after
        self._slots: dict[Key, Count] = {}
        self._order: list[Key] = []
        self._whole = Count()
        self._standing: Standing | None = None

    @property
    def by_minute(self) -> bool:
        """Whether it counts minutes rather than windows."""
        return self.told.kind in ("freshness", "downtime")

    def learn(self, reports: Iterable[WindowReport]) -> None:
        """Windows that settled or were amended; each stands as it was last told."""
        count = _BY_WINDOW.get(self.told.kind)
        for report in reports if count else ():
            if count is not None and self.told.probe in (None, report.probe):
                self._put((report.start, report.probe), count(report, self.told))

    def learn_minutes(self, minutes: Iterable[Minute], now: datetime) -> None:
        """Minutes as they are counted by now; one counts once nothing of it can still come in time."""
        for minute in minutes if self.by_minute else ():
            ripe = now - minute.start > MINUTE + self._down_after
            if ripe and self.told.probe in (None, minute.probe):
                self._put((minute.start, minute.probe), _of_minute(minute, self.told))

    def _put(self, key: Key, count: Count) -> None:
        old = self._slots.get(key)
        if old == count:
            return
        if old is None:
            insort(self._order, key)
        self._slots[key] = count
        self._add(count, old or Count())
        self._standing = None

    def _add(self, new: Count, old: Count) -> None:
        total, bad = new.total - old.total, new.bad - old.bad
        self._whole = Count(self._whole.total + total, self._whole.bad + bad)

    def standing(self) -> Standing | None:
        """Where it stands as of the last thing counted; None where nothing was."""
        if self._standing is None and self._order:
            width = MINUTE if self.by_minute else self._window
            until = self._order[-1][0] + width
            past = bisect_left(self._order, (until - self.told.over, ""))
            for key in self._order[:past]:
                self._add(Count(), self._slots.pop(key))
            del self._order[:past]
            self._standing = stand(
                ((key[0], self._slots[key]) for key in reversed(self._order)),
                until=until,
                since=self._order[0][0],
                whole=self._whole,
                allowed=(100 - self.told.target) / 100,
                over=self.told.over,
                fresh=2 * width,
            )
        return self._standing

    def judged(self, now: datetime) -> bool:
        """Whether its burn rate can be told now: something was counted, and lately."""
        standing = self.standing()
        if standing is None or not standing.counts[TIERS[0].short].total:
            return False
        return now - standing.until < STALE + 2 * self._window + self._down_after

    def condition(self) -> Condition | None:
        """What is wrong, where the budget is used up too fast."""
        standing = self.standing()
        if standing is None or standing.tier is None:
            return None
        tier, name = standing.tier, self.told.name
        counted = standing.counts[tier.long]
        burn = standing.burn(tier.long)
        urgent = tier.urgent and standing.fresh.bad > 0  # over already: it can wait for the morning
        return Condition(
            key=f"burn:{name}",
            severity=Severity.PAGE if urgent else Severity.TICKET,
            title=f"Objective {name}: its error budget is used up {burn:.1f} times too fast",
            facts=tuple(self._facts(standing)),
            commands=("canary status",),
            count=counted.bad,
            considered=counted.total,
            level=burn,
        )

    def _facts(self, standing: Standing) -> Iterator[tuple[str, str]]:
        unit = _UNITS[self.told.kind]
        yield "promised", f"{self.told.target:g} % of {unit} over {span(self.told.over)} ({self.told.kind})"
        if standing.tier is not None:
            for length in (standing.tier.long, standing.tier.short):
                count, burn = standing.counts[length], standing.burn(length)
                yield f"last {label(length)}", f"{count.bad} of {count.total} {unit} bad, {burn:.1f} times"
        left = f"{standing.left:.0f} of {standing.budget:.0f} {unit} ({standing.left_share:.0%})"
        yield "budget left", f"{left}: a total outage of {span(standing.outage)}"
        if (ends := standing.used_up_in) is not None:
            yield "used up", f"in about {span(ends)} at this pace"
        if 0 < standing.budget < 100:
            yield "mind", f"few are counted: each bad one is {1 / standing.budget:.0%} of the budget"
        if standing.until - standing.since < standing.over:
            yield "counted since", clock(standing.since)

    def as_json(self, now: datetime) -> dict[str, object]:
        """For `canary status`."""
        known: dict[str, object] = {
            "name": self.told.name,
            "kind": self.told.kind,
            "target": self.told.target,
        }
        standing = self.standing()
        if standing is None:
            return {**known, "judged": False}
        return {
            **known,
            "judged": self.judged(now),
            "unit": _UNITS[self.told.kind],
            "counted": asdict(standing.whole),
            "since": clock(standing.since),
            "budget": round(standing.budget, 1),
            "left": round(standing.left, 1),
            "left_share": round(standing.left_share, 4),
            "outage_left_seconds": round(standing.outage.total_seconds()),
            "burn": {label(length): round(standing.burn(length), 2) for length in sorted(standing.counts)},
        }


_UNITS: Mapping[str, str] = {
    "on_time": "events",
    "delivered": "events",
    "latency": "windows",
    "freshness": "minutes",
    "downtime": "minutes",
}


def _on_time(report: WindowReport, _: ObjectiveConfig) -> Count:
    total = report.sent - sum(report.outcomes[one] for one in OPEN)
    return Count(total, total - report.outcomes[Outcome.ON_TIME])


def _delivered(report: WindowReport, _: ObjectiveConfig) -> Count:
    """What waits in a queue is neither delivered nor not."""
    total = report.sent - sum(report.outcomes[one] for one in (*OPEN, Outcome.OVERDUE))
    return Count(total, total - report.outcomes[Outcome.ON_TIME] - report.outcomes[Outcome.LATE])


def _latency(report: WindowReport, told: ObjectiveConfig) -> Count:
    """A window in which nothing arrived has no latency; other objectives count it."""
    p99 = report.latency.get("p99")
    if p99 is None or told.within is None:
        return Count()
    return Count(1, int(p99 > told.within.total_seconds()))


_BY_WINDOW: Mapping[str, Callable[[WindowReport, ObjectiveConfig], Count]] = {
    "on_time": _on_time,
    "delivered": _delivered,
    "latency": _latency,
}


def _of_minute(minute: Minute, told: ObjectiveConfig) -> Count:
    """A minute of which we saw nothing counts neither way."""
    due = minute.due - minute.blind
    if due <= 0:
        return Count()
    if told.kind == "freshness":
        return Count(1, int(minute.refused + minute.not_visible >= due))
    counts = {name: getattr(minute, name) for name in ("due", "refused", "not_visible", "blind")}
    return Count(1, int(is_down(counts)))


class Objectives:
    """All that was promised. Call it with the watch's lock; `refresh` without, since it asks the ledger."""

    def __init__(
        self,
        told: Iterable[ObjectiveConfig],
        *,
        window: timedelta,
        down_after: timedelta,
        ledger: Ledger,
        metrics: Metrics,
    ) -> None:
        self.all = [Objective(one, window=window, down_after=down_after) for one in told]
        self._ledger = ledger
        self._metrics = metrics
        self._shown: dict[str, Standing | None] = {}
        self._refreshed_at: datetime | None = None
        for one in self.all:
            metrics.gauge("objective_target_ratio", one.told.name).set(one.told.target / 100)
            metrics.gauge("objective_budget_left_ratio", one.told.name).set(1)

    def restore(self, now: datetime) -> None:
        """What the ledger holds of their periods."""
        if not self.all:
            return
        since = now - max(one.told.over for one in self.all)
        reports = self._ledger.windows(since, now) if any(not one.by_minute for one in self.all) else []
        minutes = self._ledger.minutes(since, now) if any(one.by_minute for one in self.all) else []
        for one in self.all:
            one.learn(reports)
            one.learn_minutes(minutes, now)

    def refresh(self, now: datetime) -> Sequence[Minute]:
        """Once a minute, the minutes that may have changed, as the ledger has them."""
        last = self._refreshed_at
        due = last is None or abs(now - last) >= MINUTE
        if not due or not any(one.by_minute for one in self.all):
            return ()
        self._refreshed_at = now
        try:
            return self._ledger.minutes(now - AMENDED_FOR, now)
        except LedgerError:
            return ()  # who writes to it tells; what was counted stands

    def learn(self, reports: Iterable[WindowReport], minutes: Sequence[Minute], now: datetime) -> None:
        """What is new since the last call."""
        told = list(reports)
        for one in self.all:
            one.learn(told)
            one.learn_minutes(minutes, now)
            self._show(one)

    def conditions(self) -> list[Condition]:
        """Those that are used up too fast."""
        return [condition for one in self.all if (condition := one.condition()) is not None]

    def unjudged(self, now: datetime) -> list[str]:
        """Keys of conditions that nobody can judge now."""
        return [f"burn:{one.told.name}" for one in self.all if not one.judged(now)]

    def _show(self, one: Objective) -> None:
        name, standing = one.told.name, one.standing()
        if standing is None or self._shown.get(name) is standing:
            return
        self._shown[name] = standing
        self._metrics.gauge("objective_budget_left_ratio", name).set(standing.left_share)
        self._metrics.gauge("objective_counted", name).set(standing.whole.total)
        self._metrics.gauge("objective_bad", name).set(standing.whole.bad)
        for length in BURNS:
            self._metrics.gauge("objective_burn_rate", name, label(length)).set(standing.burn(length))
