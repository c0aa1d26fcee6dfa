"""The window report: real events and canaries of the same time, side by side."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from canary.audit.joined import gravest, joined, lines
from canary.traffic import AuditWindow, TrafficWindow
from canary.values import WindowReport
from reconcile.outcome import Outcome
from reconcile.traffic import Fate
from tests.canary.audit.world import START

MINUTE = timedelta(minutes=1)
STAGES = ("raw", "processed", "events")
LAST = ("processed", "events")


def window(**changed: int) -> AuditWindow:
    counts = {"stored": 90, "lost": 10, "queued": 0, **changed}
    return AuditWindow(
        stage="events",
        start=START,
        end=START + 5 * MINUTE,
        audited_at=START + 6 * MINUTE,
        open=False,
        verdict="fault",
        topic_id="",
        offsets={0: (0, 60), 1: (5, 45)},
        counts=counts,
        report={"lost": {"replay": ["0:10-19"]}},
        amendments=1,
    )


def report(
    minute: int, hops: dict[tuple[str, str], int] | None = None, sent: int = 60, **outcomes: int
) -> WindowReport:
    return WindowReport(
        probe="main",
        start=START + minute * MINUTE,
        end=START + (minute + 1) * MINUTE,
        settled_at=START,
        due=sent,
        sent=sent,
        outcomes={outcome: outcomes.get(outcome.value, 0) for outcome in Outcome},
        flags={},
        hops=hops or {},
        latency={"p50": 1.0, "max": 2.0 + minute},
    )


def traffic(kind: str, place: str, minute: int, **told: Any) -> TrafficWindow:
    start = START + minute * MINUTE
    return TrafficWindow(kind, place, start, start + MINUTE, start + 2 * MINUTE, "ok", told)


def counted(minute: int, received: float, appended: int, **dropped: float) -> TrafficWindow:
    left = received - appended - sum(dropped.values())
    told = {"received": received, "dropped": dropped, "appended": appended, "left": left, "error": 2.0}
    return traffic("ingress", "ingress->raw", minute, **told, state="adds up", restarts=0, trouble=[])


def sampled(minute: int, **told: int) -> TrafficWindow:
    whole = {"arrived": 0, "dead_lettered": 0, "waiting": 0, "unread": 0, "lost": 0, **told}
    more = {
        "sampled": sum(whole.values()),
        "share": 0.1,
        "lost_at_most": 0.1,
        "first_ids": ["a"][: whole["lost"]],
    }
    return traffic("between", "raw->processed", minute, **whole, **more)


def delayed(minute: int, rows: int, late: int, worst: float) -> TrafficWindow:
    told = {"rows": rows, "late": late, "late_after": 30.0, "unknown": 0, "negative": 0}
    return traffic("delay", "events", minute, **told, seconds={"p50": 1.0, "max": worst}, canaries={})


def test_both_methods_stand_side_by_side() -> None:
    """Canaries and comparisons count where their own window starts within the audited one."""
    canaries = [
        report(-1, on_time=60),
        report(0, on_time=60),
        report(4, {LAST: 2}, on_time=57, lost=2, rejected=1),
        report(5, lost=60),
    ]
    beside = [
        counted(0, 70, 60, quota=9),
        counted(3, 50, 48),
        counted(5, 999, 0),
        sampled(1, arrived=9, dead_lettered=1),
        sampled(2, arrived=10),
        delayed(0, 40, 0, 3.0),
        delayed(4, 50, 2, 33.0),
    ]
    one = joined(window(), canaries, beside, STAGES)

    assert one["appended"] == 100
    assert one["real"] == {"stored": 90, "lost": 10}
    assert one["canaries"] == {"sent": 120, "on_time": 117, "lost": 2, "rejected": 1}
    assert list(lines(one)) == [
        "events 2026-01-31 12:00:00 to 12:05:00Z fault, amended 1 time: replay 0:10-19",
        "  ingress->raw: real by counters 120 in, 108 out, 9 dropped quota, 3 left ± 4 (adds up);"
        " canaries 120 in, 119 out, 1 rejected",
        "  raw->processed: real by a sample of 10.0% 20 in, 19 out, 1 dead lettered,"
        " at most 13.91% lost by 95%; canaries 119 in, 119 out",
        "  processed->events: real by offset 100 in, 90 out, 10 lost; canaries 119 in, 117 out, 2 lost",
        "  delay: real 90 rows, p50 1.00 s, max 33.00 s, 2 later than 30 s; canaries p50 1.00 s, max 6.00 s",
    ]


def test_what_was_not_measured_is_not_made_up() -> None:
    """Nothing stands for a hop that nobody looked at."""
    one = joined(window(), [], [], STAGES)

    assert [hop["real"] is None for hop in one["path"]] == [True, True, False]
    assert one["delay"] is None
    assert list(lines(one))[1:] == [
        "  ingress->raw: not measured",
        "  raw->processed: not measured",
        "  processed->events: real by offset 100 in, 90 out, 10 lost",
    ]


@given(
    st.lists(st.integers(0, 50), min_size=8, max_size=8),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 50)), max_size=5),
    st.lists(st.tuples(*[st.integers(0, 50)] * 5), max_size=3),
    st.lists(st.integers(0, 1000), min_size=len(Fate), max_size=len(Fate)),
)
def test_every_hop_adds_up_for_both_methods(
    outcomes: list[int], counts: list[tuple[int, int, int]], samples: list[tuple[int, ...]], fates: list[int]
) -> None:
    """In = out + explained + left; nothing is left but what counters cannot explain; and the last hop's
    canaries are those that arrived."""
    told = dict(zip((outcome.value for outcome in Outcome), outcomes, strict=True))
    lost = told["lost"]
    hops = {("ingress", "raw"): lost // 2, LAST: lost - lost // 2}
    canaries = [report(1, hops, sum(outcomes), **told)]
    names = ("arrived", "dead_lettered", "waiting", "unread", "lost")
    beside = [counted(n, received, appended, quota=d) for n, (received, appended, d) in enumerate(counts)]
    beside += [sampled(n, **dict(zip(names, one, strict=True))) for n, one in enumerate(samples)]
    audit = window(**dict(zip((fate.value for fate in Fate), fates, strict=True)))
    one = joined(audit, canaries, beside, STAGES)

    assert one["unbalanced"] == 100 - sum(fates)
    for hop in one["path"]:
        for method in (hop["real"], hop["canaries"]):
            if method is not None:
                assert method["in"] == method["out"] + sum(method["explained"].values()) + method["left"]
        assert hop["canaries"]["left"] == 0
    assert one["path"][1]["real"] is None or one["path"][1]["real"]["left"] == 0
    assert one["path"][-1]["real"]["left"] == one["unbalanced"]
    assert one["path"][-1]["canaries"]["out"] == told["on_time"] + told["late"]


def test_the_gravest_verdict_counts() -> None:
    """A fault before what is unknown, unknown before degraded; nothing known is unknown."""
    assert [gravest(words) for words in (["ok", "fault"], ["unknown", "degraded"], ["ok"], [])] == [
        "fault",
        "unknown",
        "ok",
        "unknown",
    ]
