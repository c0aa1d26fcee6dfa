"""What the database and its rows can refuse, told as the ledger's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from canary.ledger.errors import LedgerError


@contextmanager
def named() -> Iterator[None]:
    """What the database refuses, as a `LedgerError`."""
    try:
        yield
    except DBAPIError as error:
        raise LedgerError(str(error.orig)) from error
    except (PoolTimeoutError, TimeoutError) as error:
        raise LedgerError(str(error)) from error


@contextmanager
def understood() -> Iterator[None]:
    """What somebody else wrote into our rows is no bug of ours, and no reason to fall over."""
    try:
        yield
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        raise LedgerError(f"a row cannot be understood: {error!r}") from error
