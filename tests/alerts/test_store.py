"""The store gives back what was saved, and saves all of a step or nothing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from alerts.condition import Condition, Kind, Severity
from alerts.delivery import Letter, Receipt
from alerts.policy import decide
from alerts.rules import Rule, Rules
from alerts.state import State
from alerts.store import Store, StoreError
from alerts.tables import metadata, outbox

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
RULES = Rules(default=Rule(resolve_delay=timedelta()), per_hour=4)
ODD = Condition(
    "a",
    Severity.TICKET,
    "strange ‮ text \ud800 <!channel>",
    facts=(("what", "\x00\n"),),
    diagram="a -x- b",
    commands=("show it",),
    count=3,
    ids=("1", "2"),
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A fresh file with the tables."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'file.db'}", poolclass=NullPool)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_an_empty_store_is_a_fresh_start(engine: sa.Engine) -> None:
    """Without rows there is an empty state, and numbers start at 1."""
    kept = Store(engine).load()
    assert (kept.state, kept.owed, dict(kept.threads)) == (State(), (), {})


def test_gives_back_what_was_saved(engine: sa.Engine) -> None:
    """State, letters and all their content come back as they were, to the microsecond."""
    store = Store(engine)
    state, notices = decide(State(), [ODD], now=NOW, rules=RULES)
    later = NOW + timedelta(seconds=7)
    letter = Letter(notices[0], attempts=2, uncertain=True, next_try_at=later, error="no")
    store.save(state, [letter], before=State())
    kept = store.load()
    assert kept.state == state
    assert kept.owed == (letter,)


def test_remembers_the_limit_and_the_numbers(engine: sa.Engine) -> None:
    """After a restart the hour's messages still count, and no number is given twice."""
    store = Store(engine)
    many = [Condition(f"k{n}", Severity.PAGE, "bad") for n in range(9)]
    state, notices = decide(State(), many, now=NOW, rules=RULES)
    assert [notice.kind for notice in notices] == [Kind.OPENED, Kind.OPENED, Kind.SUMMARY]
    store.save(state, [Letter(notice, sent_at=NOW) for notice in notices], before=State())
    assert store.load().state == state


def test_forgets_what_is_over_and_keeps_the_thread_of_what_is_not(engine: sa.Engine) -> None:
    """A resolved incident leaves the state; an open one keeps the place of its first message."""
    store = Store(engine)
    first, opened = decide(State(), [ODD], now=NOW, rules=RULES)
    store.save(
        first, [Letter(opened[0], sent_at=NOW, receipt=Receipt("C1", "1.5"), way="slack")], before=State()
    )
    assert store.load().threads == {(1, "slack"): Receipt("C1", "1.5")}
    second, ended = decide(first, [], now=NOW + timedelta(hours=1), rules=RULES)
    store.save(second, [Letter(ended[0])], before=first)
    kept = store.load()
    assert kept.state.incidents == {}
    assert [letter.notice for letter in kept.owed] == list(ended)
    assert kept.threads == {(1, "slack"): Receipt("C1", "1.5")}


def test_saving_twice_does_no_harm(engine: sa.Engine) -> None:
    """An answer of the database that was lost may be followed by the same save."""
    store = Store(engine)
    state, notices = decide(State(), [ODD], now=NOW, rules=RULES)
    for _ in range(2):
        store.save(state, [Letter(notices[0])], before=State())
    assert store.load().owed == (Letter(notices[0]),)


def test_a_save_that_fails_half_way_leaves_nothing(engine: sa.Engine) -> None:
    """The state and the letters stand or fall together, and the error says why."""
    store = Store(engine)
    state, notices = decide(State(), [ODD], now=NOW, rules=RULES)
    with engine.begin() as db:
        db.execute(sa.text("DROP TABLE alert_outbox"))
    with pytest.raises(StoreError, match=r"^no such table: alert_outbox$"):
        store.save(state, [Letter(notices[0])], before=State())
    with engine.begin() as db:
        assert db.execute(sa.text("SELECT count(*) FROM alert_incidents")).scalar() == 0


def test_a_row_that_makes_no_sense_is_an_error_that_says_so(engine: sa.Engine) -> None:
    """A body that somebody spoilt is named as such, with no more of it than the parser's words."""
    store = Store(engine)
    state, notices = decide(State(), [ODD], now=NOW, rules=RULES)
    store.save(state, [Letter(notices[0])], before=State())
    with engine.begin() as db:
        db.execute(outbox.update().values(body='{"id": 1}'))
    with pytest.raises(StoreError, match="a row cannot be understood"):
        store.load()


def test_prunes_what_is_done_and_old_only(engine: sa.Engine) -> None:
    """What is owed, what belongs to an open incident, and the last number are never pruned."""
    store, state = Store(engine), State()
    rules = Rules(default=Rule(resolve_delay=timedelta()))
    for step, conditions in enumerate([[ODD], [], [ODD], [], [ODD]]):
        now, before = NOW + timedelta(minutes=step), state
        state, notices = decide(state, conditions, now=now, rules=rules)
        letters = [Letter(notice, sent_at=None if step == 3 else now) for notice in notices]
        store.save(state, letters, before=before)
    assert store.prune(NOW) == 0
    assert store.prune(NOW + timedelta(days=1), limit=1) == 1
    assert store.prune(NOW + timedelta(days=1)) == 2
    with engine.begin() as db:
        left = db.execute(sa.select(outbox.c.id).order_by(outbox.c.number)).scalars().all()
    assert left == ["2.2", "3.1"]
    assert store.load().state.next_number == 4


def test_the_owner_may_guard_every_transaction(engine: sa.Engine) -> None:
    """Where the owner gives its own way to begin, no other is used."""
    begun: list[int] = []

    def begin() -> AbstractContextManager[sa.Connection]:
        begun.append(1)
        return engine.begin()

    store = Store(engine, begin=begin)
    store.save(State(), [], before=State())
    store.load()
    assert len(begun) == 2
