"""One fault, played in virtual time and scored: what was done, what was said of it, and how soon."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from alerts.condition import Kind, Notice
from canary.values import Track
from tests.scoreboard.rows import ROWS, world_for
from tests.scoreboard.traffic import BusyWorld
from tests.virtual.naming import Named
from tests.virtual.oracle import faults
from tests.virtual.pipeline import PROCESSED
from tests.virtual.telling import told
from tests.virtual.truth import Harm, harm, unexplained
from tests.virtual.world import World

BEGINS = (12.0, 15.5)
"""Seconds into the run at which the fault begins, once for each play: early and late in a window."""

FINE = 0.5
COARSE = 1.5
"""Seconds of a tick while times are measured, and afterwards: less than what the monitor catches up."""


@dataclass(slots=True)
class Play:
    """What one play counted; times are virtual seconds."""

    injected: int = 0
    found: int = 0
    named: int = 0
    after_fault: list[float] = field(default_factory=list)
    after_proof: list[float] = field(default_factory=list)
    to_page: list[float] = field(default_factory=list)
    to_end: list[float] = field(default_factory=list)
    page: str = ""
    wrong: list[str] = field(default_factory=list)
    false_pages: list[str] = field(default_factory=list)
    missing_pages: list[str] = field(default_factory=list)


def played(name: str, *, folder: Path, times: int = len(BEGINS)) -> tuple[Play, ...]:
    """The first plays of one row's fault, their ledger in that folder."""
    return tuple(_play(ROWS[name], begins, folder) for begins in BEGINS[:times])


def quiet(fault: Named) -> bool:
    """Whether nothing must be said of the fault itself: then a real loss amid it has to be found."""
    return fault.expects <= {"on_time"} and not fault.pages


def _play(fault: Named, begins: float, folder: Path) -> Play:
    world = world_for(fault.name, folder)
    try:
        return _scored(world, fault, *_run(world, fault, begins))
    finally:
        world.close()


def _run(world: World, fault: Named, begins: float) -> tuple[float, float]:
    """When the fault began, and when it was over."""
    tick = FINE if fault.lasts < 300 else COARSE
    world.run(begins, FINE)
    began = world.clock.monotonic()
    fault.apply(world)
    if quiet(fault):
        world.pipeline.todo["drop", PROCESSED] += 2
    world.run(fault.lasts, tick)
    fault.undo(world)
    ended = world.clock.monotonic()
    world.run(40, FINE)
    world.finish(tick=COARSE)
    return began, ended


def _scored(world: World, fault: Named, began: float, ended: float) -> Play:
    tracks = world.tracks()
    play = Play(
        wrong=faults(world),
        false_pages=[told(world, key) for key in unexplained(world, fault)],
        to_page=[at - began for at, _ in _first(world, fault, Kind.OPENED, began)],
        to_end=[max(0.0, at - ended) for at, _ in _first(world, fault, Kind.RESOLVED, began)],
        page=next((title for _, title in _first(world, fault, Kind.OPENED, began)), ""),
    )
    if len(play.to_end) < len(play.to_page):
        play.wrong.append(f"a page was never called over: {world.inbox.unresolved()}")
    keys = {*world.inbox.muted(), *(notice.key for notice in world.opened())}
    judged = [track.judged for track in tracks.values() if track.judged is not None]
    got = {item.outcome.value for item in judged} | {flag.value for item in judged for flag in item.flags}
    play.wrong += [f"nobody was called {what}" for what in fault.expects - got]
    play.missing_pages = [page for page in fault.pages if not any(key.startswith(page) for key in keys)]
    for id_ in world.mine:
        if (done := harm(world.pipeline.fates[id_], world.terms)) is not None and id_ in tracks:
            _count(play, world, done, tracks[id_])
    if isinstance(world, BusyWorld):
        _count_events(play, world)
    if not play.injected and fault.pages:  # nothing was done to a canary: the fault itself is what is found
        play.injected = 1
        play.found = play.named = int(not play.missing_pages)
    return play


def _count(play: Play, world: World, done: Harm, track: Track) -> None:
    judged = track.judged
    play.injected += 1
    if judged is None or not judged.final:
        return
    flags = {flag.value for flag in judged.flags}
    found = judged.outcome.value != "on_time" or bool(flags & {"duplicated", "corrupt", "detoured"})
    right = judged.outcome.value in done.outcomes and (not done.hops or judged.hop in done.hops)
    play.found += found
    play.named += found and right and done.flags <= flags
    if found and done.outcomes != {"late"}:
        said = world.said_at[track.owed.id]
        play.after_fault.append(max(0.0, said - done.struck_at))
        play.after_proof.append(max(0.0, said - max(done.proven_at, _due(world, track))))


def _count_events(play: Play, world: BusyWorld) -> None:
    """The same of real events, which an audit knows by their offsets."""
    gone = set(world.gone)
    right = gone & set(world.found)
    play.injected += len(gone)
    play.found += len(right)
    play.named += len(right)
    play.wrong += [f"real events called lost that were not: {sorted(set(world.found) - gone)[:10]}"][
        : len(set(world.found) - gone)
    ]
    play.after_fault += [world.found[offset] - world.struck_at for offset in right]
    play.after_proof += [world.found[offset] - max(world.struck_at, world.audit_due) for offset in right]


def _due(world: World, track: Track) -> float:
    """When the canary's window and its grace are over, on the pipeline's clock."""
    owed, times = track.owed, world.times
    left = (owed.window + times.window + times.grace - owed.sent_at).total_seconds()
    return world.pipeline.fates[owed.id].sent_at + left


def _first(world: World, fault: Named, kind: Kind, since: float) -> Iterator[tuple[float, str]]:
    """For each page of the fault: when it was first told so, and its title."""
    for page in fault.pages:
        told = zip(world.inbox.notices, world.inbox.told_at, strict=True)
        hits = (
            (at, notice.content.title)
            for notice, at in told
            if notice.kind is kind and _names(notice, page) and at >= since
        )
        if (first := next(hits, None)) is not None:
            yield first


def _names(notice: Notice, page: str) -> bool:
    """Whether it tells of it: by itself, or as what follows from something else."""
    return any(key.startswith(page) for key in (notice.key, *notice.content.muted))
