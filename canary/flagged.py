"""Canaries that arrived, but not as they were sent: corrupt, more than once, out of order, by another way."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from alerts.condition import Condition, Severity
from canary.amend import stage_of
from canary.book import Entry
from canary.lately import changed, first
from canary.scene import Scene, canaries, condition, current, figures, sent
from reconcile.outcome import Flag

KINDS = {
    Flag.CORRUPT: (Severity.PAGE, "corrupt at"),
    Flag.DUPLICATED: (Severity.TICKET, "duplicated at"),
    Flag.OUT_OF_ORDER: (Severity.NOTE, "out of order at"),
    Flag.DETOURED: (Severity.NOTE, "detoured on the way to"),
}


def flagged(scene: Scene) -> Iterator[Condition]:
    """Conditions by flag, and by the stage that showed it."""
    for flag, (severity, words) in KINDS.items():
        by_stage: dict[str, list[Entry]] = defaultdict(list)
        for entry in current(scene, lambda e, f=flag: e.judged is not None and f in e.judged.flags):  # type: ignore[misc]
            by_stage[stage_of(flag, entry, scene.names)].append(entry)
        for stage, entries in by_stage.items():
            yield condition(
                f"{flag}:{stage}",
                severity,
                f"{canaries(entries)} {words} {stage}",
                entries,
                facts=(
                    *figures(scene, str(flag).replace("_", " "), len(entries), entries),
                    *_details(flag, entries, stage),
                    *changed(scene, [stage], first(entries)),
                ),
                considered=sent(scene, entries),
                diagram=" -> ".join(f"[{name}]" if name == stage else name for name in scene.names),
            )


def _details(flag: Flag, entries: Sequence[Entry], stage: str) -> Iterator[tuple[str, str]]:
    seen = [entry.seen[stage] for entry in entries if stage in entry.seen]
    if flag is Flag.CORRUPT:
        for difference in next((item.differences for item in seen if item.differences), ())[:1]:
            yield "field", difference.field
            yield "expected", difference.expected
            yield "found", difference.found
    if flag is Flag.DUPLICATED:
        yield "copies", str(sum(item.copies for item in seen))
        yield "kinds", ", ".join(sorted({kind for item in seen for kind in item.copy_kinds}))
