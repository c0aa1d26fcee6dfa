"""The policy as a state machine: what opens, what is told again, what ends."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import codec
from alerts.condition import Condition, Kind, Notice, Severity
from alerts.policy import decide
from alerts.rules import Rule, Rules
from alerts.state import State

T0 = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = Rules(default=Rule(resolve_delay=timedelta()))


def at(seconds: float) -> datetime:
    """That long after the start."""
    return T0 + timedelta(seconds=seconds)


def condition(key: str = "lost", *, count: int = 1, severity: Severity = Severity.PAGE) -> Condition:
    """One that is true."""
    return Condition(key, severity, f"{key} is bad", count=count)


@dataclass
class Run:
    """A policy with its state, told one look after another."""

    rules: Rules = AT_ONCE
    state: State = field(default_factory=State)

    def look(
        self, seconds: float, *conditions: Condition, unknown: frozenset[str] = frozenset()
    ) -> list[Notice]:
        """What this look tells."""
        self.state, notices = decide(
            self.state, conditions, now=at(seconds), rules=self.rules, unknown=unknown
        )
        return list(notices)

    def kinds(
        self, seconds: float, *conditions: Condition, unknown: frozenset[str] = frozenset()
    ) -> list[Kind]:
        """The kinds of what it tells."""
        return [notice.kind for notice in self.look(seconds, *conditions, unknown=unknown)]


def test_opens_once_and_ends_once() -> None:
    """A condition is told when it comes and when it goes, and not in between."""
    run = Run()
    assert run.kinds(0, condition()) == [Kind.OPENED]
    assert run.kinds(60, condition()) == []
    (end,) = run.look(120)
    assert (end.kind, end.opened_at, end.ended_at, end.sequence) == (Kind.RESOLVED, at(0), at(120), 2)
    assert run.kinds(180) == []
    assert run.state.incidents == {}


def test_holds_before_it_opens() -> None:
    """With `for_`, a condition that goes away in time is never told, and one that stays is told once."""
    run = Run(Rules(default=Rule(for_=timedelta(seconds=30))))
    assert run.kinds(0, condition()) == []
    assert run.kinds(20) == []
    assert run.kinds(40, condition()) == []
    assert run.kinds(69, condition()) == []
    assert run.kinds(70, condition()) == [Kind.OPENED]


def test_waits_before_it_resolves() -> None:
    """A gap shorter than the delay is no end."""
    run = Run(Rules(default=Rule(resolve_delay=timedelta(seconds=60))))
    run.look(0, condition())
    assert run.kinds(10) == []
    assert run.kinds(50, condition()) == []
    assert run.kinds(60) == []
    assert run.kinds(119) == []
    assert run.kinds(120) == [Kind.RESOLVED]


def test_repeats_while_open() -> None:
    """An open incident is told again at its interval, unless the rule says never."""
    run = Run(Rules(default=Rule(repeat=timedelta(hours=4))))
    run.look(0, condition())
    assert run.kinds(4 * 3600 - 1, condition()) == []
    assert run.kinds(4 * 3600, condition()) == [Kind.STILL]
    never = Run(Rules(default=Rule(repeat=None)))
    never.look(0, condition())
    assert never.kinds(1e6, condition()) == []


def test_a_worse_turn_is_told_before_the_repeat() -> None:
    """A rise of severity is told at once, growth by the factor after the gap, and a fall never."""
    run = Run()
    run.look(0, condition(severity=Severity.TICKET))
    assert run.kinds(1, condition(severity=Severity.PAGE)) == [Kind.STILL]
    assert run.kinds(2, condition(severity=Severity.TICKET)) == []
    assert run.kinds(3, condition(severity=Severity.PAGE)) == []
    assert run.kinds(4, condition(count=10)) == []
    assert run.kinds(301, condition(count=10)) == [Kind.STILL]
    (end,) = run.look(400)
    assert end.worst == 10


def test_unknown_is_neither_there_nor_gone() -> None:
    """While nobody can tell, an incident is neither resolved nor repeated, and absence starts anew."""
    run = Run(Rules(default=Rule(resolve_delay=timedelta(seconds=60))))
    run.look(0, condition())
    blind = frozenset({"lost"})
    assert run.kinds(30) == []
    assert run.kinds(90, unknown=blind) == []
    assert run.kinds(5 * 3600, unknown=blind) == []
    assert run.kinds(5 * 3600 + 1) == []
    assert run.kinds(5 * 3600 + 61) == [Kind.RESOLVED]


def test_a_given_condition_beats_unknown() -> None:
    """What is seen is true, even where the caller is otherwise blind."""
    assert Run().kinds(0, condition(), unknown=frozenset({"lost"})) == [Kind.OPENED]


def test_the_longest_prefix_rules() -> None:
    """A rule for a family beats the default, one for a member beats both."""
    slow, slower = Rule(for_=timedelta(seconds=10)), Rule(for_=timedelta(seconds=20))
    rules = Rules(by_prefix={"late": slow, "late:a": slower})
    assert [rules.of(key) for key in ("lost", "late:b", "late:a:1")] == [Rule(), slow, slower]


def test_a_limit_below_one_is_refused() -> None:
    """A limit of nothing would be a pager that never speaks."""
    with pytest.raises(ValueError, match=r"per_hour: must be at least 1 \(got 0\)"):
        Rules(per_hour=0)


def test_a_clock_that_steps_back_holds_nothing_up() -> None:
    """After a step back by an hour, an incident still ends after its delay, with no negative times."""
    run = Run(Rules(default=Rule(resolve_delay=timedelta(seconds=60))))
    run.look(7200, condition())
    run.look(7210)
    assert run.kinds(3600) == []
    (end,) = run.look(3661)
    assert end.kind is Kind.RESOLVED
    assert end.ended_at is not None
    assert end.opened_at <= end.ended_at


def test_a_storm_becomes_single_messages_and_a_summary() -> None:
    """Ten thousand conditions make no more than the limit, worst first, and the summary counts the rest."""
    run = Run(Rules(per_hour=10))
    storm = [condition(f"n{n}", severity=Severity.NOTE) for n in range(9999)] + [condition("page")]
    notices = run.look(0, *storm)
    assert [notice.kind for notice in notices] == [Kind.OPENED] * 5 + [Kind.SUMMARY]
    assert notices[0].key == "page"
    assert notices[-1].content.count == 10_000 - 5
    assert "… and" in notices[-1].content.diagram
    assert run.look(60, *storm) == []


KEYS = st.sampled_from(["a", "b", "c", "d", "e"])
CONDITIONS = st.builds(
    Condition,
    key=KEYS,
    severity=st.sampled_from(Severity),
    title=st.just("bad"),
    count=st.integers(0, 30),
)
LOOKS = st.lists(
    st.tuples(st.integers(-600, 9000), st.lists(CONDITIONS, max_size=6), st.frozensets(KEYS, max_size=3)),
    max_size=40,
)
RULES = st.builds(
    Rules,
    default=st.builds(
        Rule,
        for_=st.sampled_from([timedelta(), timedelta(seconds=90)]),
        repeat=st.sampled_from([None, timedelta(seconds=120), timedelta(hours=1)]),
        resolve_delay=st.sampled_from([timedelta(), timedelta(seconds=60)]),
        growth=st.just(2.0),
        growth_gap=st.just(timedelta(seconds=30)),
    ),
    per_hour=st.sampled_from([1, 2, 3, 7, 60]),
)
Looks = list[tuple[int, list[Condition], frozenset[str]]]


def told(
    rules: Rules, looks: Looks, *, shuffled: bool = False, restarted: bool = False
) -> list[list[Notice]]:
    """What each look tells, perhaps with the conditions turned round, perhaps through a restart each time."""
    run, now, all_told = Run(rules), 0, []
    for step, conditions, unknown in looks:
        now += step
        given = conditions[::-1] if shuffled else conditions
        all_told.append(run.look(now, *given, unknown=unknown))
        if restarted:
            kept = {key: codec.plain(incident) for key, incident in run.state.incidents.items()}
            back = json.loads(json.dumps(kept))
            run.state = replace(
                run.state, incidents={key: codec.incident(plain) for key, plain in back.items()}
            )
    return all_told


def spoken(looks: list[list[Notice]]) -> dict[int, list[Kind]]:
    """All that was said of each incident, by itself or in a summary, in order."""
    said: dict[int, list[Kind]] = defaultdict(list)
    for notice in (notice for look in looks for notice in look):
        covers = notice.covers if notice.kind is Kind.SUMMARY else ((notice.incident, notice.kind),)
        for incident, kind in covers:
            said[incident].append(kind)
    return said


@given(RULES, LOOKS)
def test_each_incident_is_opened_once_then_ended_once(rules: Rules, looks: Looks) -> None:
    """Every story of an incident is: opened, any number of still so, and at most one end, which is last."""
    for story in spoken(told(rules, looks)).values():
        counts = Counter(story)
        assert counts[Kind.OPENED] == 1
        assert story[0] is Kind.OPENED
        assert counts[Kind.RESOLVED] <= 1
        assert Kind.RESOLVED not in story[:-1]


@given(RULES, LOOKS)
def test_no_key_opens_twice_without_an_end_between(rules: Rules, looks: Looks) -> None:
    """Of one key, at most one incident is open in the reader's eyes."""
    open_: dict[str, int] = {}
    keys: dict[int, str] = {}
    run, now = Run(rules), 0
    for step, conditions, unknown in looks:
        now += step
        notices = run.look(now, *conditions, unknown=unknown)
        keys |= {incident.number: key for key, incident in run.state.incidents.items() if incident.number}
        keys |= {notice.incident: notice.key for notice in notices if notice.kind is not Kind.SUMMARY}
        for incident, story in spoken([notices]).items():
            key = keys.get(incident)
            if key is None:
                # Opened and ended within one look of a summary.
                assert story == [Kind.OPENED, Kind.RESOLVED]
                continue
            if Kind.OPENED in story:
                assert key not in open_
                open_[key] = incident
            if Kind.RESOLVED in story:
                assert open_.pop(key) == incident


@given(RULES, LOOKS)
def test_everything_opened_gets_its_end(rules: Rules, looks: Looks) -> None:
    """Once all is well for long enough, no incident is left without its end, however low the limit."""
    calm: Looks = [(3600, [], frozenset())] * 4
    stories = spoken(told(rules, looks + calm))
    assert all(story[-1] is Kind.RESOLVED for story in stories.values())


@given(RULES, LOOKS)
def test_order_and_restarts_change_nothing(rules: Rules, looks: Looks) -> None:
    """The same is told whatever order the conditions come in, and through a restart after every look."""
    expected = told(rules, looks)
    assert told(rules, looks, shuffled=True) == expected
    assert told(rules, looks, restarted=True) == expected


@given(RULES, LOOKS)
@settings(max_examples=200)
def test_never_more_than_the_limit_an_hour(rules: Rules, looks: Looks) -> None:
    """No sequence of conditions makes more messages in any hour than the limit."""
    forward: Looks = [(abs(step), conditions, unknown) for step, conditions, unknown in looks]
    made = [notice.made_at for look in told(rules, forward) for notice in look]
    for start in made:
        assert sum(start <= moment < start + timedelta(hours=1) for moment in made) <= rules.per_hour
