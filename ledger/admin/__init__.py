"""The console's pages of rows of the ledger."""

from ledger.admin import books, journal, rates
from ledger.admin.frame import ReadOnly, ReadOnlyAdmin, ThroughService
from ledger.admin.words import AnyThere, OneOf, badge, names, person, spoken, unbroken

__all__ = [
    "AnyThere",
    "OneOf",
    "ReadOnly",
    "ReadOnlyAdmin",
    "ThroughService",
    "badge",
    "books",
    "journal",
    "names",
    "person",
    "rates",
    "spoken",
    "unbroken",
]
