"""Propose to give an amount up."""

from django.db import transaction

from ledger import audit
from reconciliation.errors import ReasonMissing
from reconciliation.facts import DiscrepancyView
from reconciliation.models import Discrepancy
from reconciliation.selectors import view_of


def propose_write_off(*, discrepancy: str, actor: str, reason: str) -> DiscrepancyView:
    """This will ask for a second person's approval to write an investigated discrepancy off.

    Owns its transaction; locks the discrepancy. Raises `ReasonMissing`, `DiscrepancyNotFound`,
    `DiscrepancyClosed` and `NotUnderInvestigation`.
    """
    if not reason.strip():
        raise ReasonMissing("say why the amount is given up", param="reason")
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = Discrepancy.objects.taken_up(discrepancy)
        row.must_be_under_investigation()
        row.propose_write_off(actor=actor, reason=reason)
        row.save(update_fields=["write_off_proposed_by", "reason"])
        audit.record(
            action="discrepancy.write_off_proposed", object_id=row.public_id, after=row.amount_at_risk
        )
        return view_of(row)
