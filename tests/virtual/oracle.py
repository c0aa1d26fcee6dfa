"""What the right answer is, from what was really done to each canary. Shares no rule with `reconcile`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from canary.values import Track, WindowReport
from tests.virtual.path import path
from tests.virtual.pipeline import STAGES, Fate
from tests.virtual.terms import Terms
from tests.virtual.world import World

AMENDED = "ingestion_canary_amended_total"

LOOK = 3.0
"""Seconds that a look, or the pause before it, adds to what is known of an arrival."""


def right(fate: Fate, terms: Terms) -> set[str]:
    """The outcomes that are right in the end, when everything was healed and read."""
    if fate.arrived_at is not None:
        if fate.arrived_at - fate.sent_at <= terms.objective:
            return {"on_time"}
        return {"on_time", "late"}
    if fate.receipt == "refused":
        return {"rejected"}
    if fate.gone_at is None:
        return {"undelivered"}
    if fate.receipt == "unknown" and not fate.appended:
        return {"undelivered"}
    return {"lost"}


def far_late(fate: Fate, terms: Terms) -> bool:
    """Whether it came so long past the objective that nothing but "late" will do."""
    limit = terms.objective + terms.resolution + LOOK
    return fate.arrived_at is not None and fate.arrived_at - fate.sent_at > limit


def faults(world: World) -> list[str]:
    """Everything that the monitor said wrongly, with the whole path of the canary."""
    tracks = world.tracks()
    found = [fault for id_ in world.mine for fault in _of_one(world, id_, tracks.get(id_))]
    return found + _of_windows(world, tracks)


def _of_one(world: World, id_: UUID, track: Track | None) -> list[str]:
    fate, said = world.pipeline.fates[id_], world.said.get(id_, [])
    judged = track.judged if track is not None else None
    wrong: list[str] = []
    if track is None or judged is None or not judged.final:
        return [f"no final outcome\n{path(world, id_)}"]
    expected = right(fate, world.terms)
    if fate.receipt == "unknown" and fate.unread >= set(fate.appended):
        expected = expected | {"undelivered"}  # what was never promised and could never be seen is not owed
    if judged.outcome not in expected:
        wrong.append(f"called {judged.outcome}, is {expected}")
    hops = (judged.hop, *judged.spanned) if fate.unread else (judged.hop,)  # over what nobody could read
    if judged.outcome == "lost" and not fate.gone_hops.intersection(hops):
        wrong.append(f"lost at {judged.hop}, really at {sorted(fate.gone_hops)}")
    if far_late(fate, world.terms) and judged.outcome == "on_time" and "time_unknown" not in judged.flags:
        wrong.append("far too late, and called on time with its time known")
    if fate.gone_at is None and not fate.broke_promise and any(item.outcome == "lost" for item in said):
        wrong.append("called lost, and was not")
    wrong += _flags(fate, set(map(str, judged.flags)))
    shown = len(world.pipeline.rows.get(id_, ())) > 1 or fate.copied_at - fate.unread
    if fate.copied_at and shown and "duplicated" not in judged.flags:
        wrong.append("not called duplicated")
    if fate.corrupted and "corrupt" not in judged.flags and _could_tell(world, fate, track):
        wrong.append("not called corrupt")
    return [f"{text}\n{path(world, id_)}" for text in wrong]


def _flags(fate: Fate, flags: set[str]) -> list[str]:
    wrong = []
    if "duplicated" in flags and not fate.copied_at and not fate.replayed:
        wrong.append("duplicated, and was not")
    if "out_of_order" in flags and not fate.overtaken:
        wrong.append("out of order, and was not")
    if "corrupt" in flags and not fate.corrupted and not fate.copy_corrupted:
        wrong.append("corrupt, and was not")
    if "detoured" in flags and not fate.detoured:
        wrong.append("detoured, and was not")
    return wrong


def _could_tell(world: World, fate: Fate, track: Track) -> bool:
    """Whether its content could be held against what was sent: it was not removed before it was read, and
    its probe was configured (what nobody has the recipe of is not compared)."""
    shown = STAGES[STAGES.index(fate.spoilt_into) :]
    compared = any(seen.compared for seen in track.seen if seen.stage in shown)
    return fate.spoilt_into not in fate.unread and (compared or world.names == {track.owed.probe})


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
    reports = world.reports()
    for report in reports:
        told = {name.value: n for name, n in report.outcomes.items() if n}
        if told != dict(counts.pop((report.probe, report.start), Counter())):
            wrong.append(f"window {report.start}: reported {told}, the ledger says otherwise")
    return wrong + [f"window {start}: no report" for start in counts] + _of_amendments(world, tracks, reports)


def _of_amendments(world: World, tracks: Mapping[UUID, Track], reports: Sequence[WindowReport]) -> list[str]:
    """Each change of an outcome is one amendment, in its window's report and in the metric; one that a kill
    kept from being written down was never told, and is made once more."""
    changes: Counter[datetime] = Counter()
    for id_, said in world.said.items():
        outcomes = [item.outcome for item in said]
        changes[tracks[id_].owed.window] += sum(a is not b for a, b in pairwise(outcomes))
    told = Counter({report.start: report.amendments for report in reports})
    metrics = world.watch.desk.metrics.registry.restricted_registry([AMENDED]).collect()
    counted = sum(sample.value for metric in metrics for sample in metric.samples if sample.name == AMENDED)
    wrong = []
    if world.runs == 1 and counted != changes.total():
        wrong.append(f"{changes.total()} outcomes changed, and {counted:g} amendments were counted")
    for start, number in changes.items():
        if told[start] > number or (world.runs == 1 and told[start] != number):
            wrong.append(f"window {start}: {number} outcomes changed, {told[start]} amendments reported")
    return wrong
