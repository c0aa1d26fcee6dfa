"""The window report: real events and canaries of the same time, side by side."""

from datetime import timedelta

from canary.cli.show_windows import line, row
from canary.traffic import AuditWindow
from canary.values import WindowReport
from reconcile.outcome import Outcome
from tests.canary.audit.world import START

MINUTE = timedelta(minutes=1)


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


def report(minute: int, **outcomes: int) -> WindowReport:
    return WindowReport(
        probe="main",
        start=START + minute * MINUTE,
        end=START + (minute + 1) * MINUTE,
        settled_at=START,
        due=60,
        sent=60,
        outcomes={outcome: outcomes.get(outcome.value, 0) for outcome in Outcome},
        flags={},
        hops={},
        latency={},
    )


def test_both_methods_stand_side_by_side() -> None:
    """Canaries count where their own window starts within the audited one."""
    canaries = [
        report(-1, on_time=60),
        report(0, on_time=60),
        report(4, on_time=58, lost=2),
        report(5, lost=60),
    ]
    one = row(window(), canaries)

    assert one["appended"] == 100
    assert one["real"] == {"stored": 90, "lost": 10}
    assert one["canaries"] == {"sent": 120, "on_time": 118, "lost": 2}
    assert line(one) == (
        "events 2026-01-31 12:00:00 to 12:05:00Z fault, amended 1 times: real 100: 90 stored, 10 lost;"
        " canaries 120: 118 on time, 2 lost; replay 0:10-19"
    )
