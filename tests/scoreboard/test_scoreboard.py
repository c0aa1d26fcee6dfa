"""Every fault of the catalogue, played and scored: right, and nowhere worse than what was published."""

from pathlib import Path

import pytest

from tests.scoreboard.board import play_all
from tests.scoreboard.clean import Day
from tests.scoreboard.plays import played
from tests.scoreboard.rows import ROWS
from tests.scoreboard.table import BEGINS, DOCS, ENDS, README, Row, markdown, read, summary, worse

pytestmark = pytest.mark.timeout(1500)
Board = tuple[dict[str, Row], Day]


@pytest.fixture(scope="module")
def board() -> Board:
    """Played once for all tests here, each fault at one moment only: it has to fit into a run of CI."""
    rows, peace = play_all(times=1)
    return {one.fault: one for one in rows}, peace


@pytest.mark.parametrize("name", ROWS)
def test_each_fault_is_found_and_named_and_nothing_else_is_said(
    board: Board, name: str, tmp_path: Path
) -> None:
    """No verdict that the oracle contradicts, no page that is missing, none that nothing accounts for."""
    row = board[0][name]
    if row.wrong or row.false_pages:  # played again here, for the whole path of each canary
        pytest.fail("\n".join(str(item) for play in played(name, folder=tmp_path, times=1) for item in (
            play.wrong, play.false_pages, play.missing_pages) if item))  # fmt: skip
    assert row.injected > 0


def test_no_row_is_worse_than_the_published_one(board: Board) -> None:
    """`make scoreboard` publishes; a fault that is new has no row yet, and fails here until it has."""
    published = {one.fault: one for one in read()[0]}
    assert set(published) == set(ROWS)
    assert [item for name, row in board[0].items() for item in worse(row, published[name])] == []


def test_the_readme_shows_what_was_published() -> None:
    """Word for word, between its marks; and the page for people is what the figures say."""
    between = README.read_text().partition(BEGINS)[2].partition(ENDS)[0]
    assert between.strip() == summary(*read())
    assert (DOCS / "scoreboard.md").read_text() == markdown(*read())


def test_a_clean_day_ends_without_a_false_alarm(board: Board) -> None:
    """24 hours with tails, deployments and restarts."""
    peace = board[1]
    assert (peace.hours, peace.wrong, peace.pages) == (24, (), ())
    assert peace.canaries > 17_000 * 0.95
