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


def test_what_others_said_is_spelled_out_and_kept_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    """No colour, no mark-up of theirs; a fact of several lines stays indented."""
    wrong = {"title": "3 lost [bold]\x1b[31m", "facts": [["changed", "a: altered\nb: \x07made"]]}
    stages = [{**status()["stages"][1], "lag_messages": 1}]
    status_tables({**status(), "conditions": [wrong], "stages": stages})

    shown = capsys.readouterr().out
    assert "  3 lost [bold]\\x1b[31m\n    changed: a: altered\n      b: \\x07made\n" in shown
    assert "events: read, 1 message behind it\n" in shown


def test_what_others_said_does_nothing_on_the_page() -> None:
    """No mark-up of theirs, nothing that hides or reorders; lines stay lines."""
    wrong = {"title": "<b>3\u202e lost\x1b[31m", "facts": [["changed", "a\nb&"]], "ids": [], "diagram": ""}

    page = render({**status(), "conditions": [wrong]})

    assert "&lt;b&gt;3\\u202e lost\\x1b[31m" in page
    assert "<td>changed</td><td>a<br>b&amp;</td>" in page
