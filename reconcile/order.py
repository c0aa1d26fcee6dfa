"""Order within one partition: what can be proven to lie wrongly."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate


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
    items = list(records)
    by_answer = sorted(items, key=lambda record: record.answered_at)
    answers = [record.answered_at for record in by_answer]
    furthest = list(accumulate((record.offset for record in by_answer), max, initial=0))
    return [
        index
        for index, record in enumerate(items)
        if record.offset < furthest[bisect_left(answers, record.sent_at)]
    ]
