"""What can go wrong with the ledger, in words for the person who runs it. Imports nothing heavy."""


class LedgerError(Exception):
    """The ledger could not be read or written just now; what it holds is as it was before the step."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"ledger: {reason}")
        self.reason = reason


class LedgerInUse(LedgerError):  # noqa: N818
    """Another process holds the ledger."""


class LedgerUnusable(LedgerError):  # noqa: N818
    """The ledger cannot be opened as it is, and was left alone."""


class DuplicateId(LedgerError):  # noqa: N818
    """An id was to be sent that the ledger already owes."""
