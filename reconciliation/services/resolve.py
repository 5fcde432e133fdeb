"""Close a discrepancy that has been explained."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from reconciliation.errors import ReasonMissing, RepairUnderWay
from reconciliation.facts import DiscrepancyView
from reconciliation.models import Discrepancy
from reconciliation.selectors import view_of


def resolve(*, discrepancy: str, actor: str, reason: str) -> DiscrepancyView:
    """This will close an investigated discrepancy for the `reason` that a person gives. It moves no money.

    Owns its transaction; locks the discrepancy. Raises `ReasonMissing`, `DiscrepancyNotFound`,
    `DiscrepancyClosed`, `NotUnderInvestigation` and `RepairUnderWay`.
    """
    if not reason.strip():
        raise ReasonMissing("say what explains the difference", param="reason")
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = Discrepancy.objects.taken_up(discrepancy)
        row.must_be_under_investigation()
        if row.repairs.under_way().exists() or row.repairs.standing().exclude(posted="").exists():
            raise RepairUnderWay(
                "A repair of it was proposed or booked: go on with that one, or take it back."
            )
        row.resolve(actor=actor, reason=reason, at=timezone.now())
        row.save(update_fields=["state", "closed_by", "closed_at", "reason"])
        return view_of(row)
