"""`python -m bench.storm`: 10,000 conditions within a minute over 200 lanes: messages delivered, CPU spent.

Each second another 167 come, each is true for ten seconds; the pager looks twice a second, writes what it
decides to a file and delivers a message a second. Once each stands for itself, once those of a topic are
grouped by whoever finds them, once all come in a single look.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from alerts.condition import Condition, Notice, Severity
from alerts.delivery import Receipt
from alerts.pager import Pager
from alerts.rules import Rule, Rules
from alerts.store import Store
from alerts.tables import metadata

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LOOK = timedelta(milliseconds=500)
CONDITIONS, LANES, STORM = 10_000, 200, timedelta(minutes=1)
LASTS = timedelta(seconds=10)
RULES = Rules(default=Rule(resolve_delay=timedelta(minutes=2)), burst=6)


class Counting:
    """A way out that takes everything."""

    def __init__(self) -> None:
        self.taken = 0

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """One more."""
        del notice, thread
        self.taken += 1
        return Receipt()

    def check(self) -> list[str]:
        """Nothing is wrong with it."""
        return []


def storm(*, grouped: bool, conditions: int = CONDITIONS, sudden: bool = False) -> tuple[int, float]:
    """Messages within the storm and the ten minutes after it, and seconds of CPU, writes included."""
    given = [_condition(number, grouped) for number in range(conditions)]
    calm = [STORM + minute * timedelta(minutes=1) for minute in range(1, 11)]
    ages = (*(step * LOOK for step in range(STORM // LOOK)), *calm)
    with TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{Path(folder) / 'outbox.db'}")
        metadata.create_all(engine)
        way = Counting()
        pager = Pager(Store(engine), way, rules=RULES)
        began = time.process_time()
        for age in ages:
            true = given if sudden and age < LASTS else [] if sudden else _true(given, age)
            pager.update(true, now=T0 + age)
            pager.deliver(T0 + age)
        spent = time.process_time() - began
        engine.dispose()
    return way.taken, spent


def _true(given: Sequence[Condition], age: timedelta) -> Sequence[Condition]:
    """Those of them that are true now."""
    each = STORM / len(given)
    return given[max(round((age - LASTS) / each), 0) : round(age / each)]


def _condition(number: int, grouped: bool) -> Condition:
    lane = number % LANES
    return Condition(
        f"gap:raw:{lane}:{number}",
        Severity.PAGE,
        f"{number} events missing in lane {lane}",
        count=number,
        group="gap:raw" if grouped else "",
        member=f"lane {lane}",
    )


def main() -> None:
    """Print all three."""
    hows = {
        "each by itself": storm(grouped=False),
        "told by topic": storm(grouped=True),
        "all in one look": storm(grouped=False, sudden=True),
    }
    for how, (messages, spent) in hows.items():
        sys.stdout.write(
            f"{CONDITIONS:,} conditions in {STORM.seconds} s over {LANES} lanes, {how}: "
            f"{messages} messages, {spent:.2f} s of CPU\n"
        )


if __name__ == "__main__":
    main()
