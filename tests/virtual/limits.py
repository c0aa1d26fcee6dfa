"""The terms, as the monitor is told them."""

from datetime import timedelta

from reconcile.compare import Limits
from tests.virtual.terms import Terms


def limits(terms: Terms) -> Limits:
    """The same in the words of the rules."""
    return Limits(
        objective=timedelta(seconds=terms.objective),
        patience=timedelta(seconds=terms.patience),
        lost_after=timedelta(seconds=terms.lost_after),
        resolution=timedelta(seconds=terms.resolution),
    )
