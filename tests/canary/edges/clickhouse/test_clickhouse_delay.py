"""The delay of real rows, asked of a real engine."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from canary.compared import TableTroubleError
from canary.edges.clickhouse import DelayTable, Settings
from canary.sandbox.clickhouse import ClickHouseFront
from tests.canary.edges.clickhouse.bench import EVENT, LINE, PASSWORD, free_port, row, wanted

pytestmark = pytest.mark.sandbox
START = datetime(2026, 3, 4, 5, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Make = Callable[..., DelayTable]


@pytest.fixture
def table(front: ClickHouseFront) -> Iterator[Make]:
    made: list[DelayTable] = []

    def make(url: str = front.url, **changed: Any) -> DelayTable:
        settings = Settings("events", url, "posthog", "events", user="canary", password=lambda: PASSWORD)
        columns = {"since": "captured_at", "until": "inserted_at", **changed}
        limit = timedelta(seconds=9)
        made.append(DelayTable(settings, canary=EVENT, late_after=limit, now=LINE.now, **columns))
        return made[-1]

    yield make
    for one in made:
        one.close()


def real(came: timedelta, *, took: float | None, **changed: object) -> dict[str, object]:
    """A row that came so long after the start and was under way for so many seconds."""
    at = START + came
    captured = None if took is None else at - timedelta(seconds=took)
    return row(wanted(), event="purchase", inserted_at=at, captured_at=captured, _timestamp=START, **changed)


def test_quantiles_are_of_the_real_rows_of_the_window(front: ClickHouseFront, table: Make) -> None:
    """Half-open by the time of insertion, however old a row is; canaries and rows without a time apart."""
    inside = [real(timedelta(seconds=n % 60), took=n / 10) for n in range(101)]
    backlog = real(timedelta(seconds=30), took=7200.0)
    odd = [real(timedelta(seconds=5), took=None), real(timedelta(seconds=5), took=-3.0)]
    outside = [real(-timedelta(microseconds=1), took=50.0), real(MINUTE, took=50.0)]
    canary = real(timedelta(seconds=5), took=99.0) | {"event": EVENT}
    front.insert("events", [*inside, backlog, *odd, *outside, canary])

    told = table().measure(START, START + MINUTE)

    assert (told.rows, told.unknown, told.negative) == (104, 1, 1)
    assert (told.late, told.late_after) == (11, timedelta(seconds=9))  # 9.1 s to 10 s, and the backlog
    assert told.seconds["max"] == 7200.0
    assert told.seconds["p50"] == pytest.approx(5.0, abs=0.2)
    assert told.seconds["p90"] == pytest.approx(9.1, abs=0.3)


def test_an_empty_window_has_no_quantiles(front: ClickHouseFront, table: Make) -> None:
    """Not zero: there is nothing to tell."""
    front.insert("events", [real(timedelta(seconds=5), took=None)])

    told = table().measure(START, START + MINUTE)

    assert (told.rows, dict(told.seconds)) == (1, {})
    assert dict(table().measure(START + MINUTE, START + 2 * MINUTE).seconds) == {}


@pytest.mark.parametrize("changed", [{"since": "no_such_column"}, {"url": f"http://127.0.0.1:{free_port()}"}])
def test_what_cannot_be_asked_is_told(table: Make, changed: dict[str, str]) -> None:
    """A column that is not there, a server that is away."""
    with pytest.raises(TableTroubleError, match="events: "):
        table(**changed).measure(START, START + MINUTE)
