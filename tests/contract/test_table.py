"""What every table edge keeps, told once and tried on the fake and on a real ClickHouse engine."""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canary.clock import Line, SystemClock
from canary.edges.clickhouse import ClickHouseStage, Settings
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from canary.values import Look, Marks, Now, Wanted
from tests.contract.fake_table import FakeRow, FakeTable

EVENT = "ingestion_canary"
PASSWORD = "pass:word"


class Asked(Protocol):
    """What the suite needs of a table edge."""

    def next_allowed_in(self) -> timedelta: ...
    def look(self, wanted: Sequence[Wanted]) -> Look: ...
    def copies(self, wanted: Sequence[Wanted]) -> Look: ...
    def last_look(self, wanted: Sequence[Wanted]) -> Look: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Bench:
    """A table edge, a way to write what it reads, and a way to blind it."""

    table: Asked
    now: Now
    insert: Callable[[FakeRow], None]
    blind: Callable[[], None]


@pytest.fixture(scope="module")
def line() -> Line:
    return Line(SystemClock())


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def front(gate: Gate) -> Iterator[ClickHouseFront]:
    front = ClickHouseFront(gate=gate, user="canary", password=PASSWORD)
    front.start()
    yield front
    front.stop()


@pytest.fixture(params=["fake", pytest.param("clickhouse", marks=pytest.mark.sandbox)])
def bench(request: pytest.FixtureRequest, line: Line) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeTable("events", now=line.now)
        yield Bench(fake, line.now, fake.insert, lambda: setattr(fake, "blind_because", "away"))
        return
    gate: Gate = request.getfixturevalue("gate")
    front: ClickHouseFront = request.getfixturevalue("front")
    gate.set("open")
    stage = ClickHouseStage(
        Settings(
            name="events",
            url=front.url,
            user="canary",
            password=lambda: PASSWORD,
            database="posthog",
            table="events",
            timeout=timedelta(seconds=20),
            max_execution_time=timedelta(seconds=20),
            max_queries_per_second=1000,
        ),
        marks=Marks(lambda _id: True, EVENT, "canary-"),
        now=line.now,
    )
    yield Bench(stage, line.now, lambda row: front.insert("events", [_stored(row)]), lambda: gate.set("down"))
    gate.set("open")
    stage.close()


def _stored(row: FakeRow) -> dict[str, object]:
    return {
        "uuid": str(row.id),
        "event": row.event,
        "properties": json.dumps(row.properties),
        "timestamp": row.timestamp,
        "team_id": 1,
        "distinct_id": row.distinct_id,
    }


def _wanted(now: datetime, number: int = 0) -> Wanted:
    return Wanted(uuid.uuid4(), now, EVENT, f"canary-{number}")


def _row(one: Wanted) -> FakeRow:
    return FakeRow(one.id, one.event, one.distinct_id, one.sent_at, {"text": "naïve 🐤 \\ ' \t", "n": 1e2})


def test_what_is_there_is_found_with_its_content(bench: Bench) -> None:
    """A row is seen with everything that stood in it, when it was seen, and when it came."""
    one = _wanted(bench.now())
    bench.insert(_row(one))
    inserted = bench.now()
    look = bench.table.look([one])
    [found] = look.sightings
    assert (look.blind, found.id, found.stage, found.side) == ("", one.id, "events", "")
    assert found.content is not None
    assert (found.content.event, found.content.distinct_id) == (EVENT, "canary-0")
    assert found.content.timestamp == one.sent_at
    assert found.content.properties == _row(one).properties
    assert look.started_at <= found.seen_at <= look.ended_at
    assert found.at is not None
    assert one.sent_at - timedelta(seconds=1) <= found.at <= inserted + timedelta(seconds=1)


def test_what_is_not_there_is_covered(bench: Bench) -> None:
    """An id that was asked for and not found is covered to the start of the look."""
    before, one = bench.now(), _wanted(bench.now())
    look = bench.table.look([one])
    assert (look.blind, list(look.asked), look.sightings) == ("", [one.id], ())
    assert before <= look.started_at <= look.ended_at


def test_the_look_that_missed_it_bounds_its_arrival(bench: Bench) -> None:
    """A row that came between two looks was not there before the start of the first."""
    one = _wanted(bench.now())
    first = bench.table.look([one])
    bench.insert(_row(one))
    [found] = bench.table.look([one]).sightings
    assert found.not_before == first.started_at


def test_others_rows_are_no_answer(bench: Bench) -> None:
    """Only what was asked for comes back, and nothing asked means nothing done."""
    one, other = _wanted(bench.now()), _wanted(bench.now(), 1)
    bench.insert(_row(other))
    assert bench.table.look([one]).sightings == ()
    nothing = bench.table.look([])
    assert (nothing.asked, nothing.blind) == ((), "")


def test_identical_rows_will_merge(bench: Bench) -> None:
    """A second row with the same key is another row, and says that a merge will remove it."""
    one = _wanted(bench.now())
    bench.insert(_row(one))
    [first] = bench.table.look([one]).sightings
    bench.insert(_row(one))
    copies = bench.table.copies([one]).sightings
    assert len({copy.row for copy in copies}) == 2
    assert first.row in {copy.row for copy in copies}
    assert [copy.mergeable for copy in copies if copy.row != first.row] == [True]


@pytest.mark.parametrize("days", [3, 45])
def test_a_copy_on_another_day_is_for_ever(bench: Bench, days: int) -> None:
    """No look sees it, copies do, and it is told from what a merge removes, in whatever partition."""
    one = _wanted(bench.now())
    bench.insert(_row(one))
    bench.insert(replace(_row(one), timestamp=one.sent_at + timedelta(days=days)))
    [first] = bench.table.look([one]).sightings
    copies = bench.table.copies([one]).sightings
    assert [copy.mergeable for copy in copies if copy.row != first.row] == [False]


def test_a_copy_by_another_name_is_a_copy(bench: Bench) -> None:
    """One of them was spoilt on its way: no look sees it, copies do."""
    one = _wanted(bench.now())
    bench.insert(replace(_row(one), event="ingestion_canarY"))
    bench.insert(_row(one))
    [first] = bench.table.look([one]).sightings
    copies = bench.table.copies([one]).sightings
    assert {copy.content.event for copy in copies if copy.content} == {"ingestion_canarY", one.event}
    assert [copy.mergeable for copy in copies if copy.row != first.row] == [False]


@pytest.mark.parametrize(
    "mangle",
    [
        lambda row: replace(row, event="ingestion_canarY"),
        lambda row: replace(row, timestamp=row.timestamp.replace(year=2299, month=12, day=31)),
    ],
    ids=["event", "timestamp"],
)
def test_the_last_look_finds_what_lies_elsewhere(bench: Bench, mangle: Callable[[FakeRow], FakeRow]) -> None:
    """A row with a wrong event or day is missed by a look, and found, marked, by the last one."""
    one = _wanted(bench.now())
    bench.insert(mangle(_row(one)))
    assert bench.table.look([one]).sightings == ()
    look = bench.table.last_look([one])
    [found] = look.sightings
    assert (found.id, found.side, list(look.asked)) == (one.id, "last_look", [one.id])


def test_last_looks_have_a_budget(bench: Bench) -> None:
    """The second one in a moment is refused, covers nothing and says so."""
    one = _wanted(bench.now())
    assert bench.table.last_look([one]).blind == ""
    look = bench.table.last_look([one])
    assert look.blind.startswith("over budget: ")
    assert (look.asked, look.sightings) == ((), ())


def test_a_blind_look_covers_nothing(bench: Bench) -> None:
    """When the table cannot be asked the reason is one line and no id counts as asked, nor as missed."""
    one = _wanted(bench.now())
    bench.blind()
    for ask in (bench.table.look, bench.table.copies, bench.table.last_look):
        look = ask([one])
        assert look.blind
        assert "\n" not in look.blind
        assert (look.asked, look.sightings) == ((), ())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["insert", "again", "look", "copies"]), max_size=8))
def test_coverage_never_lies(bench: Bench, steps: list[str]) -> None:
    """Whatever the order of inserts and looks: a row inserted before a look's start is in its answer."""
    one, inserted = _wanted(bench.now()), 0
    for step in steps:
        if step in ("insert", "again"):
            bench.insert(_row(one))
            inserted += 1
            continue
        look = bench.table.look([one]) if step == "look" else bench.table.copies([one])
        assert list(look.asked) == [one.id]
        rows: set[str] = {found.row for found in look.sightings}
        assert len(rows) == len(look.sightings) == inserted
