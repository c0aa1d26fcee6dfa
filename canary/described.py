"""How a part of the pipeline says that it is made, and what changed between two such readings. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

Said = Mapping[str, Mapping[str, str]]
"""Thing -> aspect -> value: what a part tells of itself, in short texts."""

OPAQUE = "#"
"""Begins a value that is compared and never shown; its aspect's name says what a change of it means."""
ALTERED = "altered"
"""An aspect that changes with any other of its thing: told only where no other says more."""
WHOLE_SECONDS = timedelta(seconds=2)
"""How far a time in whole seconds, by a clock that was corrected for, may be from ours."""
MOST_SHOWN = 60
MOST_CHANGES = 20
"""Of one reading: who rebuilds everything is not told of by its parts."""


class CannotTellError(Exception):
    """A part could not be asked how it is made; the text says why in one line, without secrets."""


@dataclass(frozen=True, slots=True)
class Keeps:
    """How long a topic keeps its records (None: for ever), and how that is known."""

    length: timedelta | None
    source: str


@dataclass(frozen=True, slots=True)
class Description:
    """One reading of a part, all times on our line.

    Parameters
    ----------
    at: when it was read.
    said: only what could be read. A thing that is not in it was not read, so nothing is known of it; an
        aspect that is missing in a thing that is in it is gone.
    who: which of several servers behind one address answered: only the same one's words are compared.
    dated: thing -> when it was changed last, as it says itself.
    done: what was done to it and when, by its own log: what leaves no other trace.
    keeps: how long a topic keeps its records; None for what is no topic, and where that is not known.
    warned: reason -> how often the pipeline wrote it down as a warning since `warned_since`.
    """

    at: datetime
    said: Said
    who: str = ""
    dated: Mapping[str, datetime] = field(default_factory=dict)
    done: tuple[tuple[datetime, str], ...] = ()
    keeps: Keeps | None = None
    warned: Mapping[str, int] = field(default_factory=dict)
    warned_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed, at a time within `[since, until]` (our line; the same where it is known).

    `stage` is where, "" for the monitor itself; `told` is one line, from outside and not escaped."""

    stage: str
    told: str
    since: datetime
    until: datetime


def changes(stage: str, before: Description | None, now: Description) -> list[Change]:
    """What changed since the reading before; without one, what says itself that it was changed."""
    found = [Change(stage, line(told), at, at) for at, told in now.done]
    if before is None:
        found += [Change(stage, f"{thing}: {ALTERED}", at, at) for thing, at in now.dated.items()]
        return found[-MOST_CHANGES:]
    logged = {change.told.partition(":")[0] for change in found}
    for thing in now.said.keys() & before.said.keys():
        told = list(_told(thing, before.said[thing], now.said[thing]))
        if len(told) == 1 and told[0].endswith(ALTERED) and thing in logged:
            continue  # the log says what it was
        since, until = _when(now.dated.get(thing), before.at, now.at)
        found += [Change(stage, one, since, until) for one in told]
    return sorted(found, key=lambda one: (one.until, one.told))[-MOST_CHANGES:]


def _when(dated: datetime | None, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """At its own time, unless that lies elsewhere: a table that was swapped for another has the other's."""
    if dated is not None and since - WHOLE_SECONDS <= dated <= until + WHOLE_SECONDS:
        return dated, dated
    return since, until


def _told(thing: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    names = [name for name in (*before, *(now.keys() - before.keys())) if before.get(name) != now.get(name)]
    more = [name for name in names if name != ALTERED]
    for name in more or names:
        old, new = before.get(name), now.get(name)
        if (new or old or "").startswith(OPAQUE):
            if old and new:  # what was not told once says nothing of a change
                yield line(f"{thing}: {name}")
        elif old is None:
            yield line(f"{thing}: {name} is new ({shown(new)})")
        elif new is None:
            yield line(f"{thing}: {name} is gone")
        else:
            yield line(f"{thing}: {name} {shown(old)} -> {shown(new)}")


def shown(value: str | None) -> str:
    """A value short enough for one line."""
    text = value or '""'
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def line(text: str, most: int = 200) -> str:
    """One line of it, not longer than `most`."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def near(
    found: Iterable[Change], began: datetime, *, within: timedelta, slack: timedelta, far: Mapping[str, int]
) -> list[Change]:
    """Those that may have happened shortly before something began, the nearest to it in the pipeline first.

    `slack`: what is found to have begun may show something that was changed so much later, while it was
    under way. `far` says how far each stage is; one that is not named is farthest.
    """
    close = [one for one in found if one.since <= began + slack and one.until >= began - within]
    farthest = max(far.values(), default=0) + 1
    ordered = sorted(close, key=lambda one: (one.until, one.since, one.told), reverse=True)
    return list(dict.fromkeys(sorted(ordered, key=lambda one: far.get(one.stage, farthest))))
