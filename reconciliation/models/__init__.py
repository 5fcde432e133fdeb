"""Tables of reconciliation, one file per thing; `locked()` querysets are the only place that locks."""

from reconciliation.models.discrepancy import Discrepancy, key_of
from reconciliation.models.open_item import OpenItem
from reconciliation.models.repair import Repair, RepairItem
from reconciliation.models.resolve_rule import ResolveRule
from reconciliation.models.statement import StatementChunk, StatementFile, StatementTotal
from reconciliation.models.stuck import Sighting, StuckNote

__all__ = [
    "Discrepancy",
    "OpenItem",
    "Repair",
    "RepairItem",
    "ResolveRule",
    "Sighting",
    "StatementChunk",
    "StatementFile",
    "StatementTotal",
    "StuckNote",
    "key_of",
]
