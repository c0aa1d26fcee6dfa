"""`python -m tests.scoreboard [ROW...]`: plays every fault and a clean day, writes docs/scoreboard.*.

With rows named, only those are played again; what was published of the others stays.
"""

import sys

from tests.scoreboard.board import play_all, play_some
from tests.scoreboard.table import read, summary, write

if __name__ == "__main__":
    if sys.argv[1:]:
        published, peace = read()
        rows = play_some(sys.argv[1:], published)
    else:
        rows, peace = play_all()
    write(rows, peace)
    sys.stdout.write(summary(rows, peace) + "\n")
