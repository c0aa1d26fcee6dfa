"""One more look at the lost offsets of a window, as long as Kafka still holds their records.

Their ids are read back and asked for. That they are missing was proven before, so nothing that this look does
not show is held against anything.
"""

from collections.abc import Sequence
from dataclasses import replace

from canary.audit.amending import Found, by_id, lost_of
from canary.audit.cut import another, gone
from canary.audit.gather import Gatherer
from canary.audit.protocols import Table, Topic
from canary.audit.report import Cost, Lost
from canary.audit.work import Limits, Start, Work
from canary.traffic import AuditWindow, CannotAskError, TopicState
from canary.values import Now
from reconcile.amended import amended
from reconcile.offsets import Range, appended, joined
from reconcile.traffic import Fate, Policy, Run


def look_again(
    window: AuditWindow, *, topic: Topic, table: Table, limits: Limits, policy: Policy, now: Now
) -> Found:
    """What became of its losses. Raises `CannotAskError`, `gone` where there is nothing left to read."""
    started = now()
    table.costs()
    state = topic.state()
    if another(state, Start(_firsts(window), topic_id=window.topic_id)):
        raise gone(state)
    lost = joined(lost_of(window))
    held = joined(one.clip(log.start, log.end) for one in lost if (log := state.logs.get(one.partition)))
    if not held:
        raise CannotAskError(f"topic {state.topic} holds none of the lost events any more", gone=True)
    gatherer = Gatherer(topic, table, limits=limits, policy=policy, now=now, settle=lambda _: None)
    work = Work(_passed(state), window.start, window.end, held, started + limits.seconds, started, False)
    sibling = table.method().name == "sibling"
    gathered = gatherer.gather(work, held, by_id=sibling, all_of_it=by_id(window), proven=True)
    runs = amended(lost, gathered.runs, unsaid=Fate.LOST)
    cost = Cost.of(table.costs(), fetched=gathered.fetched, took=now() - started)
    return Found(runs, _known(gathered.lost, gathered.runs, lost), cost)


def _firsts(window: AuditWindow) -> dict[int, int]:
    return {partition: first for partition, (first, _) in window.offsets.items()}


def _passed(state: TopicState) -> TopicState:
    """With the consumer behind all of it: that it was, is proven, wherever it was set back to since."""
    ends = {partition: log.end for partition, log in state.logs.items()}
    return replace(state, positions=ends, positions_unreadable="")


def _known(lost: Lost, runs: Sequence[Run], all_of_them: Sequence[Range]) -> Lost | None:
    """What was learnt of the lost, where all of them were looked at."""
    seen = sum(run.range.size for run in runs if run.fate is not Fate.UNAUDITED)
    return lost if seen == appended(all_of_them) else None
