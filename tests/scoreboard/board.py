"""The scoreboard, played on both of a small machine's cores."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.scoreboard.clean import Day, day
from tests.scoreboard.plays import BEGINS, played
from tests.scoreboard.rows import ROWS
from tests.scoreboard.table import Row, row
from tests.virtual.failing import short_lived
from tests.virtual.many import gently


def play_all(times: int = len(BEGINS)) -> tuple[list[Row], Day]:
    """Every row's fault so many times, and the clean day beside them."""
    with short_lived() as folder, ProcessPoolExecutor(2, initializer=gently) as workers:
        peace = workers.submit(day)
        plays = workers.map(partial(played, folder=Path(folder), times=times), ROWS)
        rows = [row(name, found) for name, found in zip(ROWS, plays, strict=True)]
        return rows, peace.result()


def play_some(names: Sequence[str], published: Sequence[Row]) -> list[Row]:
    """These rows again and all the others as they were published; a row that is new has to be among them."""
    with short_lived() as folder, ProcessPoolExecutor(2, initializer=gently) as workers:
        plays = workers.map(partial(played, folder=Path(folder)), names)
        known = {one.fault: one for one in published}
        known |= {name: row(name, found) for name, found in zip(names, plays, strict=True)}
        return [known[name] for name in ROWS]
