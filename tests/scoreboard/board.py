"""The whole scoreboard, played on both of a small machine's cores."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.scoreboard.clean import Day, day
from tests.scoreboard.plays import BEGINS, played
from tests.scoreboard.table import Row, row
from tests.virtual.failing import short_lived
from tests.virtual.faults import CATALOGUE
from tests.virtual.many import gently


def play_all(times: int = len(BEGINS)) -> tuple[list[Row], Day]:
    """Every fault of the catalogue so many times, and the clean day beside them."""
    with short_lived() as folder, ProcessPoolExecutor(2, initializer=gently) as workers:
        peace = workers.submit(day)
        plays = workers.map(partial(played, folder=Path(folder), times=times), CATALOGUE)
        rows = [row(name, found) for name, found in zip(CATALOGUE, plays, strict=True)]
        return rows, peace.result()
