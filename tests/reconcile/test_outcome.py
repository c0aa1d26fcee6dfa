"""Which outcome may become which, and what several tries say together: every case there is."""

from itertools import product

import pytest

from reconcile.outcome import ARRIVED, FINAL, INGRESS, Flag, Outcome, Receipt, combined, may_become

OPEN = {Outcome.PENDING, Outcome.OVERDUE, Outcome.UNREAD}


@pytest.mark.parametrize(("old", "new"), list(product(Outcome, Outcome)))
def test_what_may_be_amended(old: Outcome, new: Outcome) -> None:
    """The open ones to anything but pending; what is final only to an arrival; nothing un-arrives."""
    lawful = new not in (old, Outcome.PENDING) if old in OPEN else old not in ARRIVED and new in ARRIVED
    assert may_become(old, new) == lawful


def test_the_final_ones() -> None:
    """All but what still waits."""
    assert set(Outcome) - OPEN == FINAL
    assert {Outcome.ON_TIME, Outcome.LATE} == ARRIVED


@pytest.mark.parametrize("receipts", [list(group) for n in (1, 2, 3) for group in product(Receipt, repeat=n)])
def test_several_tries_are_as_good_as_their_best(receipts: list[Receipt]) -> None:
    """Accepted before unknown before refused."""
    order = [Receipt.ACCEPTED, Receipt.UNKNOWN, Receipt.REFUSED]
    assert combined(receipts) is min(receipts, key=order.index)


def test_the_words_are_those_that_ledgers_and_dashboards_know() -> None:
    """They stand in rows and labels that nobody writes again."""
    assert [*Outcome] == [
        "rejected",
        "undelivered",
        "on_time",
        "late",
        "pending",
        "overdue",
        "lost",
        "unread",
    ]
    assert [*Flag] == ["duplicated", "corrupt", "out_of_order", "detoured", "time_unknown"]
    assert [*Receipt] == ["accepted", "refused", "unknown"]
    assert INGRESS == "ingress"
