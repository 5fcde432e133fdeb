"""The console's pages of rows of the ledger."""

from ledger.admin import books, journal, rates
from ledger.admin.frame import ReadOnly, ReadOnlyAdmin, ThroughService

__all__ = ["ReadOnly", "ReadOnlyAdmin", "ThroughService", "books", "journal", "rates"]
