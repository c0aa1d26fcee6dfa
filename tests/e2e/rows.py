"""The table: what is broken, and what a check has to say of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.oracle import ARRIVED, Expected

Fault = Mapping[str, Any]

PLENTY = ("--timeout", "60s")
BRIEF = ("--timeout", "7s")
BOTH_TOPICS = (("blind", "raw"), ("blind", "processed"))
GONE_OR_NOT = ("rejected", "undelivered", "on_time", "late")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the faults to switch on (`later`: so many seconds into the check), and what must be said.

    `objective` is wide where a row is not about lateness: other work on the machine must not decide.
    `changes` are lines of the configuration with another value. `strikes`: whether single events are struck.
    """

    name: str
    expected: Expected
    faults: tuple[Fault, ...] = ()
    later: float | None = None
    n: int = 8
    arguments: tuple[str, ...] = PLENTY
    objective: str = "4s"
    changes: Mapping[str, str] = field(default_factory=dict)
    strikes: bool = True


def fault(kind: str, at: str | None = None, **options: Any) -> Fault:
    return {"kind": kind, **({} if at is None else {"at": at}), **options}


def some(name: str, expected: Expected, *faults: Fault, **more: Any) -> Row:
    """A row whose faults strike single events or posts."""
    return Row(name, expected, faults, **more)


def whole(name: str, expected: Expected, *faults: Fault, **more: Any) -> Row:
    """A row whose faults strike a part, and so everybody."""
    return Row(name, expected, faults, strikes=False, **more)


def lost(hop: str) -> Expected:
    return Expected(2, [("lost", hop)], struck=("lost",))


def rejected(*others: str) -> Expected:
    return Expected(2, [("rejected", "ingress->raw")], struck=("rejected",), others=others or ("on_time",))


def flagged(code: int, flag: str, hop: str) -> Expected:
    return Expected(code, [(flag, hop)], flag=flag)


LATE = Expected(1, [("late", "ingress->events")], struck=("late",))
ALL_LATE = Expected(1, [("late", "ingress->events")], others=ARRIVED)
UNDELIVERED = Expected(1, [("undelivered", "ingress->raw")], struck=("undelivered",))
ALL_UNDELIVERED = Expected(
    2, [("undelivered", "ingress->raw")], struck=("undelivered",), others=("undelivered",)
)
FINE = Expected(0)
UNREAD = Expected(3, [("blind", "events")], others=("unread",))
SEEN_PAST_BLINDNESS = Expected(1, BOTH_TOPICS)


def queued(hop: str) -> Expected:
    return Expected(1, [("overdue", hop)], others=("overdue",))


LOSSES = (
    some("accept and drop", lost("ingress->raw"), fault("accept-and-drop", count=2)),
    some("drop at raw", lost("ingress->raw"), fault("drop", "raw", count=3)),
    some("drop at processed", lost("raw->processed"), fault("drop", "processed", count=3)),
    some("drop at events", lost("processed->events"), fault("drop", "events", count=3)),
    some("drop every one", lost("processed->events"), fault("drop", "events")),
    some(
        "drop at two places",
        Expected(2, [("lost", "raw->processed"), ("lost", "processed->events")], struck=("lost",)),
        fault("drop", "processed", count=2),
        fault("drop", "events", count=1),
    ),
)

ANSWERS = (
    some("refuse", rejected(), fault("refuse", count=3)),
    some("refuse every one", rejected(), fault("refuse")),
    some("error on 3 of 20", UNDELIVERED, fault("error", count=3), n=20),
    some("error on all", ALL_UNDELIVERED, fault("error")),
    some("error, but stored", LATE, fault("error-stored", count=1), objective="2s"),
    some("no answer and lost", UNDELIVERED, fault("timeout-lost", count=1)),
    some("no answer, but stored", Expected(0, struck=ARRIVED), fault("timeout-stored", count=2)),
    some("throttled, then taken", Expected(0, struck=ARRIVED), fault("throttle", count=3)),
    some("throttled for ever", rejected(), fault("throttle"), n=4),
)

DAMAGE = (
    some("duplicate at raw", flagged(1, "duplicated", "ingress->raw"), fault("duplicate", "raw", count=2)),
    some(
        "duplicate at processed",
        flagged(1, "duplicated", "raw->processed"),
        fault("duplicate", "processed", count=2),
    ),
    some(
        "duplicate at events",
        flagged(1, "duplicated", "processed->events"),
        fault("duplicate", "events", count=2),
    ),
    some(
        "duplicate on another day",
        flagged(1, "duplicated", "processed->events"),
        fault("duplicate", "events", how="another-day", count=2),
    ),
    some("delay at raw", LATE, fault("delay", "raw", by="3500ms", count=1), objective="1s"),
    some("delay at processed", LATE, fault("delay", "processed", by="3500ms", count=2), objective="2s"),
    some("delay at events", LATE, fault("delay", "events", by="3500ms", count=2), objective="2s"),
    some("corrupt at raw", flagged(2, "corrupt", "ingress->raw"), fault("corrupt", "raw", count=2)),
    some(
        "corrupt at processed",
        flagged(2, "corrupt", "raw->processed"),
        fault("corrupt", "processed", count=2),
    ),
    some(
        "corrupt at events",
        flagged(2, "corrupt", "processed->events"),
        fault("corrupt", "events", count=2),
    ),
    some(
        "timestamp times 1000",
        flagged(2, "corrupt", "processed->events"),
        fault("corrupt", "events", field="timestamp", count=2),
    ),
    some(
        "event name mangled",
        flagged(2, "corrupt", "processed->events"),
        fault("corrupt", "events", field="event", count=2),
    ),
    some(
        "reorder at raw",
        Expected(1, [("out_of_order", "ingress->raw")], may=frozenset({"out_of_order"})),
        fault("reorder", "raw", count=2),
    ),
    some(
        "reorder behind the first topic", FINE, fault("reorder", "processed", count=2)
    ),  # keyed by uuid there: no order is promised
)

BACKLOGS = (
    whole("stop at processed", queued("raw->processed"), fault("stop", "processed"), arguments=BRIEF),
    whole("stop at events", queued("processed->events"), fault("stop", "events"), arguments=BRIEF),
    whole("stop for a moment", ALL_LATE, fault("stop", "events", lasts="16s"), objective="1s"),
)

BLINDNESS = (
    *(
        whole(f"blind at events: {how}", UNREAD, fault("blind", "events", how=how), arguments=BRIEF)
        for how in ("refuse", "deny", "hang")
    ),
    *(
        whole(f"blind at raw: {how}", SEEN_PAST_BLINDNESS, fault("blind", "raw", how=how))
        for how in ("refuse", "deny", "hang")
    ),
    whole("blind at ingress: refuse", rejected("rejected"), fault("blind", "ingress")),
    whole("blind at ingress: deny", rejected("rejected"), fault("blind", "ingress", how="deny")),
    whole("blind at ingress: hang", ALL_UNDELIVERED, fault("blind", "ingress", how="hang")),
    whole("a wrong password", UNREAD, arguments=BRIEF, changes={"stages.password_file": "slack-token"}),
    whole(
        "nothing listens at the ingress", rejected("rejected"), changes={"probes.url": "http://127.0.0.1:9"}
    ),
)

BROKER_GONE = Expected(
    (2, 3), BOTH_TOPICS, may=frozenset({"undelivered", "overdue"}), others=("undelivered", "overdue")
)
SLOWED = Expected((0, 1), may=frozenset({"late", "blind", "detoured"}), others=ARRIVED)
SHAKEN = Expected(
    (0, 1), may=frozenset({"late", "blind", "detoured", "undelivered"}), others=(*ARRIVED, "undelivered")
)

PARTS = (
    whole("broker down", BROKER_GONE, fault("down", "raw"), arguments=BRIEF),
    whole("broker frozen", BROKER_GONE, fault("freeze", "processed"), arguments=BRIEF),
    whole("broker slow", SHAKEN, fault("slow", "raw", by="300ms"), objective="1s"),
    whole("broker restarts", SHAKEN, fault("restart", "raw"), later=3.0, arguments=("--rate", "4", *PLENTY)),
    whole("ClickHouse down", UNREAD, fault("down", "events"), arguments=BRIEF),
    whole("ClickHouse frozen", UNREAD, fault("freeze", "events"), arguments=BRIEF),
    whole("ClickHouse slow", SLOWED, fault("slow", "events", by="300ms"), objective="1s"),
    whole("ClickHouse back in time", SLOWED, fault("down", "events", lasts="5s"), objective="1s"),
    whole("ingress down", rejected("rejected"), fault("down", "ingress")),
    whole("ingress frozen", ALL_UNDELIVERED, fault("freeze", "ingress")),
    whole("ingress slow", ALL_LATE, fault("slow", "ingress", by="1500ms"), objective="1s"),
    whole(
        "ingress restarts",
        Expected((0, 1, 2), may=frozenset({"rejected", "undelivered"}), others=GONE_OR_NOT),
        fault("restart", "ingress"),
        later=3.0,
        arguments=("--rate", "4", *PLENTY),
    ),
    *(
        whole(f"the clock of {at} is {by} off", FINE, fault("skew", at, by=by))
        for at, by in (("ingress", "1h"), ("raw", "-1h"), ("processed", "-1h"), ("events", "1h"))
    ),
)

TABLE = (
    Row("clean", FINE, n=20, arguments=("--rate", "5"), objective="2s"),
    *LOSSES,
    *ANSWERS,
    *DAMAGE,
    *BACKLOGS,
    *BLINDNESS,
    *PARTS,
)
