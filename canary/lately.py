"""Which changes of the parts go into a message: those shortly before the fault, the nearest hop first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.condition import Condition
from canary.book import Entry
from canary.described import Change, line, near
from canary.scene import Scene, span

FACT = "changed shortly before"
MOST = 3
SLACK = timedelta(minutes=1)
"""What was sent before a change and got there after it is lost by it all the same."""

OURSELVES = "this monitor: "


def changed(scene: Scene, places: Iterable[str], began: datetime | None) -> Iterator[tuple[str, str]]:
    """What changed in the pipeline shortly before `began`, as one fact; `places` are where the fault is."""
    if began is None or not scene.background.changes:
        return
    found = near(
        scene.background.changes,
        began,
        within=scene.background.within,
        slack=SLACK,
        far=_distances(scene.names, list(places)),
    )
    told: dict[str, Change] = {}
    for one in found:  # two stages of one cluster tell the same: the nearest stands
        told.setdefault(f"{'' if one.stage else OURSELVES}{line(one.told)}", one)
    lines = [f"{_when(one, began)}: {text}" for text, one in told.items()]
    if len(lines) > MOST:
        lines[MOST:] = [f"and {len(lines) - MOST} more"]
    if lines:
        yield FACT, "\n".join(lines)


def dated(scene: Scene, found: Iterable[Condition]) -> Iterator[Condition]:
    """Conditions of the real traffic, with what changed before the first window that shows them."""
    starts = {
        one.stage: min(report.since for report in one.reports) for one in scene.real.audits if one.reports
    }
    starts |= {
        one.place: min(window.start for window in one.windows) for one in scene.real.beside if one.windows
    }
    for one in found:
        place = next((part for part in one.key.split(":") if part in starts), "")
        facts = tuple(changed(scene, place.split("->"), starts.get(place)))
        yield replace(one, facts=(*one.facts, *facts)) if facts else one


def first(entries: Sequence[Entry]) -> datetime | None:
    """When the first of them was sent."""
    return min((entry.owed.sent_at for entry in entries), default=None)


def _when(change: Change, began: datetime) -> str:
    """How long before, as far as that is known."""
    least, most = began - change.until, began - change.since
    if least == most:
        return f"{span(most)} before it" if most > timedelta(seconds=1) else "at that time"
    if least > timedelta(0):
        return f"{span(least)} to {span(most)} before it"
    return f"at most {span(most)} before it" if most > timedelta(0) else "at that time"


def _distances(names: Sequence[str], places: Sequence[str]) -> dict[str, int]:
    """How far each stage is from the nearest of these places, in hops."""
    at = [names.index(place) for place in places if place in names]
    return {name: min((abs(index - one) for one in at), default=0) for index, name in enumerate(names)}
