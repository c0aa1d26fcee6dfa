"""What a stage remembers between its looks, all of it bounded and all of it allowed to be forgotten."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from uuid import UUID

from canary.values import Wanted

MAX_IDS = 200_000
MAX_TENANTS = 10_000
MAX_SHOWN = 10_000
WIDE_AFTER = timedelta(seconds=10)
WIDE_EVERY = timedelta(seconds=60)
WIDE_AT_MOST = timedelta(hours=1)
_NEVER = datetime.min.replace(tzinfo=UTC)

Guess = tuple[datetime, AbstractSet[str]]
"""When an id was asked for in vain, and under which tenants: true only if its row is one of theirs."""


class Memory:
    """Which looks missed an id, whose rows were shown, and under which tenant each distinct_id's are stored.

    `fixed` tenants are the configuration's word: nothing is learned then, and no look does without them.
    """

    def __init__(self, fixed: AbstractSet[str] = frozenset()) -> None:
        self.missed: OrderedDict[UUID, datetime] = OrderedDict()
        self.guessed: OrderedDict[UUID, Guess] = OrderedDict()
        self._asked: OrderedDict[UUID, datetime] = OrderedDict()
        self._fixed = fixed
        self._tenants: OrderedDict[str, str] = OrderedDict()
        self._shown: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._latest: dict[str, datetime] = {}
        self._wide_at = _NEVER
        self._wide_every = WIDE_EVERY

    @property
    def knows_nothing(self) -> bool:
        """Whether every look has to do without tenants."""
        return not self._fixed and not self._tenants

    def first(self, wanted: Sequence[Wanted], count: int) -> Sequence[Wanted]:
        """Those to ask now: all if they fit, else those not asked for the longest, new ones before all."""
        if len(wanted) <= count:
            return wanted
        return sorted(wanted, key=lambda one: self._asked.get(one.id, _NEVER))[:count]

    def tenants(self, wanted: Sequence[Wanted], now: datetime | None = None) -> AbstractSet[str]:
        """Tenants that these are stored under; empty for a look that does without.

        A distinct_id not seen yet is looked for under all tenants known. When ids stay away for
        long before `now`, a look now and then does without: their rows may be another tenant's.
        """
        if self._fixed:
            return self._fixed
        everywhere = frozenset(self._tenants.values())
        if now is not None and everywhere and self._wide_is_due(wanted, now):
            self._wide_at = now + self._wide_every
            self._wide_every = min(2 * self._wide_every, WIDE_AT_MOST)
            return frozenset()
        known = {self._tenants.get(one.distinct_id) for one in wanted}
        return everywhere if None in known else frozenset(one for one in known if one is not None)

    def _wide_is_due(self, wanted: Sequence[Wanted], now: datetime) -> bool:
        return now >= self._wide_at and any(now - one.sent_at > WIDE_AFTER for one in wanted)

    def learn(self, tenants: Mapping[str, str]) -> None:
        """From rows that were found; news make looks without tenants frequent again."""
        if any(self._tenants.get(who) != tenant for who, tenant in tenants.items()):
            self._wide_every = WIDE_EVERY
        self._tenants.update(tenants)
        while len(self._tenants) > MAX_TENANTS:
            self._tenants.popitem(last=False)

    def shows(self, one: Wanted) -> bool:
        """Whether rows of such canaries are not kept from us: of its event and distinct_id one was shown, and
        of its event one that was sent after it."""
        return (one.event, one.distinct_id) in self._shown and self._latest[one.event] > one.sent_at

    def answered(
        self,
        asked: Sequence[Wanted],
        found: AbstractSet[UUID],
        *,
        started_at: datetime,
        tenants: AbstractSet[str] = frozenset(),
    ) -> None:
        """After a successful look: found ids are done with, the others were not there at `started_at`.

        A look under guessed `tenants` (none: a wide one) claims so only for rows of these.
        """
        for one in asked:
            for kept in (self.missed, self.guessed, self._asked):
                kept.pop(one.id, None)
            if one.id in found:
                self._show(one)
                continue
            self._asked[one.id] = started_at
            if not tenants or self._fixed or one.distinct_id in self._tenants:
                self.missed[one.id] = started_at
            else:
                self.guessed[one.id] = (started_at, tenants)
        for kept in (self.missed, self.guessed, self._asked):
            while len(kept) > MAX_IDS:
                kept.popitem(last=False)

    def _show(self, one: Wanted) -> None:
        self._latest[one.event] = max(self._latest.get(one.event, _NEVER), one.sent_at)
        self._shown[one.event, one.distinct_id] = None
        self._shown.move_to_end((one.event, one.distinct_id))
        while len(self._shown) > MAX_SHOWN:
            self._shown.popitem(last=False)
