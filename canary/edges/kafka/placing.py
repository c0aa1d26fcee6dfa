"""Sets the readings of a topic that is not read whole to where a plan wants them; pure, no Kafka in it."""

from collections.abc import Iterable
from datetime import datetime

from canary.edges.kafka.floors import Floor
from canary.edges.kafka.reading import Reading
from canary.edges.kafka.seeking import Plan


def place(plan: Plan, readings: Iterable[Reading], *, now: datetime) -> None:
    """Back, or on, to the floor of what is searched; or, where nothing is, on to where the topic stands."""
    for reading in readings:
        if plan.read:
            if plan.since is not None and plan.floor is not None:
                _reach(reading, plan.since, plan.floor, now)
        elif plan.anchor is not None and (plan.due or reading.until is None):
            offset = plan.anchor.offset((reading.place, reading.partition))
            if offset >= reading.next_offset and (reading.until or plan.anchor.at) <= plan.anchor.at:
                reading.skip(offset, at=plan.anchor.at)


def _reach(reading: Reading, since: datetime, floor: Floor, now: datetime) -> None:
    offset = floor.offset((reading.place, reading.partition))
    if reading.reaches(since, offset, floor.at):
        return
    start = reading.log_start
    if start is None or start <= offset:
        reading.skip(offset, at=floor.at)
    elif reading.next_offset < start:  # what retention removed unread is never covered
        reading.jump(start, now=now, expired=start - max(offset, reading.next_offset))
