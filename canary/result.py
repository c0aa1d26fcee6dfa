"""The verdict of a check: faults named by hop and kind, and the exit code that follows from them."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from canary.amend import stage_of
from canary.book import Entry
from canary.fault import EXIT_CODES, SEVERITY, Fault, State
from canary.follow import hop_latencies
from canary.once import Finished
from reconcile.compare import Verdict
from reconcile.latency import summary
from reconcile.outcome import ARRIVED, INGRESS, Flag, Outcome, Receipt


class Result:
    """A finished check, judged as a whole."""

    def __init__(self, finished: Finished, stages: Sequence[str]) -> None:
        self.finished = finished
        self.names = [INGRESS, *stages]
        self.faults = sorted(self._faults(), key=lambda fault: SEVERITY.index(fault.state))
        self.verdict: State = self.faults[0].state if self.faults else "ok"
        if not self.faults and (self._under_way or not finished.verdicts):
            self.verdict = "unknown"

    @property
    def exit_code(self) -> int:
        """By the design's table; interrupted comes first."""
        return 130 if self.finished.interrupted else EXIT_CODES[self.verdict]

    @property
    def sent(self) -> int:
        return len(self.finished.verdicts)

    @property
    def _under_way(self) -> int:
        """Canaries whose time is not up: only an interrupted check leaves any."""
        return sum(v.outcome is Outcome.PENDING for v in self.finished.verdicts.values())

    @property
    def summary(self) -> str:
        """One sentence that a person can act on."""
        arrived = sum(v.outcome in ARRIVED for v in self.finished.verdicts.values())
        if self.verdict == "ok":
            worst = self.latencies().get((self.names[0], self.names[-1]), {}).get("max", 0.0)
            who = "The canary" if self.sent == 1 else f"All {self.sent:,} canaries"
            return f"{who} arrived once, intact and on time (slowest {worst:.1f} s)."
        under_way = f" {self._under_way} still under way." if self._under_way else ""
        if not self.faults and not self.sent:
            return "Nothing was sent, so nothing can be said."
        if not self.faults:
            return f"No fault so far: {arrived} of {self.sent} arrived.{under_way}"
        told = "; ".join(_sentences(self.faults, self.sent)[:3])
        unread = sum(v.outcome is Outcome.UNREAD for v in self.finished.verdicts.values())
        rest = f" What became of {unread} of {self.sent} cannot be told." if unread else ""
        if arrived or not unread:
            rest = f" {arrived} of {self.sent} arrived.{rest}"
        return f"{told}.{rest}{under_way}"

    def _faults(self) -> Iterator[Fault]:
        yield from self._by_outcome()
        yield from self._by_flag()
        yield from self._blind()
        stored: dict[str, list[UUID]] = defaultdict(list)
        for id_, entry in self.finished.entries.items():
            if entry.receipt is Receipt.REFUSED and entry.seen:
                stored[next(name for name in self.names if name in entry.seen)].append(id_)
        for stage, ids in stored.items():
            yield Fault("stored_after_refusal", "degraded", len(ids), tuple(ids), stage=stage)

    def _by_outcome(self) -> Iterator[Fault]:
        groups: dict[tuple[Outcome, Any], list[UUID]] = defaultdict(list)
        for id_, verdict in self.finished.verdicts.items():
            groups[(verdict.outcome, self._place(id_, verdict))].append(id_)
        for (outcome, place), ids in groups.items():
            make = _OUTCOMES.get(outcome)
            if make is not None:
                yield make(self, place, tuple(ids))

    def _place(self, id_: UUID, verdict: Verdict) -> object:
        """What canaries of one outcome are grouped by: the hop, where there is one."""
        if verdict.outcome is Outcome.LOST:
            return verdict.hop, verdict.spanned
        if verdict.outcome is Outcome.OVERDUE:
            entry = self.finished.entries[id_]
            here = max((i for i, name in enumerate(self.names) if name in entry.seen), default=0)
            queued = verdict.reason.startswith("queued")
            return self.names[here], self.names[min(here + 1, len(self.names) - 1)], queued
        return None

    def reason(self, ids: Sequence[UUID]) -> str:
        """Why, in the words of the first verdict."""
        return self.finished.verdicts[ids[0]].reason

    def answer(self, ids: Sequence[UUID]) -> str:
        """What the ingress said to the first of them that it answered."""
        entries = (self.finished.entries[id_] for id_ in ids)
        return next((entry.answer.detail for entry in entries if entry.answer is not None), "no answer")

    def _by_flag(self) -> Iterator[Fault]:
        groups: dict[tuple[Flag, str, Any], list[UUID]] = defaultdict(list)
        for id_, verdict in self.finished.verdicts.items():
            entry = self.finished.entries[id_]
            for flag in verdict.flags - {Flag.TIME_UNKNOWN}:
                stage = stage_of(flag, entry, self.names)
                field = next((d.field for d in entry.seen[stage].differences), None)
                groups[(flag, stage, field if flag is Flag.CORRUPT else None)].append(id_)
        for (flag, stage, _), ids in groups.items():
            state: State = "fault" if flag is Flag.CORRUPT else "degraded"
            seen = self.finished.entries[ids[0]].seen[stage]
            first = seen.differences[0] if flag is Flag.CORRUPT and seen.differences else None
            yield Fault(
                flag.value,
                state,
                len(ids),
                tuple(ids),
                hop=(self.names[self.names.index(stage) - 1], stage),
                stage=stage,
                field=first.field if first else None,
                expected=first.expected if first else None,
                found=first.found if first else None,
                reason=", ".join(seen.copy_kinds) if flag is Flag.DUPLICATED else "",
            )

    def _blind(self) -> Iterator[Fault]:
        unread = [i for i, v in self.finished.verdicts.items() if v.outcome is Outcome.UNREAD]
        last, blind = self.names[-1], dict(self.finished.blind)
        if unread:  # it may see again by now: what it did not show in time is not known all the same
            blind.setdefault(last, "not read in time")
        for stage, reason in blind.items():
            unknown = stage == last and (unread or not self.finished.verdicts)
            yield Fault("blind", "unknown" if unknown else "degraded", 1, stage=stage, reason=reason)

    def latencies(self) -> dict[tuple[str, str], dict[str, float]]:
        """p50 to max and error in seconds, by hop; (ingress, last stage) is the whole way."""
        known = [e for i, e in self.finished.entries.items() if not self._time_unknown(i)]
        found = {hop: summary(samples) for hop, samples in hop_latencies(known, self.names).items()}
        return {hop: values for hop, values in found.items() if values is not None}

    def _time_unknown(self, id_: UUID) -> bool:
        return Flag.TIME_UNKNOWN in self.finished.verdicts[id_].flags

    def as_json(self) -> dict[str, Any]:
        """The stable object of the design's section 9."""
        latencies = self.latencies()
        verdicts = self.finished.verdicts.values()
        return {
            "schema": 1,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "summary": self.summary,
            "started_at": _time(self.finished.started_at),
            "finished_at": _time(self.finished.finished_at),
            "sent": self.sent,
            "outcomes": {name.value: sum(v.outcome is name for v in verdicts) for name in Outcome},
            "flags": {flag.value: sum(flag in v.flags for v in verdicts) for flag in Flag},
            "hops": [self._hop_json(hop, latencies.get(hop)) for hop in pairwise(self.names)],
            "latency_seconds": latencies.get((self.names[0], self.names[-1])),
            "faults": [fault.as_json() for fault in self.faults],
            "canaries": [self._canary_json(id_, verdict) for id_, verdict in self.finished.verdicts.items()],
        }

    def _hop_json(self, hop: tuple[str, str], latency: Mapping[str, float] | None) -> dict[str, Any]:
        lost = sum(v.hop == hop for v in self.finished.verdicts.values())
        return {
            "from": hop[0],
            "to": hop[1],
            "state": self.hop_state(hop),
            "lost": lost,
            "latency_seconds": latency,
        }

    def hop_state(self, hop: tuple[str, str]) -> State:
        """The worst that is known of one hop."""
        states: list[State] = [f.state for f in self.faults if f.hop == hop or hop in f.spanned]
        if hop[1] in self.finished.blind or (hop[0] in self.finished.blind and not states):
            states.append("unknown")
        return min(states, key=SEVERITY.index, default="ok")

    def _canary_json(self, id_: UUID, verdict: Verdict) -> dict[str, Any]:
        entry = self.finished.entries[id_]
        return {
            "id": str(id_),
            "lane": entry.owed.lane,
            "outcome": verdict.outcome.value,
            "flags": sorted(flag.value for flag in verdict.flags),
            "sent_at": _time(entry.owed.sent_at),
            "receipt": entry.receipt.value if entry.receipt else None,
            "sightings": [_sighting(entry, name) for name in self.names if name in entry.seen],
        }


def _lost(result: Result, place: Any, ids: tuple[UUID, ...]) -> Fault:
    hop, spanned = place
    return Fault("lost", "fault", len(ids), ids, hop=hop, spanned=spanned, reason=result.reason(ids))


def _overdue(result: Result, place: Any, ids: tuple[UUID, ...]) -> Fault:
    state: State = "degraded" if place[2] else "unknown"
    return Fault("overdue", state, len(ids), ids, hop=place[:2], reason=result.reason(ids))


def _rejected(result: Result, _: Any, ids: tuple[UUID, ...]) -> Fault:
    hop = (result.names[0], result.names[1])
    return Fault("rejected", "fault", len(ids), ids, hop=hop, reason=result.answer(ids))


def _undelivered(result: Result, _: Any, ids: tuple[UUID, ...]) -> Fault:
    hop = (result.names[0], result.names[1])
    state: State = "fault" if len(ids) == result.sent else "degraded"
    return Fault("undelivered", state, len(ids), ids, hop=hop, reason=result.answer(ids))


def _late(result: Result, _: Any, ids: tuple[UUID, ...]) -> Fault:
    hop = (result.names[0], result.names[-1])
    return Fault("late", "degraded", len(ids), ids, hop=hop, reason="past the latency objective")


_OUTCOMES: Mapping[Outcome, Callable[[Result, Any, tuple[UUID, ...]], Fault]] = {
    Outcome.LOST: _lost,
    Outcome.OVERDUE: _overdue,
    Outcome.REJECTED: _rejected,
    Outcome.UNDELIVERED: _undelivered,
    Outcome.LATE: _late,
}


def _sentences(faults: Sequence[Fault], sent: int) -> list[str]:
    """One for each fault; stages that are blind for the same reason share one."""
    blind: dict[str, list[str]] = defaultdict(list)
    for fault in faults:
        if fault.kind == "blind":
            blind[fault.reason].append(fault.stage or "")
    return [
        f"{' and '.join(blind.pop(fault.reason))} could not be read ({fault.reason})"
        if fault.kind == "blind"
        else _sentence(fault, sent)
        for fault in faults
        if fault.kind != "blind" or fault.reason in blind
    ]


def _sentence(fault: Fault, sent: int) -> str:
    queued = "queued and " if fault.kind == "overdue" and fault.state == "degraded" else ""
    detail = f" ({fault.field}: expected {fault.expected}, found {fault.found})" if fault.field else ""
    kind = fault.kind.replace("_", " ")
    return f"{fault.count} of {sent} {queued}{kind} {fault.where}{detail}".rstrip()


def _time(at: Any) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sighting(entry: Entry, stage: str) -> dict[str, Any]:
    seen = entry.seen[stage]
    position = (
        None if seen.offset is None else f"{'' if seen.partition is None else seen.partition}@{seen.offset}"
    )
    return {"stage": stage, "at": _time(seen.at), "seen_at": _time(seen.seen_at), "position": position}
