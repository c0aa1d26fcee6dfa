"""`python -m tests.scoreboard`: play every fault and a clean day, write docs/scoreboard.md and .json."""

import sys

from tests.scoreboard.board import play_all
from tests.scoreboard.table import summary, write

if __name__ == "__main__":
    rows, peace = play_all()
    write(rows, peace)
    sys.stdout.write(summary(rows, peace) + "\n")
