"""A storm is a handful of messages, however many conditions are true at once."""

import pytest

from alerts.condition import Condition, Kind, Severity
from alerts.rules import Rule, Rules
from alerts.silence import Orders, Silence
from bench.storm import RULES, storm
from tests.alerts.looking import AT_ONCE, Run, at, bad

CROWD = 20
SOME = [bad(f"gap:{number}") for number in range(CROWD)]
MANY = [bad(f"gap:{number}", considered=10) for number in range(CROWD + 5)]


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("sudden", [False, True])
def test_a_storm_is_a_handful_of_messages(grouped: bool, sudden: bool) -> None:
    """Beginning and end, whoever grouped them; where it gathers slowly, some came singly before."""
    messages, _ = storm(grouped=grouped, conditions=1_000, sudden=sudden)
    assert RULES.burst is not None
    assert 2 <= messages <= (2 if grouped or sudden else RULES.burst + 1 + 2)


def test_up_to_so_many_of_a_kind_are_told_each_by_itself() -> None:
    """A crowd is more than that, and of one kind."""
    others = [bad(f"late:{number}") for number in range(CROWD)]
    told = Run(AT_ONCE).told(0, *SOME, *others)
    assert len(told) == 2 * CROWD


def test_more_of_a_kind_are_one_message_that_names_them() -> None:
    """As severe as the worst, with how many there are and some of their names."""
    run = Run(AT_ONCE)
    (notice,) = run.look(0, *MANY, bad("gap:x", severity=Severity.PAGE, count=9))
    assert (notice.kind, notice.key) == (Kind.OPENED, "gap:*")
    assert "and 25 more like it" in notice.content.title
    assert "gap:24" in dict(notice.content.facts)["all of them"]


def test_a_crowd_goes_on_until_the_last_of_it_is_gone() -> None:
    """It is over once, not one by one, and later ones stand for themselves again."""
    run = Run(AT_ONCE)
    run.look(0, *MANY)
    assert run.told(10, *MANY[:3]) == []
    assert run.told(20, bad("gap:new")) == []
    assert run.told(30) == [("gap:*", Kind.RESOLVED)]
    assert run.told(40, bad("gap:new")) == [("gap:new", Kind.OPENED)]


def test_what_was_told_by_itself_ends_by_itself() -> None:
    """A crowd that gathers around it does not swallow it."""
    run = Run(AT_ONCE)
    assert run.told(0, bad("gap:0")) == [("gap:0", Kind.OPENED)]
    assert run.told(10, *MANY) == [("gap:*", Kind.OPENED)]
    assert run.told(20, *MANY[1:]) == [("gap:0", Kind.RESOLVED)]


def test_many_that_do_not_count_hide_none_that_does() -> None:
    """Each is held against its own level before they are taken together."""
    rules = Rules(default=Rule(open_at=0.5))
    fine = [bad(f"late:{number}", count=1, considered=1000) for number in range(100)]
    assert Run(rules).told(0, *fine, bad("late:bad", count=9, considered=10)) == [("late:bad", Kind.OPENED)]


def test_what_is_silenced_is_no_part_of_a_crowd() -> None:
    """Nobody is told of it within the silence, however many there are."""
    run = Run(AT_ONCE, orders=Orders([Silence("gap:1", at(0), at(100), "ann")]))
    (notice,) = run.look(0, *(bad(f"gap:{group}{number}") for group in (1, 2) for number in range(30, 60)))
    assert "gap:1" not in str(notice.content.facts)
    quiet = Run(AT_ONCE, orders=Orders([Silence("gap:", at(0), at(100), "ann")]))
    assert quiet.told(0, *MANY) == []
    assert len(quiet.told(200, *MANY)) > 0


def test_blindness_keeps_a_crowd_open() -> None:
    """Where one of them cannot be judged, the crowd is not over."""
    run = Run(AT_ONCE)
    run.look(0, *MANY)
    assert run.look(10, unknown=frozenset({"gap:7"})) == []
    assert run.told(20) == [("gap:*", Kind.RESOLVED)]


def test_a_crowd_mutes_what_its_members_would_have() -> None:
    """What follows from one of them follows from all."""
    effect = bad("down", muted_by=("gap:3",))
    run = Run(AT_ONCE)
    assert run.told(0, *MANY, effect) == [("gap:*", Kind.OPENED)]


def test_a_crowd_is_the_same_after_a_look_in_another_order() -> None:
    """Nothing hangs on the order in which they are found."""
    first: list[Condition] = [notice.content for notice in Run(AT_ONCE).look(0, *MANY)]
    second = [notice.content for notice in Run(AT_ONCE).look(0, *reversed(MANY))]
    assert first[0].facts == second[0].facts
    assert first[0].title == second[0].title
