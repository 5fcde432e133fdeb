"""The ledger's tables. Nobody outside this app opens them."""

from ledger.models.audit import AuditEntry, AuditSeal
from ledger.models.books import Account, BalanceSnapshot, Entry, Transaction

__all__ = ["Account", "AuditEntry", "AuditSeal", "BalanceSnapshot", "Entry", "Transaction"]
