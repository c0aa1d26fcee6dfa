"""Order within one partition: what can be proven to lie wrongly."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """One record of the first topic: when its canary was sent and answered, and its offset."""

    sent_at: datetime
    answered_at: datetime
    offset: int


def out_of_order(records: Iterable[Placed]) -> list[int]:
    """Which of one partition's records (by index) lie before one that was answered before they were sent.

    Only such pairs prove anything: two posts in flight together may lawfully land either way.
    """
    items = list(enumerate(records))
    by_answer = sorted(items, key=lambda item: item[1].answered_at)
    wrong, highest, upto = [], -1, 0
    for index, record in sorted(items, key=lambda item: item[1].sent_at):
        while upto < len(by_answer) and by_answer[upto][1].answered_at < record.sent_at:
            highest = max(highest, by_answer[upto][1].offset)
            upto += 1
        if record.offset < highest:
            wrong.append(index)
    return sorted(wrong)
