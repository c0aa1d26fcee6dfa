"""What a pipeline does to events: dropped, copied, mangled, late, behind, refused, moved aside."""

from collections.abc import Callable, Iterator

from tests.virtual.mangle import LAWFUL, MANGLES
from tests.virtual.naming import Deed, Named
from tests.virtual.pipeline import EVENTS, PROCESSED, RAW, STAGES, Fate
from tests.virtual.world import World

HOPS = {RAW: "ingress->raw", PROCESSED: "raw->processed", EVENTS: "processed->events"}
LOST, RIGHT = frozenset({"lost"}), frozenset({"on_time"})


def faults() -> Iterator[Named]:
    """All of them."""
    for stage in STAGES:
        yield from _drops(stage)
        yield from _copies(stage)
    for stage in (PROCESSED, EVENTS):
        yield from _behind(stage)
    yield from _delays()
    for stage in (PROCESSED, EVENTS):
        yield from _corrupt(stage)
    yield from _detours()
    yield from _answers()


def _order(kind: str, stage: str, who: Callable[[Fate], bool]) -> Deed:
    return lambda world: world.pipeline.orders.update({(kind, stage): who})


def _todo(kind: str, stage: str, count: int) -> Deed:
    return lambda world: world.pipeline.todo.update({(kind, stage): count})


def _end(kind: str, stage: str) -> Deed:
    def end(world: World) -> None:
        world.pipeline.orders.pop((kind, stage), None)
        world.pipeline.todo.pop((kind, stage), None)

    return end


def _drops(stage: str) -> Iterator[Named]:
    def every_third() -> Callable[[Fate], bool]:
        return lambda fate: int(fate.sent_at) % 3 == 0

    ways: dict[str, Deed] = {
        "one": _todo("drop", stage, 1),
        "some": _order("drop", stage, every_third()),
        "a block": _todo("drop", stage, 8),
        "a lane": _order("drop", stage, lambda fate: fate.partition == 1),
        "all": _order("drop", stage, lambda _fate: True),
    }
    for much, apply in ways.items():
        yield Named(
            f"drop {much} into {stage}",
            "drop",
            apply,
            _end("drop", stage),
            lasts=10,
            hop=HOPS[stage],
            expects=LOST,
            pages=(f"lost:{HOPS[stage]}",),
        )


def _copies(stage: str) -> Iterator[Named]:
    flagged, page = frozenset({"duplicated"}), (f"duplicated:{stage}",)
    yield Named(
        f"duplicate into {stage}",
        "duplicate",
        _todo("duplicate", stage, 2),
        _end("duplicate", stage),
        stage=stage,
        expects=flagged,
        pages=page,
    )
    if stage == EVENTS:

        def elsewhere(world: World) -> None:
            world.pipeline.elsewhere = True
            _todo("duplicate", EVENTS, 2)(world)

        def here(world: World) -> None:
            world.pipeline.elsewhere = False
            _end("duplicate", EVENTS)(world)

        yield Named(
            "duplicate rows on another day",
            "duplicate",
            elsewhere,
            here,
            stage=stage,
            expects=flagged,
            pages=page,
        )
    else:
        yield Named(
            f"consumer of {stage} replays older offsets",
            "duplicate",
            lambda world: world.pipeline.replay(stage, 3),
            stage=stage,
            expects=frozenset({"duplicated"}),
        )


def _behind(stage: str) -> Iterator[Named]:
    behind, source = (f"behind:{HOPS[stage]}",), {PROCESSED: RAW, EVENTS: PROCESSED}[stage]

    def stop(world: World) -> None:
        world.pipeline.stopped.add(stage)

    def start(world: World) -> None:
        world.pipeline.stopped.discard(stage)

    def unread(world: World) -> None:
        stop(world)
        world.eyes.no_positions.add(source)

    def see(world: World) -> None:
        world.eyes.no_positions.discard(source)
        start(world)

    def expire(world: World) -> None:
        world.pipeline.expire(source)
        start(world)

    late = frozenset({"late"})
    where = HOPS[stage]
    yield Named(
        f"backlog before {stage}", "backlog", stop, start, lasts=1200, hop=where, expects=late, pages=behind
    )
    yield Named(
        f"short backlog before {stage}",
        "backlog",
        stop,
        start,
        lasts=60,
        hop=where,
        expects=late,
        pages=behind,
    )
    yield Named(
        f"backlog before {stage}, positions unreadable",
        "backlog",
        unread,
        see,
        lasts=120,
        hop=where,
        expects=late,
    )
    yield Named(
        f"retention overtakes the backlog before {stage}",
        "retention",
        stop,
        expire,
        lasts=60,
        hop=where,
        expects=LOST,
        pages=(f"lost:{where}",),
    )


def _delays() -> Iterator[Named]:
    def hold(stage: str, seconds: float) -> Deed:
        return lambda world: world.pipeline.hold.update({stage: seconds})

    def go(stage: str) -> Deed:
        return lambda world: world.pipeline.hold.pop(stage, None)

    def slow_append(seconds: float) -> Deed:
        return lambda world: setattr(world.pipeline, "appends_after", seconds)

    for stage in (PROCESSED, EVENTS):
        yield Named(
            f"delay below the objective into {stage}",
            "delay",
            hold(stage, 2),
            go(stage),
            lasts=20,
            expects=RIGHT,
        )
        yield Named(
            f"delay above the objective into {stage}",
            "delay",
            hold(stage, 12),
            go(stage),
            lasts=30,
            hop=HOPS[stage],
            expects=frozenset({"late"}),
            pages=("late:",),
        )
    yield Named(
        "delay beyond every limit, amended",
        "delay",
        slow_append(60),
        slow_append(0.1),
        lasts=6,
        hop=HOPS[RAW],
        expects=frozenset({"late"}),
        pages=(f"lost:{HOPS[RAW]}",),
    )
    yield Named("reorder", "reorder", slow_append(6.5), slow_append(0.1), lasts=4, stage=RAW)


def _corrupt(stage: str) -> Iterator[Named]:
    def mangle(kind: str) -> Deed:
        def begin(world: World) -> None:
            world.pipeline.mangle = kind
            _todo("corrupt", stage, 2)(world)

        return begin

    for kind in MANGLES:
        lawful = kind in LAWFUL
        yield Named(
            f"{'lawful: ' if lawful else 'corrupt: '}{kind} at {stage}",
            "lawful" if lawful else "corrupt",
            mangle(kind),
            _end("corrupt", stage),
            stage=stage,
            expects=RIGHT if lawful else frozenset({"corrupt"}),
            pages=() if lawful else (f"corrupt:{stage}",),
        )


def _detours() -> Iterator[Named]:
    yield Named(
        "detour through the overflow",
        "detour",
        _todo("detour", RAW, 3),
        _end("detour", RAW),
        stage=RAW,
        expects=frozenset({"detoured"}),
    )
    yield Named(
        "dead letters", "detour", _todo("dead", PROCESSED, 2), _end("dead", PROCESSED), hop=HOPS[PROCESSED],
        expects=LOST, pages=(f"lost:{HOPS[PROCESSED]}",),
    )  # fmt: skip


def _answers() -> Iterator[Named]:
    def answer(mode: str) -> Deed:
        return lambda world: setattr(world.pipeline, "always", mode)

    for name, mode, expects, pages in (
        ("refused", "refuse", "rejected", ("rejected:",)),
        ("a storm of 429", "refuse", "rejected", ("rejected:",)),
        ("200 but dropped", "accept_and_drop", "lost", (f"lost:{HOPS[RAW]}",)),
        ("timeout but stored", "timeout_stored", "on_time", ()),
        ("timeout and lost", "timeout_lost", "undelivered", ("undelivered:",)),
        ("5xx but stored", "error_stored", "on_time", ()),
        ("5xx and lost", "error", "undelivered", ("undelivered:",)),
        ("connection reset, but stored", "timeout_stored", "on_time", ()),
        ("connection reset, and lost", "timeout_lost", "undelivered", ("undelivered:",)),
    ):
        lasts = 30 if "storm" in name else 5
        yield Named(
            name, "ingress", answer(mode), answer("accept"), lasts=lasts, hop=HOPS[RAW],
            expects=frozenset({expects}), pages=pages,
        )  # fmt: skip
