"""Close a discrepancy that has been explained."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from reconciliation.errors import ReasonMissing
from reconciliation.facts import DiscrepancyView
from reconciliation.models import Discrepancy
from reconciliation.selectors import view_of


def resolve(*, discrepancy: str, actor: str, reason: str) -> DiscrepancyView:
    """This will close an investigated discrepancy for the `reason` that a person gives. It moves no money.

    Owns its transaction; locks the discrepancy. Raises `ReasonMissing`, `DiscrepancyNotFound`,
    `DiscrepancyClosed` and `NotUnderInvestigation`.
    """
    if not reason.strip():
        raise ReasonMissing("say what explains the difference", param="reason")
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = Discrepancy.objects.taken_up(discrepancy)
        row.must_be_under_investigation()
        row.resolve(actor=actor, reason=reason, at=timezone.now())
        row.save(update_fields=["state", "closed_by", "closed_at", "reason"])
        return view_of(row)
