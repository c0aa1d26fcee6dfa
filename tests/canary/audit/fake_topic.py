"""The topic of the audits' world, as an audit asks it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from canary.traffic import CannotAskError, Holds, Log, ReadBack, TopicState
from reconcile.offsets import Range, joined
from reconcile.traffic import Message

if TYPE_CHECKING:
    from tests.canary.audit.world import World

RETENTION = timedelta(days=1)


class FakeTopic:
    def __init__(self, world: "World") -> None:
        self._world = world

    def state(self) -> TopicState:
        world = self._world
        if world.down:
            raise CannotAskError("connection refused")
        logs = {
            p: Log(world.log_start.get(p, 0), len(entries), len(entries), world.local.get(p, 0))
            for p, entries in world.logs.items()
        }
        return TopicState(
            topic="topic",
            id=world.topic_id,
            logs=logs,
            positions={} if world.positions is None else dict(world.positions),
            positions_unreadable="no group" if world.positions is None else "",
            read_at=world.now,
            retention=RETENTION,
            retention_from="retention.ms",
        )

    def offsets_at(self, at: datetime) -> Mapping[int, int | None]:
        found: dict[int, int | None] = {}
        for partition, entries in self._world.logs.items():
            start = self._world.log_start.get(partition, 0)
            later = (n for n, entry in enumerate(entries) if n >= start and entry.at >= at)
            found[partition] = next(later, None)
        return found

    def read(self, gaps: Sequence[Range], *, holds: Holds, payloads: bool, until: datetime) -> ReadBack:
        assert holds.refuses({}) == ""
        assert until > self._world.now
        messages, aborted, read, unread = [], [], [], ""
        for gap in joined(gaps):
            if gap.start < self._world.log_start.get(gap.partition, 0):
                unread = "retention removed it meanwhile"
                continue
            read.append(gap)
            for offset in range(gap.start, gap.end):
                entry = self._world.logs[gap.partition][offset]
                self._world.fetched += 1
                if entry.kind == "aborted":
                    aborted.append(Range(gap.partition, offset, offset + 1))
                elif entry.kind == "record":
                    named = {"id": entry.id, "event": entry.event, "key": entry.id, "error": entry.error}
                    named["removed"] = holds.removes({}, entry.at)
                    one = Message(gap.partition, offset, entry.at, **named)
                    one = replace(one, id=entry.id or None)
                    messages.append(replace(one, payload="payload") if payloads else one)
        return ReadBack(read, messages, joined(aborted), fetched=len(messages), unread=unread)

    def letters(self, since: datetime, *, most: int, until: datetime) -> tuple[Mapping[str, str], str]:
        assert most > 0
        assert since < self._world.now < until
        world = self._world
        if world.letters_trouble:
            return {}, world.letters_trouble
        return {i: why for i, why in world.letters.items() if world.letters_at.get(i, since) >= since}, ""

    def interrupt(self) -> None: ...
    def close(self) -> None: ...
