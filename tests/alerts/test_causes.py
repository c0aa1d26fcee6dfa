"""One fault is one message: what follows from something else is muted, named there, and never forgotten."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from alerts.causes import muting
from alerts.condition import Condition, Kind, Severity
from alerts.rules import Rule, Rules
from alerts.silence import Orders, Silence
from tests.alerts.looking import AT_ONCE, Run, at, bad

KAFKA = bad("blind:raw", severity=Severity.TICKET)
FOLLOWS = (
    bad("blind:processed", severity=Severity.TICKET, muted_by=("blind:raw",)),
    bad("rejected:main", muted_by=("blind:raw",)),
    bad("behind:raw->processed", muted_by=("blind:raw", "blind:processed")),
    bad("down:main", muted_by=("rejected:main", "behind:")),
)


def test_kafka_down_is_one_page_and_not_five() -> None:
    """The cause speaks for all that follows from it, as loud as the worst of it."""
    (notice,) = Run().look(0, KAFKA, *FOLLOWS)
    assert (notice.key, notice.content.severity) == ("blind:raw", Severity.PAGE)
    assert set(notice.content.muted) == {one.key for one in FOLLOWS}
    told = dict(notice.content.facts)["muted, as it follows from this"]
    assert all(one.title in told for one in FOLLOWS)


def test_what_is_muted_opens_by_itself_when_its_cause_is_over() -> None:
    """And only then: while the end of the cause waits for its delay, nothing else is told."""
    run = Run(Rules(default=Rule(resolve_delay=timedelta(seconds=60))))
    run.look(0, KAFKA, *FOLLOWS)
    assert run.told(10, FOLLOWS[1]) == []
    assert run.told(69, FOLLOWS[1]) == []
    assert run.told(70, FOLLOWS[1]) == [("blind:raw", Kind.RESOLVED)]
    assert run.told(71, FOLLOWS[1]) == [("rejected:main", Kind.OPENED)]


def test_what_lags_behind_its_cause_gets_time_to_end_with_it() -> None:
    """It opens only if it holds for so long after its cause, whatever its own beginning."""
    lagging = Rule(resolve_delay=timedelta(), after_cause=timedelta(seconds=60))
    run = Run(Rules(default=Rule(resolve_delay=timedelta()), by_prefix={"rejected:": lagging}))
    run.look(0, KAFKA, FOLLOWS[1])
    assert run.told(1000, FOLLOWS[1]) == [("blind:raw", Kind.RESOLVED)]
    assert run.told(1001, FOLLOWS[1]) == []
    assert run.told(1060, FOLLOWS[1]) == []
    assert run.told(1061, FOLLOWS[1]) == [("rejected:main", Kind.OPENED)]
    gone = Run(run.rules)
    gone.look(0, KAFKA, FOLLOWS[1])
    gone.look(1000, FOLLOWS[1])
    assert gone.told(1059, FOLLOWS[1]) == []
    assert gone.told(1060) == []
    assert gone.told(5000, FOLLOWS[1]) == [("rejected:main", Kind.OPENED)]


def test_what_is_muted_and_goes_away_is_not_told() -> None:
    """It was named with its cause, and ends with it."""
    run = Run()
    run.look(0, KAFKA, *FOLLOWS)
    assert run.told(10, KAFKA) == []
    assert run.told(20) == [("blind:raw", Kind.RESOLVED)]
    assert run.state.incidents == {}


def test_a_cause_that_comes_second_ends_the_repeats_and_not_the_incident() -> None:
    """What was told before its cause was known still gets its end."""
    run = Run(Rules(default=Rule(resolve_delay=timedelta(), repeat=timedelta(seconds=60))))
    assert run.told(0, FOLLOWS[1]) == [("rejected:main", Kind.OPENED)]
    assert run.told(30, FOLLOWS[1], KAFKA) == [("blind:raw", Kind.OPENED)]
    assert run.told(70, FOLLOWS[1], KAFKA) == []
    assert run.told(80, KAFKA) == [("rejected:main", Kind.RESOLVED)]


def test_more_that_follows_is_told_of_the_cause_but_not_at_every_turn() -> None:
    """A page that joins makes a ticket a page at once; another one waits for the gap."""
    run = Run()
    run.look(0, KAFKA)
    (worse,) = run.look(1, KAFKA, FOLLOWS[1])
    assert (worse.kind, worse.content.severity) == (Kind.STILL, Severity.PAGE)
    assert run.told(2, KAFKA, FOLLOWS[1], FOLLOWS[2]) == []
    (more,) = run.look(301, KAFKA, FOLLOWS[1], FOLLOWS[2])
    assert more.content.muted == ("behind:raw->processed", "rejected:main")
    assert run.told(9999, KAFKA, FOLLOWS[1]) == []


def test_a_cause_does_not_make_a_page_wait() -> None:
    """A cause that would hold for a minute first is told at once where it explains what would be."""
    rules = Rules(
        default=AT_ONCE.default,
        by_prefix={"blind:": Rule(for_=timedelta(seconds=60), resolve_delay=timedelta())},
    )
    run = Run(rules)
    assert run.told(0, KAFKA) == []
    assert run.told(10, KAFKA, FOLLOWS[1]) == [("blind:raw", Kind.OPENED)]


def test_a_cause_that_nobody_hears_of_mutes_nothing_that_is_worse() -> None:
    """Who silenced a ticket did not ask for silence about a page."""
    run = Run(orders=Orders([Silence("blind:", at(0), at(3600), "ann")]))
    told = run.told(0, KAFKA, *FOLLOWS)
    assert sorted(told) == [("behind:raw->processed", Kind.OPENED), ("rejected:main", Kind.OPENED)]


def test_two_that_explain_each_other_are_told_once() -> None:
    """Rather than not at all, whatever their order."""
    ring = [bad("a", muted_by=("c",)), bad("b", muted_by=("a",)), bad("c", muted_by=("b",))]
    for order in permutations(ring):
        assert Run().told(0, *order) == [("a", Kind.OPENED)]


@given(st.dictionaries(st.sampled_from("abcdef"), st.frozensets(st.sampled_from("abcdef")), max_size=6))
def test_everything_is_told_or_named_by_something_that_is(edges: dict[str, frozenset[str]]) -> None:
    """Whatever explains whatever: no muted condition is without a cause that is told itself."""
    live = {key: bad(key, muted_by=tuple(sorted(causes))) for key, causes in edges.items()}
    found = muting(live, able=lambda _cause, _effect: True)
    assert all(root in live and root not in found for root in found.values())
    assert set(live) == {key for key in live if key not in found} | set(found)
    for key in live.keys() - found.keys():
        present = set(live[key].muted_by) & live.keys() - {key}
        assert all(_reaches(live_edges(live), cause, key) for cause in present), (key, found)


def live_edges(live: Mapping[str, Condition]) -> dict[str, set[str]]:
    """Key -> what explains it and is true."""
    return {key: set(one.muted_by) & live.keys() for key, one in live.items()}


def _reaches(edges: dict[str, set[str]], start: str, goal: str) -> bool:
    seen, waiting = set[str](), [start]
    while waiting:
        here = waiting.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            waiting.extend(edges[here])
    return False
