"""The window report: canaries and real events of the same time side by side, hop by hop. Pure.

On every hop what went in is what came out and what is explained, for either method. The real events are
counted where they can be: before Kafka by the ingress's counters, between topics by a sample of their ids,
into the table by offset. Where a hop was not measured there is nothing, and no number stands in for it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from canary.traffic import BETWEEN, COUNTED, DELAY, AuditWindow, TrafficWindow
from canary.values import WindowReport
from reconcile.outcome import INGRESS, Outcome
from reconcile.sampling import OUTCOMES, missed_at_most

OPEN = (Outcome.OVERDUE, Outcome.UNREAD, Outcome.PENDING)
WORST = ("fault", "unknown", "degraded", "ok")
Object = dict[str, Any]


def joined(
    window: AuditWindow,
    canaries: Sequence[WindowReport],
    traffic: Sequence[TrafficWindow],
    stages: Sequence[str],
) -> Object:
    """One audited window with everything else of its time: what starts within it. `stages` are the places
    of the pipeline in order, up to the table that was audited."""
    inside = [one for one in traffic if window.start <= one.start < window.end]
    sent = [one for one in canaries if window.start <= one.start < window.end]
    outcomes = _outcomes(sent)
    return {
        "stage": window.stage,
        "since": window.start.isoformat(),
        "until": window.end.isoformat(),
        "audited_at": window.audited_at.isoformat(),
        "verdict": window.verdict,
        "open": window.open,
        "amendments": window.amendments,
        "appended": window.appended,
        "real": {fate: number for fate, number in window.counts.items() if number},
        "unbalanced": window.appended - sum(window.counts.values()),
        "replay": window.report.get("lost", {}).get("replay", []),
        "canaries": {"sent": sum(one.sent for one in sent), **outcomes},
        "path": list(_path(window, sent, inside, stages)),
        "delay": _delay(window, sent, inside),
    }


def gravest(verdicts: Sequence[str]) -> str:
    """The worst of several; unknown without any."""
    return next((one for one in WORST if one in verdicts), "unknown")


def _outcomes(sent: Sequence[WindowReport]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for report in sent:
        found.update({outcome.value: number for outcome, number in report.outcomes.items() if number})
    return found


def _path(
    window: AuditWindow, sent: Sequence[WindowReport], inside: Sequence[TrafficWindow], stages: Sequence[str]
) -> Iterator[Object]:
    ours = _canaries(sent, stages)
    for first, second in pairwise((INGRESS, *stages)):
        hop = f"{first}->{second}"
        told: Object | None = None
        if second == window.stage:
            told = _audited(window)
        elif first == INGRESS:
            told = _counted([one for one in inside if one.kind == COUNTED and one.place == hop])
        else:
            told = _sampled([one for one in inside if one.kind == BETWEEN and one.place == hop])
        yield {"hop": hop, "real": told, "canaries": next(ours)}


def _canaries(sent: Sequence[WindowReport], stages: Sequence[str]) -> Iterator[Object]:
    """Hop by hop. What is open waits somewhere: it is told at the last hop, where it will be judged."""
    number = Counter[Outcome]()
    hops: Counter[tuple[str, str]] = Counter()
    for report in sent:
        number.update(report.outcomes)
        hops.update(report.hops)
    left = sum(report.sent for report in sent)
    elsewhere = number[Outcome.LOST] - sum(hops.values())  # behind this table they came through here
    for hop in pairwise((INGRESS, *stages)):
        explained = {"lost": hops[hop]}
        if hop[0] == INGRESS:
            explained |= {one.value: number[one] for one in (Outcome.REJECTED, Outcome.UNDELIVERED)}
        if hop[1] == stages[-1]:
            explained |= {one.value: number[one] for one in OPEN} | {"lost_elsewhere": elsewhere}
        gone = sum(explained.values())
        yield _balanced(left, left - gone, explained)
        left -= gone


def _audited(window: AuditWindow) -> Object:
    explained = {fate: number for fate, number in window.counts.items() if fate != "stored"}
    return {"by": "offset", **_balanced(window.appended, window.counts.get("stored", 0), explained)}


def _counted(windows: Sequence[TrafficWindow]) -> Object | None:
    if not windows:
        return None
    reports = [one.report for one in windows]
    dropped: Counter[str] = Counter()
    for report in reports:
        dropped.update({f"dropped {cause or 'without a cause'}": n for cause, n in report["dropped"].items()})
    came = sum(report["received"] for report in reports)
    return {
        "by": "counters",
        **_span(windows),
        **_balanced(came, sum(report["appended"] for report in reports), dropped),
        "error": sum(report["error"] for report in reports),
        "states": dict(Counter(str(report["state"]) for report in reports)),
        "trouble": list(dict.fromkeys(text for report in reports for text in report["trouble"])),
    }


def _sampled(windows: Sequence[TrafficWindow]) -> Object | None:
    if not windows:
        return None
    reports = [one.report for one in windows]
    told = {name: sum(report[name] for report in reports) for name in OUTCOMES[1:]}
    arrived = sum(report["arrived"] for report in reports)
    return {
        "by": "sample",
        **_span(windows),
        **_balanced(sum(report["sampled"] for report in reports), arrived, told),
        "share": max(report["share"] for report in reports),
        "lost_at_most": missed_at_most(arrived + told["dead_lettered"] + told["lost"], told["lost"]),
        "first_ids": [id_ for report in reports for id_ in report["first_ids"]][:5],
    }


def _balanced(came: float, went: float, explained: Mapping[str, float]) -> Object:
    """What went in, what came out, what is explained of the rest, and what is not."""
    known = {name: number for name, number in explained.items() if number}
    return {"in": came, "out": went, "explained": known, "left": came - went - sum(known.values())}


def _span(windows: Sequence[TrafficWindow]) -> Object:
    starts: list[datetime] = [one.start for one in windows]
    return {"since": min(starts).isoformat(), "until": max(one.end for one in windows).isoformat()}


def _delay(
    window: AuditWindow, sent: Sequence[WindowReport], inside: Sequence[TrafficWindow]
) -> Object | None:
    """Of rows that came in the window; quantiles are those of its slowest part, for they cannot be added."""
    reports = [one.report for one in inside if one.kind == DELAY and one.place == window.stage]
    if not reports:
        return None
    return {
        "rows": sum(report["rows"] for report in reports),
        "late": sum(report["late"] for report in reports),
        "late_after": max(report["late_after"] for report in reports),
        "real": _slowest([report["seconds"] for report in reports]),
        "canaries": _slowest([one.latency for one in sent]),
    }


def _slowest(told: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in told for name in one)
    return {name: max(one[name] for one in told if name in one) for name in names}


def lines(one: Mapping[str, Any]) -> Iterator[str]:
    """The same for a person: a line for the window, one for each hop, and one for the delay."""
    yield _head(one)
    for hop in one["path"]:
        parts = [_real(hop["real"])] if hop["real"] else []
        parts += [f"canaries {_words(hop['canaries'])}"] if one["canaries"]["sent"] else []
        yield f"  {hop['hop']}: {'; '.join(parts) or 'not measured'}"
    delay = one["delay"]
    if delay and delay["rows"]:
        late = f", {delay['late']} later than {delay['late_after']:g} s" if delay["late"] else ""
        ours = f"; canaries {_seconds(delay['canaries'])}" if delay["canaries"] else ""
        yield f"  delay: real {delay['rows']} rows, {_seconds(delay['real'])}{late}{ours}"


def _head(one: Mapping[str, Any]) -> str:
    times = f"{one['since'][:19].replace('T', ' ')} to {one['until'][11:19]}Z"
    state = f"{one['verdict']}{', open' if one['open'] else ''}"
    often = one["amendments"]
    amended = f", amended {often} time{'s' * (often != 1)}" if often else ""
    wrong = f", unbalanced by {one['unbalanced']} (this is a bug)" if one["unbalanced"] else ""
    replay = f": replay {' '.join(one['replay'][:5])}" if one["replay"] else ""
    return f"{one['stage']} {times} {state}{amended}{wrong}{replay}"


def _real(told: Mapping[str, Any]) -> str:
    if told["by"] == "counters":
        states = ", ".join(told["states"])
        left = f", {told['left']:.0f} left ± {told['error']:.0f} ({states})"
        return f"real by counters {_words(told)}{left}"
    if told["by"] == "sample":
        ids = f" ({', '.join(told['first_ids'])})" if told["first_ids"] else ""
        most = f", at most {told['lost_at_most']:.2%} lost by 95%"
        return f"real by a sample of {told['share']:.1%} {_words(told)}{most}{ids}"
    return f"real by offset {_words(told)}"


def _words(told: Mapping[str, Any]) -> str:
    rest = "".join(
        f", {number:.0f} {name.replace('_', ' ')}" for name, number in told["explained"].items() if number
    )
    return f"{told['in']:.0f} in, {told['out']:.0f} out{rest}"


def _seconds(told: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {told[name]:.2f} s" for name in ("p50", "p99", "max") if name in told)
