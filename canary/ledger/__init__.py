"""What is owed and what was seen, on disk."""

from canary.ledger.errors import DuplicateId, LedgerError, LedgerInUse, LedgerUnusable
from canary.ledger.ledger import Ledger
from canary.ledger.step import Step

__all__ = ["DuplicateId", "Ledger", "LedgerError", "LedgerInUse", "LedgerUnusable", "Step"]
