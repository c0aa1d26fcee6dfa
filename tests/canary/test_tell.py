"""The daemon's log: a line is a line, and the demo shows each as it is."""

import logging

from alerts.condition import Condition, Severity
from canary.cli.demo import relayed
from canary.cli.tell import OneLine, facts_line


def logged(message: str) -> str:
    record = logging.LogRecord("canary", logging.WARNING, "", 0, "OPEN %s", (message,), None)
    return OneLine("%(levelname)s %(name)s: %(message)s").format(record)


def test_what_others_wrote_ends_no_line_of_the_log() -> None:
    """Nor does it colour the terminal: nobody can write a line that looks like ours."""
    told = logged("a\n2026-01-01 00:00:00,000 INFO canary: ok \x1b[31m\u2028")

    assert told == ("WARNING canary: OPEN a\\n2026-01-01 00:00:00,000 INFO canary: ok \\x1b[31m\\u2028")


def test_a_fact_of_several_lines_stands_on_one() -> None:
    """As the newest changes do."""
    facts = (
        ("lost", "3"),
        ("changed shortly before", "5 s before it: a: altered\n9 s before it: b: altered"),
    )
    item = Condition("lost:a->b", Severity.PAGE, "3 lost", facts=facts, ids=("x",))

    assert facts_line(item) == (
        " (lost: 3; changed shortly before: 5 s before it: a: altered, 9 s before it: b: altered; ids: x)"
    )


def test_the_demo_leaves_out_date_and_level_and_nothing_else() -> None:
    """Also of a traceback's lines, which are none of the log's."""
    assert relayed("2026-01-01 10:00:01,123 INFO canary: watching a -> b") == "10:00:01 watching a -> b"
    assert relayed("2026-01-01 10:00:01,123 WARNING alerts.pager: x y") == "10:00:01 alerts.pager: x y"
    assert relayed("    raise ValueError from what it was") == "    raise ValueError from what it was"
