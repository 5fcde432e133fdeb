"""Write a discrepancy off, as the second person."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from reconciliation.errors import SecondPersonNeeded, WriteOffNotProposed
from reconciliation.facts import DiscrepancyView
from reconciliation.models import Discrepancy
from reconciliation.selectors import view_of


def approve_write_off(*, discrepancy: str, actor: str) -> DiscrepancyView:
    """This will close a discrepancy whose write-off somebody else proposed.

    It posts nothing: an amount that we never applied is not in the books. Owns its transaction; locks the
    discrepancy. Raises `DiscrepancyNotFound`, `DiscrepancyClosed`, `NotUnderInvestigation`,
    `WriteOffNotProposed` and `SecondPersonNeeded`.
    """
    with transaction.atomic(durable=True):
        row = Discrepancy.objects.taken_up(discrepancy)
        row.must_be_under_investigation()
        if not row.write_off_proposed_by:
            raise WriteOffNotProposed("nobody has proposed to write this off")
        if row.write_off_proposed_by == actor:
            raise SecondPersonNeeded("you proposed this write-off: somebody else must approve it")
        audit.attribute(actor=actor, reason=row.reason)
        row.write_off(actor=actor, at=timezone.now())
        row.save(update_fields=["state", "closed_by", "closed_at"])
        return view_of(row)
