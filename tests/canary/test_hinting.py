"""What people are told ends with what to look at next, in the words that `check` has for it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from alerts.condition import Condition, Severity
from canary.fault import HINTS
from canary.hinting import FACT, HintingPager, hinted
from canary.paging import SilentPager

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("lost:raw->events", "lost"),
        ("behind:raw->events", "overdue"),
        ("blind:events", "blind"),
        ("stored_after_refusal", "stored_after_refusal"),
    ],
)
def test_a_kind_has_its_hint_after_its_evidence(key: str, kind: str) -> None:
    """The facts stay as they were, the hint comes last."""
    condition = Condition(key, Severity.PAGE, "x", facts=(("lost", "3"),))
    assert hinted(condition).facts == (("lost", "3"), (FACT, HINTS[kind]))


def test_a_hint_with_evidence_takes_the_place_of_the_general_one() -> None:
    """Two pieces of advice are none."""
    condition = Condition("lost:raw->events", Severity.PAGE, "x", facts=(("hint", "look here"),))
    assert hinted(condition) is condition


def test_what_has_no_hint_is_left_alone() -> None:
    """No hint is better than a guess."""
    condition = Condition("ledger", Severity.PAGE, "x")
    assert hinted(condition) is condition


@dataclass
class Owing(SilentPager):
    """One that owes."""

    told: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def deliver(self, now: datetime) -> bool:
        """Note it."""
        self.told.append(now)
        return True

    def owed(self) -> int:
        """Two."""
        return 2


def test_all_else_is_passed_on() -> None:
    """It is the same pager otherwise."""
    inner = Owing()
    one = HintingPager(inner)
    one.update([Condition("lost:a->b", Severity.PAGE, "x")], now=NOW, unknown=())
    assert [fact[0] for fact in inner.conditions[0].facts] == [FACT]
    assert one.deliver(NOW)
    assert (inner.told, one.owed(), one.silence(NOW), one.check()) == ([NOW], 2, "", [])
