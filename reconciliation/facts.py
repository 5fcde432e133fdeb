"""What reconciliation tells others. Pure."""

from dataclasses import dataclass
from datetime import datetime

from ledger.money import Money
from reconciliation.states import DiscrepancyState


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyView:
    """`subject` is the payment, `reference` what it pays. `told` is None when they named no amount."""

    id: str  # dis_…
    state: DiscrepancyState
    kind: str
    channel: str
    subject: str
    reference: str
    ours: Money
    told: Money | None
    at_risk: Money
    source: str
    times_seen: int
    first_seen_at: datetime
    last_seen_at: datetime
    investigator: str
    write_off_proposed_by: str
    closed_by: str
    closed_at: datetime | None
    reason: str
