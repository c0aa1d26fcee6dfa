"""`python -m bench.storm`: 10,000 conditions within a minute over 200 lanes: messages made and CPU spent.

Each second another 167 come, each is true for ten seconds; the pager looks twice a second. Once each stands
for itself, once those of a topic are told together. The last line is all of them in a single look.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

from alerts.condition import Condition, Severity
from alerts.policy import decide
from alerts.rules import Rule, Rules
from alerts.state import State

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LOOK = timedelta(milliseconds=500)
CONDITIONS, LANES, STORM = 10_000, 200, timedelta(minutes=1)
LASTS = timedelta(seconds=10)
RULES = Rules(default=Rule(resolve_delay=timedelta(minutes=2)), burst=6)


def storm(*, grouped: bool, conditions: int = CONDITIONS) -> tuple[int, float]:
    """Messages within the storm and the ten minutes after it, and seconds of CPU."""
    state, messages, spent = State(), 0, 0.0
    given = [_condition(number, grouped) for number in range(conditions)]
    each = STORM / conditions
    calm = [STORM + minute * timedelta(minutes=1) for minute in range(1, 11)]
    for age in (*(step * LOOK for step in range(STORM // LOOK)), *calm):
        now = given[max(round((age - LASTS) / each), 0) : round(age / each)]
        began = time.process_time()
        state, notices = decide(state, now, now=T0 + age, rules=RULES)
        spent += time.process_time() - began
        messages += len(notices)
    return messages, spent


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
    """Print both."""
    for grouped in (False, True):
        messages, spent = storm(grouped=grouped)
        how = "told by topic" if grouped else "each by itself"
        sys.stdout.write(
            f"{CONDITIONS:,} conditions in {STORM.seconds} s over {LANES} lanes, {how}: "
            f"{messages} messages, {spent:.2f} s of CPU\n"
        )
    began = time.process_time()
    given = [_condition(number, False) for number in range(CONDITIONS)]
    _, notices = decide(State(), given, now=T0, rules=RULES)
    spent = time.process_time() - began
    sys.stdout.write(f"all of them in one look: {len(notices)} messages, {spent:.2f} s of CPU\n")


if __name__ == "__main__":
    main()
