"""Every fault of the sandbox, and what `canary check` makes of it: code, kind, place, counts and ids."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from canary.sandbox.handle import Handle
from tests.e2e.checking import Ran, altered, begin, check_arguments, end, peace
from tests.e2e.oracle import Truth, complaints
from tests.e2e.rows import DAMAGE, TABLE, Row

pytestmark = pytest.mark.sandbox
CORRUPT = {row.name for row in DAMAGE if row.expected.flag == "corrupt"}


@pytest.fixture(
    scope="module", params=["sandbox", pytest.param("kafka_sandbox", marks=pytest.mark.reference)]
)
def whole(request: pytest.FixtureRequest) -> Handle:
    """One pipeline after the other."""
    running = request.getfixturevalue(request.param)
    assert isinstance(running, Handle)
    return running


@pytest.fixture
def pipeline(whole: Handle) -> Iterator[Handle]:
    """A pipeline at peace, whatever the row before did to it."""
    peace(whole)
    yield whole
    whole.heal()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name.replace(" ", "-"))
def test_a_check_says_what_was_done(pipeline: Handle, row: Row) -> None:
    """The report is the truth that the faults wrote down: exit code, verdict, kinds, places, counts, ids."""
    truth = Truth(pipeline.dir)

    ran = _checked(pipeline, row)
    struck = truth.struck()
    said = complaints(ran.report, code=ran.code, sent=row.n, struck=struck, expected=row.expected)

    print(f"{row.name}: exit {ran.code} in {ran.took:.1f} s: {ran.report['summary']}")  # noqa: T201
    assert not said, "\n".join([*said, ran.report["summary"]])
    assert bool(struck) == row.strikes or row.name == "clean"
    assert ran.took < 60
    if row.name in CORRUPT:
        _names_the_damage(ran)
    if row.name == "clean":
        assert ran.took < 30


def _checked(pipeline: Handle, row: Row) -> Ran:
    config = altered(pipeline, row.name, row.changes) if row.changes else pipeline.config_path
    arguments = check_arguments(
        Path(config), "-n", str(row.n), "--grace", "4s", "--rate", "10", *row.arguments
    )
    objective = {"CANARY_CANARY__OBJECTIVE": row.objective}
    if row.later is None:
        _order(pipeline, row)
    started = time.monotonic()
    process = begin(*arguments, env=objective)
    if row.later is not None:
        timer = threading.Timer(row.later, _order, args=(pipeline, row))
        timer.start()
        ran = end(process, started)
        timer.join()
        return ran
    return end(process, started)


def _order(pipeline: Handle, row: Row) -> None:
    for one in row.faults:
        pipeline.fault(**one)


def _names_the_damage(ran: Ran) -> None:
    """A corruption is no use without what was expected and what was found."""
    for fault in ran.report["faults"]:
        assert fault["field"]
        assert fault["expected"] != fault["found"]
        assert fault["expected"]
        assert fault["found"]
        assert fault["field"] in ran.report["summary"]
