from django.db import transaction

from ledger import audit
from reconciliation.cases import repair_view
from reconciliation.errors import RepairNotWaiting, SecondPersonNeeded
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, Repair
from reconciliation.services.carry_out_repair import carry_out_repair
from reconciliation.states import RepairState


def approve_repair(*, repair: str, actor: str, reason: str = "") -> RepairView:
    """This will agree, as a second person, to a repair that waits, and carry it out.

    Owns its transaction; locks discrepancies, then the repair. Raises `RepairNotFound`, `RepairNotWaiting`,
    `SecondPersonNeeded` for whoever proposed it, `DiscrepancyClosed`, `RepairNotOffered`, `ItemsDoNotMatch`, and what
    the ledger refuses.
    """
    found = Repair.objects.by_public_id(repair)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason or found.reason)
        row, *_ = Discrepancy.objects.with_items(found.discrepancy_id, found.item_keys())
        one = Repair.objects.locked().get(pk=found.pk)
        if one.state != RepairState.WAITING:
            raise RepairNotWaiting(f"Somebody decided meanwhile: this repair is {one.state}.")
        if one.proposed_by == actor:
            raise SecondPersonNeeded("You proposed this yourself: a second person has to approve it.")
        row.must_be_open()
        one.approve(actor=actor)
        carry_out_repair(row=row, repair=one)
        return repair_view(one)
