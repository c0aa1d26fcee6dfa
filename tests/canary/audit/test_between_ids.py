"""Whether the ids of two topics match at all: until that was seen, a sample proves no loss."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.canary.audit.test_between import Lab


def test_ids_that_never_matched_prove_no_loss() -> None:
    """The earlier topic's records have other ids: nothing is lost, and it is told until one is found."""
    lab = Lab()
    lab.put(0, 20, lose=tuple(range(20)))
    for number in range(1000, 1020):
        lab.processed.put(UUID(int=number))
    lab.run(timedelta(minutes=31))
    report = lab.heard.windows[0].report

    assert (report["unread"], report["lost"], lab.heard.windows[0].verdict) == (20, 0, "unknown")
    assert "no id of a sample was ever found" in lab.heard.trouble
    for number in range(20, 90):  # some of them fall into a sample
        lab.put(number, 1)
        lab.run(timedelta(seconds=1))
    assert lab.heard.trouble == ""


@pytest.mark.parametrize("before", [False, True])
def test_ids_that_matched_in_an_earlier_run_match_now(before: bool) -> None:
    """So all of a sample may be lost."""
    lab = Lab()
    if before:
        lab.put(0, 5)
        lab.run(timedelta(seconds=10))
    lab.start(lab.heard.windows)
    lab.put(100, 5, lose=tuple(range(100, 105)))
    lab.run(timedelta(minutes=31))

    assert (lab.value("lost"), lab.value("unread")) == ((5, 0) if before else (0, 5))
