"""What would have been paged when: today's rules over the windows and minutes that the ledger holds.

The ledger keeps what became of every window, not what was thought of it at the time, so an amended window
counts as it stands now, from the moment when it settled.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import zip_longest

from alerts.condition import Condition, Notice, Severity
from alerts.policy import decide
from alerts.rules import Rules
from alerts.state import State
from canary.book import Book
from canary.causes import causes
from canary.config.alerts import ObjectiveConfig
from canary.flagged import KINDS
from canary.minutes import COUNTS, KEPT, MINUTE, is_down
from canary.objectives import Objective
from canary.readings import StageSpec
from canary.rules import by_window, down
from canary.scene import Scene, arrow
from canary.values import Minute, WindowReport

LOOKED_ON = timedelta(minutes=30)
"""So long after the last window things may still be told to go on, or to be over."""

NOT_REPLAYED = (
    "blind: nothing keeps when a stage could not be read",
    "behind: a window keeps only what became of its canaries in the end",
    "stored_after_refusal and ledger: nothing keeps when",
    "silences and acknowledgements: those of then were for the rules of then",
)
"""What a replay leaves out, and why."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is played again: reports in any order, minutes, and the pipeline that they are of."""

    stages: Sequence[StageSpec]
    reports: Sequence[WindowReport]
    minutes: Sequence[Minute]
    objectives: Sequence[ObjectiveConfig]
    window: timedelta
    down_after: timedelta


def replay(past: Past, rules: Rules, *, since: datetime) -> Iterator[Notice]:
    """The messages that the rules make of it from `since` on; what is before only fills the objectives."""
    objectives = [Objective(one, window=past.window, down_after=past.down_after) for one in past.objectives]
    waited = MINUTE + past.down_after
    minutes = sorted(past.minutes, key=lambda minute: minute.start)
    starts = [minute.start for minute in minutes]
    book = Book(past.stages, epoch_started_at=since, grace=past.window)
    latest: dict[str, WindowReport] = {}
    state, taken = State(), 0
    for now, reports in _steps(past.reports, past.window):
        for report in reports:
            if report.probe not in latest or latest[report.probe].start <= report.start:
                latest[report.probe] = report
        ripe = bisect_left(starts, now - waited)
        for one in objectives:
            one.learn(reports)
            one.learn_minutes(minutes[taken:ripe], now)
        taken = ripe
        if now < since:
            continue
        recent = minutes[bisect_left(starts, now - KEPT) : ripe]
        downtime = {**dict.fromkeys(latest, ()), **_down(recent)}
        scene = Scene(now=now, book=book, latest=latest, down=downtime, down_after=past.down_after)
        promised = [wrong for one in objectives if (wrong := one.condition()) is not None]
        found = [*by_window(scene), *_lost(scene), *_flagged(scene), *down(scene), *promised]
        given = [replace(one, muted_by=causes(one.key, scene)) for one in found]
        state, notices = decide(state, given, now=now, rules=rules)
        yield from notices


def _steps(
    reports: Iterable[WindowReport], window: timedelta
) -> Iterator[tuple[datetime, Sequence[WindowReport]]]:
    """Every moment at which something settled, and those between and after at which something may end."""
    settled: dict[datetime, list[WindowReport]] = defaultdict(list)
    for report in reports:
        settled[report.settled_at].append(report)
    moments = sorted(settled)
    for now, following in zip_longest(moments, moments[1:]):
        yield now, settled[now]
        until = now + LOOKED_ON if following is None else min(following, now + LOOKED_ON)
        tick = now + window
        while tick < until:
            yield tick, ()
            tick += window


def _down(minutes: Iterable[Minute]) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = defaultdict(list)
    for minute in minutes:
        if is_down({name: getattr(minute, name) for name in COUNTS}):
            found[minute.probe].append(minute.start)
    return found


def _lost(scene: Scene) -> Iterator[Condition]:
    counts: Counter[tuple[str, str]] = Counter()
    for report in scene.latest.values():
        counts.update(report.hops)
    sent = sum(report.sent for report in scene.latest.values())
    for hop, count in counts.items():
        title = f"{count} lost between {hop[0]} and {hop[1]}"
        yield Condition(f"lost:{arrow(hop)}", Severity.PAGE, title, count=count, considered=sent)


def _flagged(scene: Scene) -> Iterator[Condition]:
    """A window does not keep which stage showed it."""
    sent = sum(report.sent for report in scene.latest.values())
    for flag, (severity, _) in KINDS.items():
        count = sum(report.flags.get(flag, 0) for report in scene.latest.values())
        if count:
            words = flag.replace("_", " ")
            yield Condition(f"{flag}:?", severity, f"{count} {words}", count=count, considered=sent)
