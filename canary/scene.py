"""What the rules look at, and the words in which conditions are told."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.condition import Condition, Severity
from canary.audit.beside import Real
from canary.background import Background
from canary.book import Book, Entry
from canary.values import WindowReport
from reconcile.outcome import INGRESS, Receipt

Hop = tuple[str, str]
MAX_IDS = 10
OF_STAGES = ("lost:", "behind:", "duplicated:", "corrupt:")
OF_PROBES = ("late:", "rejected:", "undelivered:", "not_sending:", "down:")
"""Families of conditions that all probes share, and those that each has for itself."""
OF_WINDOWS = (*OF_STAGES, "late:", "undelivered:", "down:")
"""Those that only a readable last stage can begin or end."""
LOOK_WITHIN = timedelta(seconds=30)
"""So long a last look may take: it has a pace of its own, and a restart or a slow table holds it up."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules look at, taken under the watch's lock; `recent` names each canary once."""

    now: datetime
    book: Book
    latest: Mapping[str, WindowReport] = field(default_factory=dict)
    recent: Sequence[Entry] = ()
    down: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    down_after: timedelta = timedelta(minutes=5)
    waited_since: datetime | None = None
    """Since when waiting is counted: the start, or the last step of the clock."""
    ledger_problem: str | None = None
    uncounted: str = ""
    """Why it is not known how many were sent today, as long as no more may be sent for that."""
    patience: timedelta = timedelta(0)
    notes: Mapping[str, str] = field(default_factory=dict)
    instance: str = ""
    accounts: Mapping[str, int] = field(default_factory=dict)
    """Probe -> which token at which ingress it sends with: equal numbers share one."""
    objectives: Sequence[Condition] = ()
    """What the objectives say is used up too fast, and (by key) which of them cannot be judged."""
    unjudged: Sequence[str] = ()
    real: Real = field(default_factory=Real)
    grace: timedelta = timedelta(seconds=60)
    background: Background = field(default_factory=Background)

    @property
    def names(self) -> list[str]:
        """Every place of the pipeline, from the ingress on."""
        return [INGRESS, *(spec.name for spec in self.book.stages)]


class Unknown(Collection[str]):
    """Keys that cannot be judged now; each stands for all below it, as a family (`lost:`) for its hops."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(keys)
        self._above = tuple(f"{key.removesuffix(':')}:" for key in self._keys)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and (key in self._keys or key.startswith(self._above))

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def condition(
    key: str,
    severity: Severity,
    title: str,
    entries: Sequence[Entry],
    *,
    facts: Iterable[tuple[str, str]],
    diagram: str = "",
    count: int | None = None,
    considered: int = 0,
    muted_by: Iterable[str] = (),
) -> Condition:
    """A condition about these canaries, the first few of them named."""
    ids = tuple(str(entry.owed.id) for entry in sorted(entries, key=lambda e: e.owed.sent_at)[:MAX_IDS])
    commands = (f"canary explain {ids[0]}",) if ids else ("canary status",)
    return Condition(
        key=key,
        severity=severity,
        title=title,
        facts=tuple(facts),
        diagram=diagram,
        commands=commands,
        count=len(entries) if count is None else count,
        ids=ids,
        considered=considered,
        muted_by=tuple(muted_by),
    )


def looking(scene: Scene, entry: Entry) -> bool:
    """Whether its consumer is past it and only the last look is awaited: that it is behind is not so."""
    since = entry.look_owed_since
    return since is not None and not entry.last_look_problem and scene.now - since < LOOK_WITHIN


def promised(entry: Entry) -> bool:
    """Whether somebody owes us this canary: it was accepted, or seen."""
    return entry.receipt is Receipt.ACCEPTED or bool(entry.seen)


def diagram(names: Sequence[str], broken: Hop, mark: str = "X") -> str:
    """The pipeline in one line, the broken hop marked."""
    parts = [names[0]]
    for hop in pairwise(names):
        parts.append(f" --{mark}--> " if hop == broken else " -> ")
        parts.append(hop[1])
    return "".join(parts)


def canaries(entries: Sequence[Entry]) -> str:
    """How many, in words."""
    return "1 canary" if len(entries) == 1 else f"{len(entries)} canaries"


def reason(entries: Sequence[Entry]) -> str:
    """Why, in the words of the first verdict."""
    return next((entry.judged.reason for entry in entries if entry.judged is not None), "")


def why_not_sent(scene: Scene) -> Iterator[tuple[str, str]]:
    """What keeps the monitor itself from sending."""
    if scene.ledger_problem is not None:
        yield "why", f"the ledger cannot be written: {scene.ledger_problem}"
    elif scene.uncounted:
        yield "why", f"what was sent today cannot be counted: {scene.uncounted}"


def answer(entries: Sequence[Entry]) -> str:
    """What the ingress said to the first of them."""
    return next((entry.answer.detail for entry in entries if entry.answer is not None), "")


def lanes(entries: Sequence[Entry]) -> str:
    """The lanes they took, neighbours as one."""
    runs: list[list[int]] = []
    for lane in sorted({entry.owed.lane for entry in entries}):
        if runs and lane == runs[-1][-1] + 1:
            runs[-1][1:] = [lane]
        else:
            runs.append([lane])
    return ", ".join("-".join(map(str, run)) for run in runs)


def sent(scene: Scene, entries: Iterable[Entry]) -> int:
    """How many were sent in the last windows of their probes."""
    probes = {entry.owed.probe for entry in entries}
    return sum(scene.latest[probe].sent for probe in probes if probe in scene.latest)


def figures(
    scene: Scene,
    what: str,
    count: int,
    entries: Sequence[Entry] = (),
    *,
    probe: str | None = None,
    since: str = "",
) -> Iterator[tuple[str, str]]:
    """What every message with numbers has, where it is known: how many of how many, since when, how slow."""
    probes = {probe} if probe is not None else {entry.owed.probe for entry in entries}
    reports = [scene.latest[name] for name in sorted(probes) if name in scene.latest]
    if reports:
        yield "sent in the last window", str(sum(report.sent for report in reports))
    yield what, str(count)
    starts = [entry.owed.sent_at for entry in entries] or [report.start for report in reports]
    if since or starts:
        yield "since", since or clock(min(starts))
    if slowest := [report.latency["max"] for report in reports if "max" in report.latency]:
        yield "worst latency", f"{max(slowest):.1f} s"


def arrow(hop: Hop) -> str:
    """A hop as labels and keys have it."""
    return f"{hop[0]}->{hop[1]}"


def clock(at: datetime) -> str:
    """A time for people."""
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def span(length: timedelta) -> str:
    """A duration for people."""
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86400:.3g} days"


def current(scene: Scene, wanted: Callable[[Entry], bool]) -> list[Entry]:
    """Recent verdicts that still count: of the last settled window, or given since it was settled."""
    found = []
    for entry in scene.recent:
        latest = scene.latest.get(entry.owed.probe)
        if entry.judged is None or latest is None or not wanted(entry):
            continue
        width = latest.end - latest.start
        fresh = scene.now - entry.judged.judged_at <= width
        if entry.owed.window >= latest.start or fresh:
            found.append(entry)
    return found


def speaking(scene: Scene) -> Iterator[tuple[str, WindowReport]]:
    """The last settled windows that still stand for how it is: of a probe that is configured no more, for as
    long as another's would, because none will follow."""
    for probe, report in scene.latest.items():
        if probe in scene.down or scene.now - report.settled_at <= report.end - report.start:
            yield probe, report
