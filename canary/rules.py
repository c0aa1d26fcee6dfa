"""From what the watch knows to what is true now: the only place where canaries become conditions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.condition import Condition, Severity
from canary.backlog import backlog_of
from canary.backlog import facts as backlog_facts
from canary.book import Entry
from canary.causes import causes
from canary.flagged import flagged
from canary.hints import of_losses, of_refusals
from canary.keeping import kept
from canary.lately import changed, dated, first
from canary.paging_rules import STILL_DOWN
from canary.readings import Reading
from canary.rules_audit import audited, untold
from canary.rules_traffic import beside, unseen
from canary.scene import (
    OF_PROBES,
    OF_STAGES,
    OF_WINDOWS,
    Hop,
    Scene,
    Unknown,
    answer,
    arrow,
    canaries,
    clock,
    condition,
    current,
    diagram,
    figures,
    lanes,
    looking,
    promised,
    reason,
    sent,
    span,
    speaking,
    why_not_sent,
)
from canary.values import WindowReport
from reconcile.outcome import Outcome, Receipt

SETTLING = timedelta(seconds=5)


def conditions(scene: Scene) -> tuple[list[Condition], Unknown]:
    """Everything that is true now and somebody may want to know, and what cannot be told."""
    found: list[Condition] = []
    for rule in (_lost, _behind, _blind, flagged, _stored, by_window, down, _ledger):
        found.extend(rule(scene))
    found.extend(dated(scene, (*audited(scene.real.audits, scene.grace), *beside(scene.real.beside))))
    found = [replace(one, muted_by=causes(one.key, scene)) for one in (*found, *scene.objectives)]
    if scene.instance:
        found = [replace(one, facts=(*one.facts, ("instance", scene.instance))) for one in found]
    return found, Unknown(_unknown(scene))


def _unknown(scene: Scene) -> Iterator[str]:
    yield from scene.unjudged
    yield from untold(scene.real.audits)
    yield from unseen(scene.real.beside)
    if begun := [probe for probe in scene.down if probe not in scene.latest]:  # nothing has settled yet
        yield from (*OF_STAGES, "out_of_order:", "detoured:")
        yield from (f"{family}{probe}" for family in OF_PROBES for probe in begun)
    if scene.waited_since is not None and scene.now - scene.waited_since < scene.down_after + STILL_DOWN:
        yield "down:"  # what was sent before has to wait anew, and cannot show yet that it goes on
    for name, reading in scene.book.readings.items():
        if not reading.blind:
            continue
        if name == scene.book.last:
            yield from OF_WINDOWS
        else:
            yield from (f"lost:{hop[0]}->{hop[1]}" for hop in pairwise(scene.names) if name in hop)
            yield from (f"{kind}:{name}" for kind in ("duplicated", "corrupt", "out_of_order"))


def _lost(scene: Scene) -> Iterator[Condition]:
    by_hop: dict[Hop, list[Entry]] = defaultdict(list)
    for entry in current(scene, lambda e: e.judged is not None and e.judged.outcome is Outcome.LOST):
        if entry.judged is not None and entry.judged.hop is not None:
            by_hop[entry.judged.hop].append(entry)
    for hop, entries in by_hop.items():
        yield condition(
            f"lost:{arrow(hop)}",
            Severity.PAGE,
            f"{canaries(entries)} lost between {hop[0]} and {hop[1]}",
            entries,
            facts=(
                *figures(scene, "lost", len(entries), entries),
                ("proof", reason(entries)),
                ("lanes", lanes(entries)),
                *of_losses(scene, hop, entries),
                *changed(scene, hop, first(entries)),
            ),
            diagram=diagram(scene.names, hop),
            considered=sent(scene, entries),
        )


def _behind(scene: Scene) -> Iterator[Condition]:
    by_hop: dict[Hop, list[Entry]] = defaultdict(list)
    names = scene.names
    for group in scene.book.settled.values():
        for entry in group.values():
            overdue = entry.judged is not None and entry.judged.outcome is Outcome.OVERDUE
            early = not entry.seen and scene.now - entry.waits_from < scene.patience + SETTLING
            # early: the ingress may still be about to append it; looking: it may be found at once
            if overdue and promised(entry) and not early and not looking(scene, entry):
                by_hop[_waiting_hop(names, entry)].append(entry)
    for hop, entries in by_hop.items():
        oldest = min(e.owed.sent_at for e in entries)
        facts = [
            *figures(scene, "overdue", len(entries), entries, since=_ago(scene, oldest)),
            ("why", reason(entries)),
            ("lanes", lanes(entries)),
            *_backlog(scene, hop),
            *kept(scene, hop, entries),
            *changed(scene, hop, oldest),
        ]
        title = f"Ingestion is behind between {hop[0]} and {hop[1]}: {canaries(entries)} overdue"
        yield condition(
            f"behind:{arrow(hop)}",
            Severity.PAGE,
            title,
            entries,
            facts=facts,
            diagram=diagram(scene.names, hop, "~"),
            considered=sent(scene, entries),
        )


def _ago(scene: Scene, at: datetime) -> str:
    return f"{clock(at)} ({span(scene.now - at)} ago)"


def _waiting_hop(names: Sequence[str], entry: Entry) -> Hop:
    here = max((i for i, name in enumerate(names) if name in entry.seen), default=0)
    return names[here], names[min(here + 1, len(names) - 1)]


def _backlog(scene: Scene, hop: Hop) -> Iterator[tuple[str, str]]:
    reading = scene.book.readings.get(hop[0])
    if reading is None:
        return
    backlog = backlog_of(reading.parts(), reading.lag(), scene.now)
    if backlog is not None:
        yield from backlog_facts(backlog, dated=hop[0] in scene.background.keeps)
    elif reading.positions_unreadable:
        yield "positions", f"unreadable: {reading.positions_unreadable}"


def _slowest(scene: Scene) -> Iterator[tuple[str, str]]:
    """The consumer that is farthest behind, and when it will have caught up."""
    lags = {hop: reading.lag() for hop, reading in _behind_topics(scene)}
    lag, hop = max(((lag, hop) for hop, lag in lags.items() if lag is not None), default=(0, ("", "")))
    if lag:
        others = ", ".join(f"{hop[1]}'s is not known" for hop, lag in lags.items() if lag is None)
        yield "farthest behind", f"the consumer into {hop[1]}" + (f" ({others})" if others else "")
        yield from _backlog(scene, hop)


def _behind_topics(scene: Scene) -> Iterator[tuple[Hop, Reading]]:
    for hop in pairwise(scene.names):
        reading = scene.book.readings.get(hop[0])
        if reading is not None and reading.spec.topic:
            yield hop, reading


def _blind(scene: Scene) -> Iterator[Condition]:
    for name, reading in scene.book.readings.items():
        if reading.blind and reading.blind != "not read yet":
            since = reading.last_read_at
            facts = [("reason", reading.blind)]
            if since is not None:
                facts.append(("last read", clock(since)))
            facts += changed(scene, [name], since)
            yield Condition(
                key=f"blind:{name}",
                severity=Severity.PAGE if name == scene.book.last else Severity.TICKET,
                title=f"Cannot read {name}: what it would show cannot be judged (no loss is claimed)",
                facts=tuple(facts),
                diagram=" -> ".join(f"?{part}?" if part == name else part for part in scene.names),
                commands=("canary status",),
                count=1,
            )


def _stored(scene: Scene) -> Iterator[Condition]:
    """What was refused and is there all the same: clients will send it again, and make copies."""
    entries = current(scene, lambda e: e.receipt is Receipt.REFUSED and bool(e.seen))
    if entries:
        title = f"{canaries(entries)} stored after the ingress refused them"
        numbers = figures(scene, "stored", len(entries), entries)
        facts = (*numbers, ("answer", answer(entries)), *changed(scene, scene.names[:2], first(entries)))
        yield condition("stored_after_refusal", Severity.TICKET, title, entries, facts=facts)


def by_window(scene: Scene) -> Iterator[Condition]:
    """What the last settled window of each probe says by itself."""
    for probe, report in speaking(scene):
        window = ("window", f"{clock(report.start)} to {clock(report.end)}")
        if late := report.outcomes[Outcome.LATE]:
            entries = _of(scene, probe, Outcome.LATE)
            title = f"{late} of {report.sent} canaries of {probe} late"
            numbers = figures(scene, "late", late, entries, probe=probe)
            facts = (window, *numbers, *_slowest(scene), *changed(scene, scene.names, report.start))
            yield condition(
                f"late:{probe}",
                Severity.TICKET,
                title,
                entries,
                facts=facts,
                count=late,
                considered=report.sent,
            )
        if rejected := report.outcomes[Outcome.REJECTED]:
            entries = _of(scene, probe, Outcome.REJECTED)
            title = f"{rejected} of {report.sent} canaries of {probe} rejected by the ingress"
            facts = (window, *_answered(scene, Outcome.REJECTED, entries, report))
            yield condition(
                f"rejected:{probe}",
                Severity.PAGE,
                title,
                entries,
                facts=facts,
                diagram=diagram(scene.names, (scene.names[0], scene.names[1])),
                count=rejected,
                considered=report.sent,
            )
        if vanished := report.outcomes[Outcome.UNDELIVERED]:
            entries = _of(scene, probe, Outcome.UNDELIVERED)
            sent_ = f"{vanished} of {report.sent} canaries of {probe}"
            title = f"{sent_} undelivered (the ingress promised nothing)"
            facts = (window, *_answered(scene, Outcome.UNDELIVERED, entries, report))
            yield condition(
                f"undelivered:{probe}",
                Severity.TICKET,
                title,
                entries,
                facts=facts,
                count=vanished,
                considered=report.sent,
            )
        if (missed := report.due - report.sent) > 0:
            title = f"{probe} is not sending: {missed} of {report.due} canaries were not sent"
            yield condition(
                f"not_sending:{probe}",
                Severity.TICKET if report.sent else Severity.PAGE,
                title,
                (),
                facts=(window, *figures(scene, "not sent", missed, probe=probe), *why_not_sent(scene)),
                count=missed,
            )


def _answered(
    scene: Scene, what: Outcome, entries: Sequence[Entry], report: WindowReport
) -> Iterator[tuple[str, str]]:
    yield from figures(scene, what, report.outcomes[what], entries, probe=report.probe)
    yield "answer", answer(entries)
    yield from of_refusals(scene, report.probe, entries)
    yield from changed(scene, scene.names[:2], report.start)


def _of(scene: Scene, probe: str, outcome: Outcome) -> list[Entry]:
    def fits(entry: Entry) -> bool:
        return entry.judged is not None and entry.judged.outcome is outcome and entry.owed.probe == probe

    return current(scene, fits)


def down(scene: Scene) -> Iterator[Condition]:
    """Probes for which ingestion is down, by its one definition."""
    for probe, minutes in scene.down.items():
        if minutes and scene.now - minutes[-1] < scene.down_after + STILL_DOWN:
            title = f"Ingestion is down for {probe}: {len(minutes)} of the last 15 minutes"
            facts = (
                *figures(scene, "minutes down", len(minutes), probe=probe, since=clock(minutes[0])),
                ("last", clock(minutes[-1])),
                *changed(scene, scene.names, minutes[0]),
            )
            yield condition(f"down:{probe}", Severity.PAGE, title, (), facts=facts, count=len(minutes))


def _ledger(scene: Scene) -> Iterator[Condition]:
    if scene.ledger_problem is not None:
        facts = (
            ("reason", scene.ledger_problem),
            ("meanwhile", "nothing is sent; following goes on from memory"),
        )
        yield condition("ledger", Severity.PAGE, "The ledger cannot be written", (), facts=facts)
