"""From the evidence about one canary to its outcome: the rules of what is proven and what is not.

A backlog is never a loss and blindness is never a loss: `lost` needs a proof that the canary cannot
arrive any more, and a last look that did not find it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconcile.outcome import INGRESS, Flag, Outcome, Receipt

Hop = tuple[str, str]

LOOK_OWED = "the last look is still to come"
"""How the reason ends where a proof of loss waits for the last look alone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the rules wait. `reading` is how long a deadline's own reading may take;
    `resolution` the widest interval in which an arrival still counts as measured."""

    objective: timedelta
    patience: timedelta
    lost_after: timedelta
    passed_grace: timedelta = timedelta(seconds=2)
    horizon: timedelta = timedelta(hours=24)
    reading: timedelta = timedelta(seconds=5)
    resolution: timedelta = timedelta(seconds=5)
    stale: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A canary's first sighting at a stage: it was not there at `not_before` and was at `seen_at`."""

    seen_at: datetime
    not_before: datetime | None
    alternate: bool = False


@dataclass(frozen=True, slots=True)
class StageCase:
    """What one stage says of one canary.

    `covered_until`: read without a gap from the send to here (a table: asked for and answered).
    `passed_at`: when the next consumer's position was first seen beyond this sighting, or retention
    had removed it (`expired`) before that consumer came. `queued_at`: when that position was last read
    and had not passed. Both None: positions are unreadable.
    `alternates`: its consumer may lawfully move a record on to another topic of the same stage.
    `drained`: pairs (all that was in the topic at this time was finished, as seen at that time), in order;
    `positions_at`: when positions were last read at all.
    """

    name: str
    topic: bool
    seen: Glimpse | None = None
    covered_until: datetime | None = None
    passed_at: datetime | None = None
    expired: bool = False
    queued_at: datetime | None = None
    alternates: bool = False
    drained: Sequence[tuple[datetime, datetime]] = ()
    positions_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All the evidence about one canary. `receipt` is None while nobody has answered.

    `waits_from`: the send, or where our own line was anchored again since (a restart, a clock that
    stepped): what lies between the two is not known to have passed, so no waiting is counted in it.
    `missed`: a look past the deadline found nothing where it now is, whatever the clocks did since.
    """

    sent_at: datetime
    waits_from: datetime
    deadline: datetime
    receipt: Receipt | None
    stages: Sequence[StageCase]
    last_look_at: datetime | None = None
    dead_letter: str | None = None
    copied: bool = False
    corrupt: bool = False
    out_of_order: bool = False
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one canary at this instant, and what it rests on."""

    outcome: Outcome
    final: bool
    hop: Hop | None = None
    spanned: tuple[Hop, ...] = ()
    flags: frozenset[Flag] = frozenset()
    reason: str = ""
    proof_at: datetime | None = None
    wants_last_look: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """Why and since when a canary cannot arrive any more."""

    at: datetime
    hop: Hop
    spanned: tuple[Hop, ...]
    reason: str


def judge(case: Case, *, now: datetime, limits: Limits) -> Verdict:
    """The one rule: what became of this canary, as far as the evidence goes."""
    last = case.stages[-1]
    if last.seen is not None:
        return _arrived(case, last.seen, limits)
    flags = _flags(case)
    if case.receipt is Receipt.REFUSED:
        return Verdict(Outcome.REJECTED, True, flags=flags, reason="refused by the ingress")
    if now < case.deadline:
        return Verdict(Outcome.PENDING, False, flags=flags)
    if not _read(last, case.deadline):
        return _unread(case, now, limits)
    if _promised(case):
        return _owed(case, now, limits)
    return _unpromised(case, now, limits)


def _promised(case: Case) -> bool:
    return case.receipt is Receipt.ACCEPTED or any(stage.seen for stage in case.stages)


def _arrived(case: Case, seen: Glimpse, limits: Limits) -> Verdict:
    flags = _flags(case)
    moved = seen.seen_at >= case.waits_from > case.sent_at
    earliest = max(seen.not_before or case.sent_at, case.sent_at)
    if case.missed or earliest - (case.waits_from if moved else case.sent_at) > limits.objective:
        return Verdict(Outcome.LATE, True, flags=flags)
    wide = moved or seen.seen_at - earliest > limits.resolution
    if wide and seen.seen_at - case.sent_at > limits.objective:
        flags |= {Flag.TIME_UNKNOWN}
    return Verdict(Outcome.ON_TIME, True, flags=flags)


def _unread(case: Case, now: datetime, limits: Limits) -> Verdict:
    flags = _flags(case)
    if now < case.deadline + limits.reading:
        return Verdict(Outcome.PENDING, False, flags=flags)
    blind = f"{case.stages[-1].name} could not be read"
    return Verdict(Outcome.UNREAD, now >= case.waits_from + limits.horizon, flags=flags, reason=blind)


def _unpromised(case: Case, now: datetime, limits: Limits) -> Verdict:
    enough = max(case.deadline, case.waits_from + limits.patience)
    if all(_read(stage, enough) for stage in case.stages):
        reason = "nobody promised it, and it was seen nowhere"
        return Verdict(Outcome.UNDELIVERED, True, flags=_flags(case), reason=reason, proof_at=enough)
    waited = case.waits_from + max(limits.lost_after, limits.patience)
    clear = _queues_drained(case.stages[:-1], waited, now, limits)
    if clear is not None and _read(case.stages[-1], clear):
        reason = "nobody promised it, and the last stage never showed it"
        return Verdict(Outcome.UNDELIVERED, True, flags=_flags(case), reason=reason, proof_at=waited)
    reason = "the ingress did not say whether it took it"
    return Verdict(Outcome.OVERDUE, False, flags=_flags(case), reason=reason)


def _owed(case: Case, now: datetime, limits: Limits) -> Verdict:
    flags = _flags(case)
    proof, why_not = _proof(case, now, limits)
    if proof is None:
        return Verdict(Outcome.OVERDUE, False, flags=flags, reason=why_not)
    reason = f"dead-lettered: {case.dead_letter}" if case.dead_letter is not None else proof.reason
    if case.last_look_at is None or case.last_look_at < proof.at:
        waiting = f"{reason}; {LOOK_OWED}"
        return Verdict(
            Outcome.OVERDUE, False, flags=flags, reason=waiting, proof_at=proof.at, wants_last_look=True
        )
    return Verdict(
        Outcome.LOST,
        True,
        hop=proof.hop,
        spanned=proof.spanned,
        flags=flags,
        reason=reason,
        proof_at=proof.at,
    )


def _proof(case: Case, now: datetime, limits: Limits) -> tuple[Proof | None, str]:
    """A proof that it cannot arrive any more, or why there is none yet."""
    index = _last_seen(case.stages)
    here = case.stages[max(index, 0)]
    if index < 0:
        strict, why_not = _proof_of_no_append(case, limits)
    else:
        strict, why_not = _proof_of_passing(here, case.stages[index + 1], limits)
    if strict is not None:
        return strict, ""
    if here.queued_at is not None and now - here.queued_at < limits.stale:
        return None, "queued: its consumer has not come to it yet"
    need = _queues_drained(case.stages[max(index, 0) : -1], _waited(case, here, limits), now, limits)
    if need is None:
        return None, "queued: a consumer on its way has not caught up since"
    return _proof_by_time(case, index, need), why_not


def _waited(case: Case, here: StageCase, limits: Limits) -> datetime:
    """When time may prove a loss: `lost_after` from the send, or from when it was last known to be queued;
    and never by what was so before it came `here`, nor before what passed it can be seen."""
    waited = max(case.waits_from, here.queued_at or case.waits_from) + max(limits.lost_after, limits.patience)
    came = here.seen.seen_at if here.seen is not None else waited
    passed = here.passed_at + limits.passed_grace if here.passed_at is not None else waited
    return max(waited, came, passed)


def _proof_of_no_append(case: Case, limits: Limits) -> tuple[Proof | None, str]:
    first = case.stages[0]
    need = case.waits_from + limits.patience
    if first.topic and _read(first, need):
        reason = f"accepted, and every partition of {first.name} was read past the ingress's patience"
        return Proof(need, (INGRESS, first.name), (), reason), ""
    return None, f"{first.name} does not show it, and was not read long enough to prove that it never will"


def _proof_of_passing(here: StageCase, beyond: StageCase, limits: Limits) -> tuple[Proof | None, str]:
    if here.passed_at is None:
        return None, f"positions of the consumer behind {here.name} are unreadable"
    need = here.passed_at + limits.passed_grace
    if not _read(beyond, need):
        return None, f"{beyond.name} was not read since its consumer passed it"
    if here.alternates and not _read(here, need):
        return None, f"{here.name}'s alternates were not read since its consumer passed it"
    how = "retention removed it before its consumer came" if here.expired else "its consumer has passed it"
    return Proof(need, (here.name, beyond.name), (), f"{how}, and {beyond.name} does not show it"), ""


def _queues_drained(
    stages: Sequence[StageCase], need: datetime, now: datetime, limits: Limits
) -> datetime | None:
    """When nothing sent so long ago could still wait in a queue on its way; None while it could.

    A queue whose positions cannot be read any more is given `lost_after` from when they last could.
    """
    for stage in stages:
        if stage.positions_at is None:
            continue
        after = bisect_left(stage.drained, need, key=lambda pair: pair[0])
        if after < len(stage.drained):
            need = stage.drained[after][1] + limits.passed_grace
        elif now - stage.positions_at < limits.stale:
            return None
        else:
            need = max(need, stage.positions_at + limits.lost_after)
    return need


def _proof_by_time(case: Case, index: int, need: datetime) -> Proof | None:
    """Where no position proves it: absent at a covered stage for `lost_after`, counted from the send or
    from the last time when it was known to be still queued, and no queue on its way holds it."""
    behind = [stage for stage in case.stages[index + 1 :] if _read(stage, need)]
    if not behind or behind[-1] is not case.stages[-1]:
        return None
    names = [INGRESS, *(stage.name for stage in case.stages)]
    reach = names.index(behind[0].name)
    hops = [(names[i], names[i + 1]) for i in range(index + 1, reach)]
    return Proof(need, hops[0], tuple(hops[1:]), f"not at {behind[0].name} for longer than lost_after")


def _read(stage: StageCase, until: datetime) -> bool:
    """Whether what was there at that time would have been seen."""
    return stage.covered_until is not None and stage.covered_until >= until


def _last_seen(stages: Sequence[StageCase]) -> int:
    return max((i for i, stage in enumerate(stages) if stage.seen is not None), default=-1)


def _flags(case: Case) -> frozenset[Flag]:
    facts = (
        (Flag.DUPLICATED, case.copied),
        (Flag.CORRUPT, case.corrupt),
        (Flag.OUT_OF_ORDER, case.out_of_order),
        (Flag.DETOURED, _detoured(case.stages)),
    )
    return frozenset(flag for flag, true in facts if true)


def _detoured(stages: Sequence[StageCase]) -> bool:
    if any(stage.seen is not None and stage.seen.alternate for stage in stages):
        return True
    later: datetime | None = None
    for stage in reversed(stages):
        if stage.seen is not None:
            later = stage.seen.seen_at
        elif later is not None and _read(stage, later):
            return True
    return False
