"""The policy as a state machine: whatever happens, nobody is told twice and nothing is lost."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy.pool import StaticPool

from alerts.amending import amend
from alerts.condition import Amendment, Condition, Kind, Notice, Severity
from alerts.delivery import Letter
from alerts.rules import Rule, Rules
from alerts.silence import Ack, Orders, Silence
from alerts.state import State
from alerts.store import Store
from alerts.tables import metadata
from tests.alerts.looking import Run, at

KEYS = ("a:1", "a:2", "b:1", "b:2", "c")
CONDITIONS = st.builds(
    Condition,
    key=st.sampled_from(KEYS),
    severity=st.sampled_from(Severity),
    title=st.just("bad"),
    count=st.integers(0, 30),
    considered=st.sampled_from([0, 30]),
    muted_by=st.sampled_from([(), (), ("c",), ("a:",), ("b:1",)]),
    group=st.sampled_from(["", "", "", "g"]),
)
RULES = st.builds(
    Rules,
    default=st.builds(
        Rule,
        for_=st.sampled_from([timedelta(), timedelta(seconds=90)]),
        after_cause=st.sampled_from([timedelta(), timedelta(seconds=60)]),
        repeat=st.sampled_from([None, timedelta(seconds=120), timedelta(hours=1)]),
        resolve_delay=st.sampled_from([timedelta(), timedelta(seconds=60)]),
        growth=st.just(2.0),
        growth_gap=st.just(timedelta(seconds=30)),
        open_at=st.sampled_from([None, 0.5]),
        close_at=st.sampled_from([None, 0.1]),
        amendable=st.just(timedelta(hours=24)),
        amend_delay=st.sampled_from([timedelta(), timedelta(seconds=60)]),
        min_bad=st.sampled_from([0, 3]),
        thin=st.sampled_from([None, Severity.TICKET]),
    ),
    per_hour=st.sampled_from([1, 3, 7, 60]),
    burst=st.sampled_from([None, 1, 3]),
)
LOOK = st.lists(CONDITIONS, max_size=6)


class Paging(RuleBasedStateMachine):
    """Two policies see the same; one of them forgets everything but its database again and again."""

    @initialize(rules=RULES)
    def start(self, rules: Rules) -> None:
        """Both begin with nothing."""
        self.now = 0.0
        self.steady, self.restarted = Run(rules), Run(rules)
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        metadata.create_all(self.engine)
        self.store = Store(self.engine)
        self.silences: list[Silence] = []
        self.acks: list[Ack] = []
        self.made: list[Notice] = []
        self.keys: dict[int, str] = {}
        self.said: dict[int, list[Kind]] = defaultdict(list)

    def teardown(self) -> None:
        """Quiet ends, all is well for long enough: whatever opened has been told, with its end."""
        if not hasattr(self, "engine"):
            return
        self.silences = [replace(one, ends_at=min(one.ends_at, at(self.now))) for one in self.silences]
        for _ in range(6):
            self.look([], frozenset(), 3600.0)
        assert self.steady.state.incidents == {}
        for number in self.keys:
            story = self.said[number]
            assert story[:1] == [Kind.OPENED], (number, story)
            assert story[-1] is Kind.RESOLVED, (number, story)
        for number, one in self.steady.state.past.items():
            assert one.told_amended == one.amended_count, number
        self.engine.dispose()

    @rule(
        conditions=LOOK,
        unknown=st.frozensets(st.sampled_from(KEYS), max_size=2),
        step=st.sampled_from([0.5, 30.0, 61.0, 400.0, 3600.0]),
    )
    def look(self, conditions: list[Condition], unknown: frozenset[str], step: float) -> None:
        """Time goes on, and somebody looks."""
        self.now += step
        told = []
        for run in (self.steady, self.restarted):
            run.orders = Orders(list(self.silences), list(self.acks))
            before = run.state
            told.append(run.look(self.now, *conditions, unknown=unknown))
            if run is self.restarted:
                letters = [Letter(notice, sent_at=notice.made_at) for notice in told[-1]]
                self.store.save(run.state, letters, before=before)
        assert told[0] == told[1]
        self._learn(told[0])

    @rule()
    def restart(self) -> None:
        """Only what is in the database is left."""
        self.restarted.state = self.store.load().state

    @precondition(lambda self: self.keys)
    @rule(data=st.data(), ago=st.sampled_from([0.0, 60.0, 4000.0]), name=st.sampled_from("xyz"))
    def amend(self, data: st.DataObject, ago: float, name: str) -> None:
        """Something that was told, perhaps long ago, turns out otherwise."""
        key = data.draw(st.sampled_from(sorted({*self.keys.values(), *KEYS})))
        counted = at(self.now - ago)
        news = Amendment(key, name, counted, counted + timedelta(seconds=90), "arrived after all")
        self.steady.state = amend(self.steady.state, [news], now=at(self.now))
        before = self.restarted.state
        self.restarted.state = amend(before, [news], now=at(self.now))
        self.store.save(self.restarted.state, [], before=before)

    @rule(prefix=st.sampled_from(["", "a:", "c", "g"]), length=st.sampled_from([10.0, 700.0, 5000.0]))
    def silence(self, prefix: str, length: float) -> None:
        """Somebody asks for quiet."""
        number = len(self.silences) + 1
        self.silences.append(Silence(prefix, at(self.now), at(self.now + length), "ann", "", number))

    @precondition(lambda self: self.silences)
    @rule()
    def speak(self) -> None:
        """The last silence is taken back."""
        last = self.silences[-1]
        self.silences[-1] = replace(last, ends_at=min(last.ends_at, at(self.now)))

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """Somebody takes an incident in hand, perhaps one that is over."""
        incident = data.draw(st.sampled_from(sorted(self.keys)))
        self.acks.append(Ack(len(self.acks) + 1, incident, "bob"))

    def _learn(self, notices: list[Notice]) -> None:
        state: State = self.steady.state
        self.keys |= {one.number: key for key, one in state.incidents.items() if one.number}
        self.keys |= {one.incident: one.key for one in notices if one.kind is not Kind.SUMMARY}
        quiet = Orders(self.silences).at(at(self.now))
        for number, kind in _spoken(notices):
            if kind is Kind.AMENDED:  # only after an opening, whatever else was told meanwhile
                assert self.said[number], number
            else:
                self.said[number].append(kind)
            key = self.keys.get(number)
            assert key is None or quiet.silence(key) is None, f"{key} was told within a silence"
        self.made += notices
        self._check()

    def _check(self) -> None:
        open_: Counter[str] = Counter()
        for number, story in self.said.items():
            assert story[0] is Kind.OPENED
            assert story.count(Kind.OPENED) == 1
            assert Kind.RESOLVED not in story[:-1]
            open_[self.keys.get(number, f"passed {number}")] += story[-1] is not Kind.RESOLVED
        assert max(open_.values(), default=0) <= 1, open_
        recent = [one for one in self.made if one.made_at > at(self.now) - timedelta(hours=1)]
        assert len(recent) <= self.steady.rules.per_hour
        self._still_true_is_told()

    def _still_true_is_told(self) -> None:
        """After a look nobody is owed an opening, but for quiet, for a cause, or for want of room."""
        room = len([one for one in self.made if one.made_at > at(self.now) - timedelta(hours=1)])
        if room:
            return
        quiet = Orders(self.silences).at(at(self.now))
        owed = [
            key
            for key, one in self.steady.state.incidents.items()
            if one.open and not one.told and quiet.silence(key) is None
        ]
        assert owed == []


def _spoken(notices: list[Notice]) -> Iterator[tuple[int, Kind]]:
    for notice in notices:
        yield from notice.covers if notice.kind is Kind.SUMMARY else ((notice.incident, notice.kind),)


TestPaging = Paging.TestCase
TestPaging.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
