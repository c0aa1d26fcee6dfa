"""What a person sees of the stages: the status in a terminal, and the page."""

from typing import Any

import pytest

from canary.cli.show import status_tables
from canary.web.page import render


def status(*unvisited: int) -> dict[str, Any]:
    stage = {"name": "raw", "blind": "", "age_seconds": 0.5, "lag_messages": None, "skew_seconds": None}
    topic = {"partitions": 64, "partitions_visited": 64 - len(unvisited), "partitions_unvisited": unvisited}
    table = {"partitions": None, "partitions_visited": None, "partitions_unvisited": None, "reading": None}
    return {
        "instance": "main",
        "now": "2026-03-01T00:00:00Z",
        "version": "1",
        "conditions": [],
        "stages": [{**stage, **topic, "reading": "targeted"}, {**stage, **table, "name": "events"}],
        "probes": [],
        "windows": [],
        "objectives": [],
        "notes": {},
        "ledger": "",
    }


def test_partitions_that_no_canary_reaches_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A few of them in the terminal, all on the page."""
    status_tables(status(*range(3, 15)))
    shown = capsys.readouterr().out
    assert "canaries in 52 of 64 partitions (none in 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...)" in shown
    assert "52 of 64; none in 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14<" in render(status(*range(3, 15)))


def test_nothing_is_named_where_canaries_reach_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor for a table, which has no partitions."""
    status_tables(status())
    shown = capsys.readouterr().out
    assert "canaries in 64 of 64 partitions\n" in shown
    assert "events: read\n" in shown
    assert "<td>64 of 64</td>" in render(status())
