"""Reads of discrepancies: frozen dataclasses to others."""

from ledger.money import Money
from reconciliation.errors import DiscrepancyNotFound
from reconciliation.facts import DiscrepancyView
from reconciliation.models import Discrepancy, key_of
from reconciliation.states import DiscrepancyState


def discrepancy(public_id: str) -> DiscrepancyView:
    """The discrepancy "dis_…". Raises `DiscrepancyNotFound`."""
    row = Discrepancy.objects.filter(pk=key_of(public_id)).first()
    if row is None:
        raise DiscrepancyNotFound("there is no such discrepancy", param="discrepancy")
    return view_of(row)


def discrepancies_of(reference: str) -> list[DiscrepancyView]:
    """What was told wrongly about `reference` ("ord_…"), oldest first."""
    return [view_of(row) for row in Discrepancy.objects.filter(reference=reference).order_by("id")]


def view_of(row: Discrepancy) -> DiscrepancyView:
    return DiscrepancyView(
        id=row.public_id,
        state=DiscrepancyState(row.state),
        kind=row.kind,
        channel=row.channel,
        subject=row.subject,
        reference=row.reference,
        ours=Money(row.amount, row.currency),
        told=Money(row.told_amount, row.told_currency) if row.told_currency else None,
        at_risk=Money(row.amount_at_risk, row.currency),
        source=row.source,
        times_seen=row.times_seen,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        investigator=row.investigator,
        write_off_proposed_by=row.write_off_proposed_by,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
        reason=row.reason,
    )
