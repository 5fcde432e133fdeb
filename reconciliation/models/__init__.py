"""Tables of reconciliation, one file per thing; `locked()` querysets are the only place that locks."""

from reconciliation.models.bank_mapping import BankMapping
from reconciliation.models.discrepancy import Discrepancy, key_of
from reconciliation.models.open_item import OpenItem
from reconciliation.models.repair import Repair, RepairItem
from reconciliation.models.resolve_rule import ResolveRule
from reconciliation.models.run import StatementRun
from reconciliation.models.settlement import BankLine, Deposit, OrderTotal, Settlement
from reconciliation.models.statement import StatementChunk, StatementFile, StatementTotal
from reconciliation.models.stuck import Sighting, StuckNote

__all__ = [
    "BankLine",
    "BankMapping",
    "Deposit",
    "Discrepancy",
    "OpenItem",
    "OrderTotal",
    "Repair",
    "RepairItem",
    "ResolveRule",
    "Settlement",
    "Sighting",
    "StatementChunk",
    "StatementFile",
    "StatementRun",
    "StatementTotal",
    "StuckNote",
    "key_of",
]
