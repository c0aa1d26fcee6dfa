"""Whatever is done to the pipeline, in any order: each running audit says of every offset what is true of it.

The oracle keeps its own books of what was done.
"""

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.canary.audit.pipeline import Pipeline, Step, pipeline, places
from tests.canary.audit.test_calendar import contiguous, ranges

OPS = (
    "append",
    "consume",
    "lose",
    "replay",
    "set_back",
    "hold",
    "release",
    "forget",
    "late",
    "resend",
    "expire",
    "partition",
    "again",
    "truncate",
    "null",
    "tick",
    "restart",
)
PLANS = st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 40)), max_size=25)
BEGIN: list[Step] = [("append", 30), ("consume", 0), ("consume", 1), ("tick", 6)]

CATALOGUE: dict[str, list[Step]] = {
    "block loss": [("append", 30), ("lose", 20), ("consume", 1), ("tick", 12)],
    "skipped broken messages": [("append", 31), ("consume", 0), ("append", 32), ("consume", 0), ("tick", 12)],
    "replay": [("append", 12), ("lose", 8), ("tick", 12), ("replay", 0), ("tick", 12)],
    "a backlog of 20 minutes": [("append", 40), ("tick", 20), ("consume", 0), ("consume", 1), ("tick", 12)],
    "retention running past": [
        *(("append", 40), ("tick", 9), ("expire", 40), ("expire", 39), ("tick", 24), ("tick", 24)),
        *(("consume", 0), ("consume", 1), ("tick", 12)),
    ],
    "a position removed, and retention running past": [
        *(("append", 31), ("lose", 20), ("tick", 12), ("forget", 0), ("expire", 40), ("tick", 24)),
        *(("expire", 40), ("tick", 24), ("consume", 1)),
    ],
    "a consumer set back, and retention running past": [
        *(("append", 31), ("consume", 0), ("tick", 12), ("set_back", 40), ("expire", 40), ("tick", 24)),
        *(("expire", 40), ("tick", 24), ("consume", 1)),
    ],
    "rows held back while retention runs past": [
        *(("append", 31), ("hold", 0), ("tick", 12), ("expire", 40), ("tick", 24), ("tick", 24)),
        *(("release", 0), ("tick", 24), ("consume", 1)),
    ],
    "partitions added": [("partition", 0), ("append", 9), ("lose", 5), ("consume", 0), ("tick", 12)],
    "a topic made again": [("again", 0), ("append", 12), ("lose", 4), ("consume", 1), ("tick", 12)],
    "a topic made again while events wait": [
        *(("append", 9), ("tick", 7), ("again", 0), ("append", 9), ("tick", 7)),
        *(("consume", 0), ("consume", 1), ("tick", 12)),
    ],
    "table truncated": [("append", 12), ("consume", 0), ("consume", 1), ("truncate", 0), ("tick", 12)],
    "late rows after the closing": [
        *(("append", 30), ("lose", 20), ("consume", 1), ("tick", 12), ("late", 6), ("tick", 12)),
        *(("restart", 0), ("late", 40), ("tick", 24)),
    ],
    "lost events sent once more": [
        *(("append", 12), ("lose", 4), ("consume", 1), ("tick", 12), ("resend", 2), ("consume", 0)),
        *(("tick", 24),),
    ],
    "retention runs past a loss, then rows come": [
        *(("append", 30), ("lose", 20), ("consume", 1), ("tick", 12), ("expire", 40), ("late", 40)),
        *(("tick", 24),),
    ],
    "retention runs past a loss of a window that is open": [
        *(("append", 30), ("lose", 20), ("tick", 12), ("expire", 40), ("tick", 12), ("consume", 1)),
    ],
    "late rows of a window that is open": [
        *(("append", 30), ("lose", 20), ("tick", 12), ("late", 5), ("tick", 12), ("consume", 1)),
    ],
    "all lost of a topic made again": [
        *(("again", 0), ("append", 3), ("lose", 8), ("lose", 9), ("tick", 12)),
    ],
    "a row's offset is NULL": [("append", 12), ("consume", 0), ("consume", 1), ("null", 65), ("tick", 12)],
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_fault_by_itself(name: str) -> None:
    """After a sound beginning, with a restart behind it; nothing stays open, and no offset is left out."""
    with pipeline() as one:
        play(one, [*BEGIN, *CATALOGUE[name], ("restart", 0)])
        end(one)


@settings(max_examples=25, deadline=None)
@example([*BEGIN, ("again", 0), ("append", 3), ("again", 0), ("append", 5), ("consume", 0), ("tick", 12)])
@example([("append", 1), ("tick", 10), ("partition", 0), ("append", 5), ("lose", 2), ("tick", 12)])
@given(PLANS)
def test_any_faults_in_any_order(plan: list[Step]) -> None:
    """The same of all that can be done."""
    with pipeline() as one:
        play(one, plan)
        end(one)


def play(one: Pipeline, plan: list[Step]) -> None:
    for name, number in plan:
        getattr(one, name)(number)


def end(one: Pipeline) -> None:
    """Peace: what waits is sent on, the consumers come to the end, and all is audited once more."""
    one.release(0)
    for partition in one.world.logs:
        one.consume(partition)
    one.tick(24)
    one.tick(24)
    one.world.now += timedelta(hours=6)  # whatever is lost is due to be asked for again by then
    for _ in ranges(one.ledger, one.world):
        one.world.now += timedelta(seconds=1)
        one.step()
    windows = ranges(one.ledger, one.world)
    same = [window for window in windows if window.topic_id == str(one.world.topic_id)]
    assert contiguous(same)
    assert not [window.start for window in same if window.counts["queued"] or window.counts["not_yet"]]
    for window in same:
        assert all(
            one.books.ids[p] not in one.books.stored or not one.books.readable(p) for p in places(window)
        )
        assert places(window) <= one.books.told_lost
    assert all(standing.trouble == "" for standing in one.running.standing())
    for partition, entries in one.world.logs.items():
        assert not entries or same[-1].offsets[partition][1] == len(entries)
