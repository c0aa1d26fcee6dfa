"""When a condition counts: levels to open and to close, thin evidence, a severity of one's own, groups."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.condition import Kind, Severity
from alerts.evidence import by_key, shaped
from alerts.rules import Rule, Rules
from tests.alerts.looking import Run, bad


def rules(**settings: object) -> Rules:
    """One rule for all, that ends at once."""
    return Rules(default=Rule(resolve_delay=timedelta(), **settings))  # type: ignore[arg-type]


def test_opens_at_one_level_and_closes_at_another() -> None:
    """Between the two it is as it was: it neither opens nor ends."""
    run = Run(rules(open_at=0.10, close_at=0.02))
    shares = [(5, []), (10, [Kind.OPENED]), (5, []), (2, []), (1, [Kind.RESOLVED]), (5, [])]
    for second, (count, kinds) in enumerate(shares):
        told = run.told(second, bad(count=count, considered=100))
        assert [kind for _, kind in told] == kinds, (second, count)


def test_a_level_of_its_own_goes_before_the_share() -> None:
    """What is measured in seconds or burn rates is held against that."""
    run = Run(rules(open_at=14.4))
    assert run.told(0, bad(count=60, considered=60, level=14.0)) == []
    assert run.told(1, bad(count=1, considered=60, level=14.4)) == [("lost", Kind.OPENED)]


def test_what_has_no_measure_always_counts() -> None:
    """A level in the rule of a family keeps nobody from telling of what cannot be measured."""
    assert Run(rules(open_at=0.5, min_bad=5)).told(0, bad()) == [("lost", Kind.OPENED)]


@pytest.mark.parametrize(
    ("count", "considered", "severity"),
    [
        (1, 3, Severity.TICKET),
        (1, 60, Severity.TICKET),
        (2, 3, Severity.TICKET),
        (2, 60, Severity.PAGE),
        (60, 60, Severity.PAGE),
    ],
)
def test_thin_evidence_is_a_ticket(count: int, considered: int, severity: Severity) -> None:
    """One of three is no trend and one of sixty no page, but somebody looks at it in working hours."""
    run = Run(rules(min_events=20, min_bad=2))
    (notice,) = run.look(0, bad(count=count, considered=considered))
    assert notice.content.severity is severity


def test_thin_evidence_that_becomes_firm_is_told_at_once() -> None:
    """The ticket becomes a page as soon as a second one is bad."""
    run = Run(rules(min_bad=2))
    assert run.told(0, bad(count=1, considered=60)) == [("lost", Kind.OPENED)]
    (notice,) = run.look(1, bad(count=2, considered=60))
    assert (notice.kind, notice.content.severity) == (Kind.STILL, Severity.PAGE)


def test_thin_evidence_may_be_worth_nothing() -> None:
    """By the rule; but what is open already does not end for want of evidence."""
    run = Run(rules(min_bad=2, thin=None))
    assert run.told(0, bad(count=1, considered=60)) == []
    assert run.told(1, bad(count=2, considered=60)) == [("lost", Kind.OPENED)]
    assert run.told(2, bad(count=1, considered=60)) == []
    assert run.told(3) == [("lost", Kind.RESOLVED)]


def test_the_rule_s_severity_takes_the_place_of_the_condition_s() -> None:
    """Up or down, whatever the condition thinks of itself."""
    for severity in Severity:
        (notice,) = Run(rules(severity=severity)).look(0, bad(severity=Severity.TICKET))
        assert notice.content.severity is severity


@given(
    st.integers(0, 200),
    st.integers(0, 100),
    st.sampled_from([None, 0.1, 0.5]),
    st.sampled_from([None, 0.05, 0.5]),
)
def test_what_counts_to_open_counts_while_open(
    count: int, considered: int, open_at: float | None, close_at: float | None
) -> None:
    """Closing never asks for more than opening, so nothing can open and end at one and the same level."""
    if open_at is not None and close_at is not None and close_at > open_at:
        close_at = open_at
    rule = Rule(open_at=open_at, close_at=close_at, min_events=10, min_bad=2, thin=None)
    condition = bad(count=count, considered=considered)
    if shaped(condition, rule, open_=False) is not None:
        assert shaped(condition, rule, open_=True) is not None


def test_a_group_is_one_notice_that_names_its_members() -> None:
    """Two hundred lanes of one topic, told once, with their number and the first of them."""
    lanes = [bad(f"lane {n}", count=n, considered=1000, group="lag:raw") for n in range(200)]
    run = Run()
    (notice,) = run.look(0, *lanes)
    assert notice.key == "lag:raw"
    assert notice.content.title == "lane 199 is bad (and 199 more like it)"
    assert (notice.content.count, notice.content.considered) == (sum(range(200)), 200_000)
    assert dict(notice.content.facts)["all of them"].startswith("200: lane 0, lane 1, ")
    assert dict(notice.content.facts)["all of them"].endswith(" and 170 more")
    assert run.told(60, lanes[3]) == []
    assert run.told(120) == [("lag:raw", Kind.RESOLVED)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "g"]), st.integers(0, 9)), max_size=8))
def test_order_makes_no_difference_to_what_is_true(given: list[tuple[str, str, int]]) -> None:
    """Whoever finds the conditions may do so in any order."""
    conditions = [bad(key, count=count, group=group) for key, group, count in given]
    assert dict(by_key(conditions)) == dict(by_key(conditions[::-1]))
