"""What a failure tells of a page that nothing accounts for: its text, its windows, its canaries' paths."""

from collections.abc import Mapping

from alerts.condition import Notice
from reconcile.outcome import Flag, Outcome
from tests.virtual.path import path
from tests.virtual.world import World


def told(world: World, key: str) -> str:
    """All that was said under this key, and what stands behind it."""
    pages = [
        (at, notice)
        for one in (world, *world.others)
        for notice, at in zip(one.inbox.notices, one.inbox.told_at, strict=True)
        if notice.key == key
    ]
    texts = [text for at, notice in pages for text in _text(notice, at)]
    behind = {id_ for _, notice in pages for id_ in notice.content.ids}
    paths = [path(one, id_) for one in (world, *world.others) for id_ in one.mine if str(id_) in behind]
    return "\n".join((f"false page: {key}", *texts, *_windows(world), *paths))


def _text(notice: Notice, at: float) -> list[str]:
    content = notice.content
    facts = [f"    {name}: {value}" for name, value in content.facts]
    return [f"  {notice.kind} at {at:.1f}: {content.title} ({content.count} of {content.considered})", *facts]


def _windows(world: World) -> list[str]:
    """Every window in which anything but "on time" was said: the page is made of some of them."""
    return [
        f"  window {report.probe} {report.start:%H:%M:%S} settled {report.settled_at:%H:%M:%S}: sent "
        f"{report.sent} of {report.due}, {_counts(report.outcomes)}, {_counts(report.flags)}, "
        f"lost at {dict(report.hops)}, amended {report.amendments}"
        for report in world.reports()
        if report.outcomes.get(Outcome.ON_TIME, 0) < report.due or any(report.flags.values())
    ]


def _counts(counts: Mapping[Outcome, int] | Mapping[Flag, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "nothing"
