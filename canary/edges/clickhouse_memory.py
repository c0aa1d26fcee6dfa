"""What a stage remembers between its looks, all of it bounded and all of it allowed to be forgotten."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from uuid import UUID

from canary.values import Wanted

MAX_IDS = 200_000
MAX_TENANTS = 10_000
WIDE_AFTER = timedelta(seconds=10)
WIDE_EVERY = timedelta(seconds=60)


class Memory:
    """Which looks missed an id, and under which tenant each distinct_id's rows are stored."""

    def __init__(self) -> None:
        self.missed: OrderedDict[UUID, datetime] = OrderedDict()
        self._tenants: OrderedDict[str, str] = OrderedDict()
        self._wide_at: datetime | None = None

    def first(self, wanted: Sequence[Wanted], count: int) -> Sequence[Wanted]:
        """Those to ask now: all if they fit, else those not asked for the longest, new ones before all."""
        if len(wanted) <= count:
            return wanted
        return sorted(wanted, key=lambda one: self.missed.get(one.id, _NEVER))[:count]

    def tenants(self, wanted: Sequence[Wanted], now: datetime) -> AbstractSet[str]:
        """Tenants that all of these are stored under; empty where that is not known of each.

        When ids stay away, one look a minute asks without: their rows may have moved to another tenant.
        """
        overdue = any(now - one.sent_at > WIDE_AFTER and one.id in self.missed for one in wanted)
        if overdue and (self._wide_at is None or now >= self._wide_at):
            self._wide_at = now + WIDE_EVERY
            return frozenset()
        known = {self._tenants.get(one.distinct_id) for one in wanted}
        return frozenset() if None in known else frozenset(one for one in known if one is not None)

    def learn(self, tenants: Mapping[str, str]) -> None:
        self._tenants.update(tenants)
        while len(self._tenants) > MAX_TENANTS:
            self._tenants.popitem(last=False)

    def answered(self, asked: Sequence[Wanted], found: AbstractSet[UUID], started_at: datetime) -> None:
        """After a successful look: found ids are done with, the others were not there at `started_at`."""
        for one in asked:
            self.missed.pop(one.id, None)
            if one.id not in found:
                self.missed[one.id] = started_at
        while len(self.missed) > MAX_IDS:
            self.missed.popitem(last=False)


_NEVER = datetime.min.replace(tzinfo=UTC)
