"""The whole scoreboard, played on both of a small machine's cores."""

from concurrent.futures import ProcessPoolExecutor

from tests.scoreboard.clean import Day, day
from tests.scoreboard.plays import played
from tests.scoreboard.table import Row, row
from tests.virtual.faults import CATALOGUE


def play_all() -> tuple[list[Row], Day]:
    """Every fault of the catalogue, and the clean day beside them."""
    with ProcessPoolExecutor(2) as workers:
        peace = workers.submit(day)
        plays = workers.map(played, CATALOGUE)
        rows = [row(name, found) for name, found in zip(CATALOGUE, plays, strict=True)]
        return rows, peace.result()
