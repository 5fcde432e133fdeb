"""The ledger's tables. Nobody outside this app opens them."""

from ledger.models.audit import AuditEntry, AuditSeal
from ledger.models.books import Account, BalanceSnapshot, Entry, Transaction, Unfinished
from ledger.models.days import DayBalance, DayClose, DayTotal
from ledger.models.rates import FxRate

__all__ = [
    "Account",
    "AuditEntry",
    "AuditSeal",
    "BalanceSnapshot",
    "DayBalance",
    "DayClose",
    "DayTotal",
    "Entry",
    "FxRate",
    "Transaction",
    "Unfinished",
]
