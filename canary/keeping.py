"""Until when a topic still has what was lost behind it, or what waits in it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from canary.book import Entry
from canary.readings import Reading
from canary.scene import Scene, clock
from canary.values import Seen


def replayable(scene: Scene, hop: tuple[str, str], entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Until when what was lost on this hop can be read again; nothing where no topic has it."""
    reading = scene.book.readings.get(hop[0])
    seen = _seen(reading, entries)
    if reading is None or not seen:
        return
    gone = [one for one in seen if _removed(reading, one)]
    if gone:
        yield "no longer in the topic", f"{len(gone)} of {len(seen)}"
    if len(gone) < len(seen):
        yield from _until(scene, reading, [one for one in seen if one not in gone], "replayable until")


def kept(scene: Scene, hop: tuple[str, str], entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Until when the topic has the oldest of what waits in it."""
    reading = scene.book.readings.get(hop[0])
    seen = _seen(reading, entries)
    if reading is not None and seen:
        yield from _until(scene, reading, seen, "the oldest is kept until")


def _seen(reading: Reading | None, entries: Sequence[Entry]) -> list[Seen]:
    if reading is None or not reading.spec.topic:
        return []
    seen = [entry.seen[reading.spec.name] for entry in entries if reading.spec.name in entry.seen]
    return [one for one in seen if one.place == reading.spec.place]


def _removed(reading: Reading, seen: Seen) -> bool:
    progress = reading.progress.get((seen.place, seen.partition if seen.partition is not None else -1))
    start = progress.log_start if progress is not None else None
    return start is not None and seen.offset is not None and seen.offset < start


def _until(scene: Scene, reading: Reading, seen: Sequence[Seen], name: str) -> Iterator[tuple[str, str]]:
    keeps = scene.background.keeps.get(reading.spec.name)
    if keeps is None:
        return
    if keeps.length is None:
        yield name, f"kept for ever ({keeps.source})"
        return
    oldest: datetime = min(one.at or one.seen_at for one in seen)
    yield name, f"{clock(oldest + keeps.length)} ({keeps.source})"
