"""What the daemon knows at this moment, as one plain object: for the page, `canary status` and tests."""

from collections import Counter, deque
from datetime import datetime, timedelta
from typing import Any

from canary import __version__
from canary.audit.beside import Beside
from canary.audit.standing import Standing
from canary.settle import Settled
from canary.values import WindowReport
from canary.watch import Watch
from reconcile.outcome import Outcome

WINDOWS_SHOWN = 20


class Status:
    """Answers from memory; the watch's lock is taken for a moment only."""

    def __init__(self, watch: Watch, *, instance: str) -> None:
        self._watch = watch
        self._instance = instance
        self._windows: deque[WindowReport] = deque(maxlen=WINDOWS_SHOWN)

    def settled(self, settled: Settled) -> None:
        """Remember the newest windows."""
        self._windows.extendleft(settled.windows)

    def __call__(self) -> dict[str, Any]:
        """The object as JSON has it."""
        desk = self._watch.desk
        now = desk.line.now()
        real = self._watch.real()
        amended = self._watch.settler.reports
        with desk.lock:
            states = Counter(
                (entry.owed.probe, entry.judged.outcome if entry.judged else Outcome.PENDING)
                for entry in desk.book.entries.values()
            )
            stages = [self._stage(name, now) for name in desk.book.readings]
            objectives = [one.as_json(now) for one in self._watch.objectives.all]
            windows = [amended.get((item.probe, item.start), item) for item in self._windows]
        return {
            "instance": self._instance,
            "version": __version__,
            "now": _time(now),
            "conditions": [
                {
                    "key": item.key,
                    "severity": item.severity.value,
                    "title": item.title,
                    "facts": [list(fact) for fact in item.facts],
                    "diagram": item.diagram,
                    "commands": list(item.commands),
                    "ids": list(item.ids),
                }
                for item in self._watch.open_conditions
            ],
            "stages": stages,
            "probes": [
                {
                    "name": name,
                    **{
                        o.value: states[(name, o)] for o in (Outcome.PENDING, Outcome.OVERDUE, Outcome.UNREAD)
                    },
                }
                for name in self._watch.probes
            ],
            "windows": [_window(item) for item in windows],
            "objectives": objectives,
            "real": [
                *(_audit(one, desk.plan.times.grace) for one in real.audits),
                *map(_beside, real.beside),
            ],
            "notes": dict(self._watch.notes),
            "ledger": desk.ledger_problem,
        }

    def _stage(self, name: str, now: datetime) -> dict[str, Any]:
        reading = self._watch.desk.book.readings[name]
        age = reading.age(now)
        return {
            "name": name,
            "blind": reading.blind,
            "age_seconds": age.total_seconds() if age is not None else None,
            "partitions": reading.partitions,
            "partitions_visited": reading.visited(now) if reading.spec.topic else None,
            "partitions_unvisited": reading.unvisited(now) if reading.spec.topic else None,
            "reading": reading.mode or None,
            "lag_messages": reading.lag() if reading.spec.topic else None,
            "positions_unreadable": reading.positions_unreadable,
            "skew_seconds": reading.skew.offset.total_seconds() if reading.skew else None,
        }


def _window(report: WindowReport) -> dict[str, Any]:
    return {
        "probe": report.probe,
        "start": _time(report.start),
        "due": report.due,
        "sent": report.sent,
        "outcomes": {name.value: count for name, count in report.outcomes.items()},
        "flags": {name.value: count for name, count in report.flags.items()},
        "lost": [{"from": a, "to": b, "count": n} for (a, b), n in report.hops.items()],
        "slowest_seconds": report.latency.get("max"),
        "p50_seconds": report.latency.get("p50"),
        "amendments": report.amendments,
    }


def _audit(one: Standing, grace: timedelta) -> dict[str, Any]:
    """The newest window of a table's audit; None where nothing is fresh."""
    report = max(one.reports, key=lambda r: r.until, default=None)
    told = (
        ""
        if report is None
        else ", ".join(f"{n} {f.replace('_', ' ')}" for f, n in report.counts.items() if n)
    )
    return {
        "kind": "audit",
        "place": one.stage,
        "start": None if report is None else _time(report.since),
        "end": None if report is None else _time(report.until),
        "verdict": None if report is None else report.verdict(grace).value,
        "told": "" if report is None else f"{report.appended} appended: {told or 'none'}",
        "trouble": one.trouble,
    }


def _beside(one: Beside) -> dict[str, Any]:
    newest = one.windows[-1] if one.windows else None
    return {
        "kind": one.kind,
        "place": one.place,
        "start": None if newest is None else _time(newest.start),
        "end": None if newest is None else _time(newest.end),
        "verdict": None if newest is None else newest.verdict,
        "told": "" if newest is None else one.line,
        "trouble": one.trouble,
    }


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
