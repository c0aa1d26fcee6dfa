"""What the right answer is, from what was really done to each canary. Shares no rule with `reconcile`."""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from canary.values import Track
from tests.virtual.pipeline import Fate
from tests.virtual.world import LIMITS, World

BLUR = LIMITS.resolution.total_seconds() + 3.0
"""An arrival is known to within a look; only what is further past the objective has to be called late."""


def right(fate: Fate, objective: float) -> set[str]:
    """The outcomes that are right in the end, when everything was healed and read; seconds."""
    if fate.arrived_at is not None:
        if fate.arrived_at - fate.sent_at <= objective:
            return {"on_time"}
        return {"on_time", "late"}
    if fate.receipt == "refused":
        return {"rejected"}
    if fate.gone_at is None:
        return {"undelivered"}
    if fate.receipt == "unknown" and not fate.appended:
        return {"undelivered"}
    return {"lost"}


def far_late(fate: Fate, objective: float) -> bool:
    """Whether it came so long past the objective (seconds) that nothing but "late" will do."""
    return fate.arrived_at is not None and fate.arrived_at - fate.sent_at > objective + BLUR


def faults(world: World, *, may_miss: bool = False) -> list[str]:
    """Everything that the monitor said wrongly, with the whole path of the canary."""
    tracks = world.tracks()
    found = [fault for id_ in world.mine for fault in _of_one(world, id_, tracks.get(id_), may_miss)]
    return found + _of_windows(world, tracks)


def _of_one(world: World, id_: UUID, track: Track | None, may_miss: bool) -> list[str]:
    fate, said = world.pipeline.fates[id_], world.said.get(id_, [])
    judged = track.judged if track is not None else None
    wrong: list[str] = []
    if judged is None or not judged.final:
        return [f"no final outcome\n{world.told(id_)}"]
    objective = world.limits.objective.total_seconds()
    expected = right(fate, objective)
    if may_miss and fate.receipt == "unknown":
        expected = expected | {"undelivered"}
    if judged.outcome not in expected:
        wrong.append(f"called {judged.outcome}, is {expected}")
    if judged.outcome == "lost" and not may_miss and judged.hop != fate.gone_hop:
        wrong.append(f"lost at {judged.hop}, really at {fate.gone_hop}")
    if far_late(fate, objective) and judged.outcome == "on_time" and "time_unknown" not in judged.flags:
        wrong.append("far too late, and called on time with its time known")
    if fate.gone_at is None and not fate.broke_promise and any(item.outcome == "lost" for item in said):
        wrong.append("called lost, and was not")
    wrong += _flags(fate, set(map(str, judged.flags)), may_miss)
    return [f"{text}\n{world.told(id_)}" for text in wrong]


def _flags(fate: Fate, flags: set[str], may_miss: bool) -> list[str]:
    wrong = []
    if "duplicated" in flags and not fate.copied_at and not fate.replayed:
        wrong.append("duplicated, and was not")
    if fate.copied_at and "duplicated" not in flags and not may_miss:
        wrong.append("not called duplicated")
    if "out_of_order" in flags and not fate.overtaken:
        wrong.append("out of order, and was not")
    if "corrupt" in flags and not fate.corrupted:
        wrong.append("corrupt, and was not")
    if fate.corrupted and "corrupt" not in flags and not may_miss:
        wrong.append("not called corrupt")
    if "detoured" in flags and not fate.detoured and not may_miss:
        wrong.append("detoured, and was not")
    return wrong


def _of_windows(world: World, tracks: Mapping[UUID, Track]) -> list[str]:
    """Every report adds up, and says of its window what the ledger says of its canaries."""
    wrong = []
    counts: dict[object, Counter[str]] = {}
    for id_, track in tracks.items():
        if track.judged is not None:
            key = (track.owed.probe, track.owed.window)
            counts.setdefault(key, Counter())[track.judged.outcome.value] += 1
            if id_ not in world.pipeline.fates and track.judged.outcome != "undelivered":
                wrong.append(f"{id_}: was never posted, and called {track.judged.outcome}")
    for report in world.reports():
        told = {name.value: n for name, n in report.outcomes.items() if n}
        if told != dict(counts.pop((report.probe, report.start), Counter())):
            wrong.append(f"window {report.start}: reported {told}, the ledger says otherwise")
    return wrong + [f"window {start}: no report" for start in counts]
