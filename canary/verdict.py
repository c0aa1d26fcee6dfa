"""What the places that were searched say of one event. Pure: no clock, nothing asked.

The order of the looks makes it sound: topics first, then the positions of the consumers behind them, the
last table after all. So a consumer that had passed a record had done its work before the table was asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from canary.trails import ALTERNATE, DEAD_LETTER, WARNING, Find, Passage, Searched


class State(StrEnum):
    """What became of an event."""

    STORED = "stored"
    WAITING = "waiting"
    DEAD_LETTERED = "dead_lettered"
    DROPPED = "dropped"
    LOST = "lost"
    UNKNOWN = "unknown"


EXIT: Mapping[State, int] = {
    State.STORED: 0,
    State.WAITING: 1,
    State.DEAD_LETTERED: 2,
    State.DROPPED: 2,
    State.LOST: 2,
    State.UNKNOWN: 3,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` says in one sentence why it went no further; `hop` names where, `spanned` what lies in between
    and could not be read."""

    state: State
    why: str
    hop: tuple[str, str] | None = None
    spanned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was found. `stages` in their order; `passages` by the stage whose consumer it is."""

    stages: Sequence[str]
    searched: Sequence[Searched]
    passages: Mapping[str, Passage]
    now: datetime
    lost_after: timedelta

    def of(self, stage: str, *sides: str) -> list[Searched]:
        return [one for one in self.searched if one.stage == stage and one.side in sides]

    def finds(self, stage: str, *sides: str) -> list[Find]:
        return [find for one in self.of(stage, *sides) for find in one.finds]

    def gap(self, stage: str) -> str:
        """Why this stage and its alternates do not prove the event's absence; "" where they do."""
        return "; ".join(f"{one.place}: {one.gap}" for one in self.of(stage, "", ALTERNATE) if one.gap)


def judge(evidence: Evidence) -> Verdict:
    """The state of one event."""
    last = evidence.stages[-1]
    rows = evidence.finds(last, "", ALTERNATE)
    if rows:
        copies = f", {len(rows)} times" if len(rows) > 1 else ""
        return Verdict(State.STORED, f"it is in {last}{copies}")
    letter = next(
        (one for one in evidence.searched if one.side == DEAD_LETTER and one.finds),
        None,
    )
    if letter is not None:
        reason = letter.finds[-1].reason or "no reason is given"
        return Verdict(State.DEAD_LETTERED, f"it is a dead letter in {letter.place}: {reason}")
    if gap := evidence.gap(last):
        return Verdict(State.UNKNOWN, f"{last} could not be searched: {gap}")
    seen = [name for name in evidence.stages[:-1] if evidence.finds(name, "", ALTERNATE)]
    if not seen:
        return _nowhere(evidence)
    return _named(evidence, _behind(evidence, seen[-1]))


def _nowhere(evidence: Evidence) -> Verdict:
    last = evidence.stages[-1]
    gaps = [gap for name in evidence.stages[:-1] if (gap := evidence.gap(name))]
    if gaps:
        return Verdict(
            State.UNKNOWN, f"it is not in {last}, and not all could be searched: {'; '.join(gaps)}"
        )
    places = ", ".join(evidence.stages)
    return Verdict(
        State.UNKNOWN,
        f"it is in none of {places}: it never reached them, or not in the time that was searched",
    )


def _behind(evidence: Evidence, stage: str) -> Verdict:
    """The event was seen at `stage` last, and is not in the last stage."""
    stages = list(evidence.stages)
    at = stages.index(stage)
    passage = evidence.passages.get(stage)
    if passage is not None and passage.passed is False:
        return Verdict(State.WAITING, f"it waits in {stage}: {passage.words}")
    if passage is None or passage.passed is None:
        return _by_time(evidence, stage, passage.words if passage else "")
    spanned: list[str] = []
    for following in stages[at + 1 :]:
        gap = evidence.gap(following)
        if not gap:
            words = f"{passage.words}, and {following} does not show it"
            hop = (stages[at], stages[at + 1]) if spanned else (stage, following)
            return Verdict(State.LOST, words, hop, tuple(spanned))
        ahead = evidence.passages.get(following)
        if ahead is None or ahead.drained is not True:
            where = "may wait there" if ahead is not None and ahead.drained is False else "may be there"
            return Verdict(
                State.UNKNOWN,
                f"it left {stage} ({passage.words}); {following} could not be searched to the end ({gap}), "
                f"and it {where}",
            )
        spanned.append(following)
    return Verdict(State.UNKNOWN, f"it left {stage}, and nothing behind it could be searched")


def _by_time(evidence: Evidence, stage: str, words: str) -> Verdict:
    """Without a position only time tells a loss from a backlog."""
    stages = list(evidence.stages)
    times = [find.at for find in evidence.finds(stage, "", ALTERNATE) if find.at is not None]
    gaps = [gap for name in stages[stages.index(stage) + 1 :] if (gap := evidence.gap(name))]
    told = words or "nothing says how far the consumer behind it is"
    if times and not gaps and evidence.now - max(times) > evidence.lost_after:
        minutes = (evidence.now - max(times)).total_seconds() / 60
        hop = (stage, stages[stages.index(stage) + 1])
        return Verdict(State.LOST, f"{minutes:.0f} min after it was seen nothing shows it; {told}", hop)
    return Verdict(State.UNKNOWN, f"it was seen in {stage} and not behind it, where it may yet come: {told}")


def _before_last(evidence: Evidence) -> list[Find]:
    """What every stage but the last shows of it."""
    return [find for name in evidence.stages[:-1] for find in evidence.finds(name, "", ALTERNATE)]


def _removed(evidence: Evidence) -> str:
    """Why the row of an event of this age may have been in the last stage and be gone; "" where it is not."""
    times = [find.at for find in _before_last(evidence)]
    known = [at for at in times if at is not None]
    for one in evidence.of(evidence.stages[-1], ""):
        if one.replaces:
            return f"{one.place} may have replaced it by a row with the same {one.replaces}"
        if one.kept_since is not None and (len(known) < len(times) or min(known) < one.kept_since):
            return f"{one.place} may have removed it by its TTL"
    return ""


def _named(evidence: Evidence, verdict: Verdict) -> Verdict:
    """A loss for which the pipeline has a reason, and what may be none: rows are removed too, and dead
    letters may be unread."""
    if verdict.state is not State.LOST:
        return verdict
    for find in _before_last(evidence):
        if find.reason:
            why = f"the pipeline drops it on purpose ({find.reason}); {verdict.why}"
            return Verdict(State.DROPPED, why, verdict.hop, verdict.spanned)
    unread = [f"{one.place}: {one.gap}" for one in evidence.searched if one.side == DEAD_LETTER and one.gap]
    if unread:
        return Verdict(State.UNKNOWN, f"it may be a dead letter ({'; '.join(unread)}); {verdict.why}")
    if removed := _removed(evidence):
        return Verdict(State.UNKNOWN, f"{removed}; {verdict.why}")
    for one in evidence.searched:
        if one.side == WARNING and one.finds:
            why = f"{one.place} has a warning of it: {one.finds[0].reason}; {verdict.why}"
            return Verdict(State.DROPPED, why, verdict.hop, verdict.spanned)
    return verdict
