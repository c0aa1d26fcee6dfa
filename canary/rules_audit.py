"""From audits of the real traffic to conditions: `rules` for the other method."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from alerts.condition import Condition, Severity
from canary.audit.report import Report, reasons
from canary.audit.standing import Standing
from reconcile.traffic import Fate

MOST_RANGES = 5


def audited(standings: Sequence[Standing], grace: timedelta) -> Iterator[Condition]:
    """What the latest audits found, and which could not be made."""
    for one in standings:
        yield from _lost(one)
        yield from _explained(one)
        yield from _unknown(one, grace)
        if one.trouble:
            yield Condition(
                key=f"audit_blind:{one.stage}",
                severity=Severity.TICKET,
                title=f"The real traffic into {one.stage} cannot be audited (no loss is claimed)",
                facts=(("reason", one.trouble), *((("since", _clock(one.since)),) if one.since else ())),
                commands=(f"canary audit --stage {one.stage}",),
                count=1,
            )


def untold(standings: Sequence[Standing]) -> Iterator[str]:
    """Keys that cannot be judged: no fresh audit says that they are over."""
    for one in standings:
        if one.trouble or not one.reports:
            yield from (f"audit_{kind}:{one.stage}" for kind in ("lost", "found", "twice", "unknown"))


def _lost(one: Standing) -> Iterator[Condition]:
    gone = [report for report in one.reports if report.counts.get(Fate.LOST, 0)]
    if not gone:
        return
    number = sum(report.counts[Fate.LOST] for report in gone)
    appended = sum(report.appended for report in gone)
    ranges = [str(part) for report in gone for part in report.lost_ranges]
    more = f" and {len(ranges) - MOST_RANGES} more" if len(ranges) > MOST_RANGES else ""
    facts = [
        ("window", _span(gone)),
        ("lost", f"{number} of {appended} offsets"),
        ("proof", "the consumer has passed them, and the table, asked twice, does not have them"),
        ("replay", f"{' '.join(ranges[:MOST_RANGES])}{more}"),
        *_whose(gone),
    ]
    yield Condition(
        key=f"audit_lost:{one.stage}",
        severity=Severity.PAGE,
        title=f"{number} real events lost between {gone[0].topic} and {one.stage}",
        facts=tuple(facts),
        diagram=f"{gone[0].topic} --X--> {one.stage}",
        commands=(_again(gone),),
        count=number,
        ids=tuple(id_ for report in gone for id_ in report.lost.ids)[:10],
    )


def _whose(gone: Sequence[Report]) -> Iterator[tuple[str, str]]:
    until = [r.lost.replayable_until for r in gone if r.lost.replayable_until is not None]
    if until:
        yield "replayable until", f"{_clock(min(until))} ({gone[0].lost.retention_from})"
    for name in ("events", "keys"):
        found: dict[str, int] = {}
        for report in gone:
            for value, number in getattr(report.lost, name).items():
                found[value] = found.get(value, 0) + number
        if found:
            first = list(found.items())[:5]
            yield name, ", ".join(f"{' '.join(value.split())} ({number})" for value, number in first)


def _explained(one: Standing) -> Iterator[Condition]:
    """Not stored for a reason that the pipeline gives, and rows that should not be there."""
    for fate in (Fate.UNPARSABLE, Fate.DEAD_LETTERED):
        found = [report for report in one.reports if report.counts.get(fate, 0)]
        if found:
            number = sum(report.counts[fate] for report in found)
            why = reasons([run for report in found for run in report.runs], fate)
            yield Condition(
                key=f"audit_found:{one.stage}:{fate}",
                severity=Severity.TICKET,
                title=f"{number} real events {fate.replace('_', '-')} on the way into {one.stage}",
                facts=(("window", _span(found)), *((("why", next(iter(why))),) if any(why) else ())),
                commands=(_again(found),),
                count=number,
            )
    twice = [report for report in one.reports if report.twice.permanent or report.stray_rows]
    if twice:
        copies = sum(report.twice.permanent for report in twice)
        strays = sum(report.stray_rows for report in twice)
        yield Condition(
            key=f"audit_twice:{one.stage}",
            severity=Severity.TICKET,
            title=f"{copies} rows of {one.stage} are there twice for good, {strays} have no event behind",
            facts=(("window", _span(twice)),),
            commands=(_again(twice),),
            count=copies + strays,
        )


def _unknown(one: Standing, grace: timedelta) -> Iterator[Condition]:
    fates = (Fate.UNAUDITED, Fate.EXPIRED)
    found = [
        report
        for report in one.reports
        if sum(report.counts.get(fate, 0) for fate in fates) > report.tolerated and report.behind > grace
    ]
    if found:
        number = sum(report.counts.get(fate, 0) for report in found for fate in fates)
        runs = [run for report in found for run in report.runs]
        why = [*reasons(runs, Fate.UNAUDITED), *reasons(runs, Fate.EXPIRED)]
        yield Condition(
            key=f"audit_unknown:{one.stage}",
            severity=Severity.TICKET,
            title=f"{number} real events into {one.stage} cannot be accounted for",
            facts=(("window", _span(found)), ("why", next(iter(why), "")), ("method", found[0].method.name)),
            commands=(_again(found),),
            count=number,
        )


def _span(reports: Iterable[Report]) -> str:
    found = list(reports)
    return f"{_clock(min(r.since for r in found))} to {_clock(max(r.until for r in found))}"


def _again(reports: Sequence[Report]) -> str:
    since, until = min(r.since for r in reports), max(r.until for r in reports)
    times = f"--from {since:%Y-%m-%dT%H:%M:%S} --to {until:%Y-%m-%dT%H:%M:%S}"
    return f"canary audit {times} --stage {reports[0].stage}"


def _clock(at: object) -> str:
    return f"{at:%Y-%m-%d %H:%M:%SZ}"
