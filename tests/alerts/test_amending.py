"""What turns out otherwise is told to whoever was told of it: once, in its place, whenever it comes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.pool import StaticPool

from alerts.amending import LONGEST, MOST_PAST, amend
from alerts.blocks import render
from alerts.condition import Amendment, Kind, Notice, Severity
from alerts.delivery import Letter
from alerts.rules import Rule, Rules
from alerts.silence import Orders, Silence
from alerts.store import Store
from alerts.tables import metadata
from tests.alerts.looking import Run, at, bad

DELAY, DAY = timedelta(seconds=60), timedelta(hours=24)
RULES = Rules(
    default=Rule(resolve_delay=timedelta(seconds=10), repeat=None, amend_delay=DELAY, amendable=DAY)
)
ARRIVED = "arrived after all"


def late(number: int = 1, *, counted: float = 0, key: str = "lost", took: float | None = None) -> Amendment:
    """One that was counted then and is none any more."""
    length = None if took is None else timedelta(seconds=took)
    return Amendment(key, f"id-{number}", at(counted), at(counted + 30), ARRIVED, length)


def over(*, told: bool = True) -> Run:
    """An incident from 0 to 30 s whose end has been told."""
    run = Run(RULES)
    assert run.told(0, bad(count=5)) == ([("lost", Kind.OPENED)] if told else [])
    assert run.told(20) == []
    assert run.told(30) == [("lost", Kind.RESOLVED)]
    return run


def came(run: Run, seconds: float, *amendments: Amendment) -> None:
    """These turn out otherwise at that time."""
    run.state = amend(run.state, amendments, now=at(seconds))


def test_after_the_end_it_is_told_once_with_how_many_and_how_slow() -> None:
    """Not one by one: when no more have come for a while; then not again."""
    run = over()
    came(run, 100, late(1, took=90), late(2, took=95))
    came(run, 130, late(3, took=80))
    assert run.look(189) == []
    (notice,) = run.look(190)
    assert (notice.kind, notice.incident, notice.sequence, notice.id) == (Kind.AMENDED, 1, 3, "1.3")
    assert (notice.amended, notice.took) == (((ARRIVED, 3),), timedelta(seconds=95))
    assert (notice.ended_at, notice.over) == (at(30), True)
    assert run.look(8000) == []


def test_one_amendment_may_stand_for_many() -> None:
    """It counts as so many, once."""
    run = over()
    many = replace(late(1), count=9_000)
    came(run, 100, many, late(2))
    came(run, 110, many)
    (notice,) = run.look(190)
    assert notice.amended == ((ARRIVED, 9_001),)


def test_while_it_is_open_it_is_told_and_its_end_repeats_it() -> None:
    """The amendment is news of its own, and stands in every later message."""
    run = Run(RULES)
    run.look(0, bad(count=5))
    came(run, 5, late(1))
    (notice,) = run.look(65, bad(count=4))
    assert (notice.kind, notice.over) == (Kind.AMENDED, False)
    came(run, 70, late(2))
    run.look(71)
    (end,) = run.look(90)
    assert (end.kind, end.amended_words) == (Kind.RESOLVED, "2 arrived after all")
    assert run.look(4000) == []


def test_the_same_again_does_no_harm() -> None:
    """As it comes after a crash between the pager's writing and the ledger's."""
    run = over()
    came(run, 100, late(1))
    came(run, 101, late(1))
    run.look(170)
    came(run, 180, late(1))
    assert run.look(9000) == []
    assert run.state.past[1].amended == ((ARRIVED, 1),)


@pytest.mark.parametrize(
    "amendment",
    [
        late(counted=31),
        late(counted=-31),
        late(key="other"),
    ],
    ids=["counted after its end", "forgotten before it began", "another key"],
)
def test_what_nobody_was_told_of_is_not_amended(amendment: Amendment) -> None:
    """Only who was paged is told."""
    run = over()
    came(run, 100, amendment)
    assert run.look(9000) == []


def test_it_goes_to_the_incident_that_counted_it() -> None:
    """Of two with one key the first that was not over then."""
    run = over()
    run.look(1000, bad(count=2))
    run.look(1010)
    run.look(1020)
    came(run, 1100, late(1, counted=0), late(2, counted=1000), late(3, counted=1000))
    notices = run.look(1160)
    assert [(one.incident, one.amended) for one in notices] == [(1, ((ARRIVED, 1),)), (2, ((ARRIVED, 2),))]


def test_who_trickles_in_is_told_seldom() -> None:
    """One every ten minutes for a day makes no more than a message an hour and a few."""
    run, told = over(), 0
    for number in range(144):
        seconds = 600.0 * (number + 1)
        came(run, seconds, late(number))
        told += len(run.look(seconds + 60)) + len(run.look(seconds + 300))
    assert told <= DAY / LONGEST + 8
    told += len(run.look(600 * 145 + LONGEST.total_seconds()))
    assert run.state.past[1].told_amended == 144


def test_silence_keeps_it_back_and_loses_nothing() -> None:
    """What came within a silence is told at its end."""
    run = over()
    run.orders = Orders([Silence("lost", at(50), at(5000), "ann")])
    came(run, 100, late(1))
    assert run.look(200) == []
    assert [one.kind for one in run.look(5000)] == [Kind.AMENDED]


def test_in_a_storm_it_waits_its_turn_and_a_summary_tells_it() -> None:
    """It is counted in the messages of the hour, and comes behind what is worse."""
    run = Run(replace(RULES, per_hour=4, burst=2))
    run.look(0, *(bad(f"k{number}") for number in range(2)))
    run.look(10)
    for _ in range(3):
        run.look(40)
    came(run, 50, *(late(number, key=f"k{number}") for number in range(2)))
    notices: list[Notice] = []
    for minutes in range(1, 180):
        notices += run.look(60 * minutes, *([bad("new")] if minutes > 2 else []))
    told = [(one.kind, one.covers) for one in notices]
    amended = sum(kind is Kind.AMENDED for kind, _ in told)
    amended += sum(kind is Kind.AMENDED for _, covers in told for _, kind in covers)
    assert amended == 2


def test_it_is_forgotten_after_its_time_and_no_more_than_so_many_are_kept() -> None:
    """A day later nobody looks for them any more."""
    run = over()
    run.look(20 + DAY.total_seconds())
    assert run.state.past != {}
    run.look(31 + DAY.total_seconds())
    assert run.state.past == {}
    many = [bad(f"k{number:04}") for number in range(MOST_PAST + 10)]
    crowd = Run(replace(RULES, per_hour=60))
    for step, given_ in enumerate([many, [], [], [], []]):
        crowd.look(2_000_000 + 700 * step, *given_)
    assert len(crowd.state.past) == MOST_PAST


@pytest.mark.parametrize("resolved", [True, False])
def test_messages_say_it(resolved: bool) -> None:
    """The reply says what it is about; the first message keeps its state and its words."""
    run = over() if resolved else Run(RULES)
    if not resolved:
        run.look(0, bad(count=5))
    came(run, 40, late(1, took=100))
    (notice,) = run.look(100, *([] if resolved else [bad(count=5)]))
    reply, first = render(notice), render(notice, edited=True)
    assert reply.text == "🔵 Amended, 1 arrived after all: lost is bad"
    assert first.text == ("🟢 Resolved after 30 s: lost is bad" if resolved else "🔴 lost is bad")
    assert "1 arrived after all, the slowest after 1 min 40 s" in str(first.blocks)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.booleans()),
        st.tuples(st.just("late"), st.integers(0, 5)),
        st.just(("restart", 0)),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(STEPS)
def test_a_restart_changes_nothing_that_a_person_sees(steps: Sequence[tuple[str, int]]) -> None:
    """Whatever comes when: with and without restarts the same is told, and each canary is counted once."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    store, steady, restarted = Store(engine), Run(RULES), Run(RULES)
    told: dict[int, int] = {}
    amended: set[int] = set()
    for number, (what, value) in enumerate(steps):
        seconds = 20.0 * number
        before = restarted.state
        if what == "restart":
            restarted.state = store.load().state
            continue
        if what == "late":
            amended.add(value)
            for run in (steady, restarted):
                came(run, seconds, late(value, counted=0))
            store.save(restarted.state, [], before=before)
            continue
        found = [run.look(seconds, *([bad(count=3)] if value else [])) for run in (steady, restarted)]
        assert found[0] == found[1]
        letters = [Letter(notice, sent_at=notice.made_at) for notice in found[1]]
        store.save(restarted.state, letters, before=before)
        for notice in found[0]:
            assert told.get(notice.incident, 0) <= sum(count for _, count in notice.amended) <= len(amended)
            told[notice.incident] = sum(count for _, count in notice.amended)
    engine.dispose()


def test_what_got_worse_since_is_told_first() -> None:
    """An amendment is a note, whatever it amends."""
    run = over()
    came(run, 40, late(1))
    kinds = [one.kind for one in run.look(200, bad("new", severity=Severity.TICKET))]
    assert kinds == [Kind.OPENED, Kind.AMENDED]
