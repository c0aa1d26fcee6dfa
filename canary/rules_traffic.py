"""From counters, samples and delays of the real traffic to conditions: `rules_audit` for what has no offsets.

A loss needs a proof here too: a sampled event that is gone is lost, and pages; counters that do not add up
prove nothing of any one event, so what they miss is "missing", and a ticket.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from alerts.condition import Condition, Severity
from canary.audit.beside import Beside
from canary.scene import clock, span
from canary.traffic import BETWEEN, COUNTED, DELAY, TrafficWindow
from reconcile.counters import shortfall
from reconcile.sampling import missed_at_most

FAMILY = {COUNTED: "audit_missing", BETWEEN: "audit_lost", DELAY: "audit_late"}
"""The condition that each kind of comparison may raise."""

REPORT = ("canary audit --kept",)
MOST_CAUSES = 5


def beside(standings: Sequence[Beside]) -> Iterator[Condition]:
    """What the fresh windows show, and which comparisons cannot be made."""
    for one in standings:
        if one.windows:
            yield from RULES[one.kind](one)
        if one.trouble:
            yield Condition(
                key=f"audit_blind:{one.kind}:{one.place}",
                severity=Severity.TICKET,
                title=f"{BLIND[one.kind].format(one.place)} (no loss is claimed)",
                facts=(("reason", one.trouble), *((("since", clock(one.since)),) if one.since else ())),
                commands=("canary status",),
                count=1,
            )


def unseen(standings: Sequence[Beside]) -> Iterator[str]:
    """Keys that cannot be judged: no fresh window says that they are over."""
    for one in standings:
        if one.trouble or not one.windows:
            yield f"{FAMILY[one.kind]}:{one.place}"


def _missing(one: Beside) -> Iterator[Condition]:
    reports = [window.report for window in one.windows]
    owed, error = shortfall((report["left"], report["error"]) for report in reports)
    if owed <= error:
        return
    received = round(sum(report["received"] for report in reports))
    appended = sum(report["appended"] for report in reports)
    facts = [
        ("window", _span(one.windows)),
        ("received", str(received)),
        ("dropped by the ingress itself", _causes(reports) or "none"),
        ("appended", str(appended)),
        ("left", f"{owed:.0f} ± {error:.0f}"),
        ("proof", "none: counters tell how many, not which"),
    ]
    yield Condition(
        key=f"audit_missing:{one.place}",
        severity=Severity.TICKET,
        title=f"{owed:.0f} real events that the ingress took in are missing in {_second(one.place)}",
        facts=tuple(facts),
        diagram=_broken(one.place, "?"),
        commands=REPORT,
        count=round(owed),
        considered=received,
    )


def _causes(reports: Sequence[Mapping[str, Any]]) -> str:
    found: dict[str, float] = {}
    for report in reports:
        for cause, number in report["dropped"].items():
            found[cause] = found.get(cause, 0.0) + number
    worst = sorted(found.items(), key=lambda item: -item[1])
    return ", ".join(f"{number:.0f} {cause or 'without a cause'}" for cause, number in worst[:MOST_CAUSES])


def _lost(one: Beside) -> Iterator[Condition]:
    reports = [window.report for window in one.windows]
    lost = sum(report["lost"] for report in reports)
    if not lost:
        return
    judged = sum(report["arrived"] + report["dead_lettered"] + report["lost"] for report in reports)
    ids = (id_ for report in reports for id_ in report["first_ids"])
    yield Condition(
        key=f"audit_lost:{one.place}",
        severity=Severity.PAGE,
        title=f"{lost} of {judged} sampled real events lost between {one.place.replace('->', ' and ')}",
        facts=(
            ("window", _span(one.windows)),
            ("sample", f"{max(report['share'] for report in reports):.1%} of the events at most"),
            ("share lost", f"{lost / judged:.2%}, and at most {missed_at_most(judged, lost):.2%} by 95%"),
            ("proof", "the consumer has passed them, and neither the next topic nor dead letters have them"),
        ),
        diagram=_broken(one.place, "X"),
        commands=REPORT,
        count=lost,
        ids=tuple(islice(ids, 10)),
        considered=judged,
    )


def _late(one: Beside) -> Iterator[Condition]:
    newest = one.windows[-1]
    report = newest.report
    if not report["late"]:
        return
    told = ", ".join(f"{name} {report['seconds'][name]:.1f} s" for name in report["seconds"])
    ours = ", ".join(f"{name} {report['canaries'][name]:.1f} s" for name in report["canaries"])
    limit = f"{report['late_after']:g} s"
    yield Condition(
        key=f"audit_late:{one.place}",
        severity=Severity.TICKET,
        title=f"{report['late']} of {report['rows']} real events came into {one.place} later than {limit}",
        facts=(
            ("window", _span([newest])),
            ("delay", told or "not known"),
            *((("canaries of the same time", ours),) if ours else ()),
        ),
        commands=REPORT,
        count=report["late"],
        considered=report["rows"],
    )


RULES: Mapping[str, Callable[[Beside], Iterator[Condition]]] = {
    COUNTED: _missing,
    BETWEEN: _lost,
    DELAY: _late,
}
BLIND = {
    COUNTED: "What the ingress took in cannot be held against its topic, {}",
    BETWEEN: "Real events cannot be followed on {}",
    DELAY: "The delay of the real traffic into {} cannot be asked for",
}


def _second(place: str) -> str:
    return place.rpartition("->")[2]


def _broken(place: str, mark: str) -> str:
    return place.replace("->", f" --{mark}--> ")


def _span(windows: Sequence[TrafficWindow]) -> str:
    start, end = min(w.start for w in windows), max(w.end for w in windows)
    return f"{clock(start)} to {clock(end)} ({span(end - start)})"
