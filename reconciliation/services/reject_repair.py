from django.db import transaction
from django.utils import timezone

from ledger import audit
from reconciliation.cases import repair_view
from reconciliation.errors import ReasonMissing, RepairNotWaiting
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, Repair
from reconciliation.states import RepairState


def reject_repair(*, repair: str, actor: str, reason: str) -> RepairView:
    """This will turn down a repair that waits for a second person; who proposed it may take it back so. Nothing moves.

    Owns its transaction; locks discrepancy, then repair. Raises `ReasonMissing`, `RepairNotFound`, `RepairNotWaiting`.
    """
    if not reason.strip():
        raise ReasonMissing("Say why not: the reason is kept with the repair.", param="reason")
    found = Repair.objects.by_public_id(repair)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        Discrepancy.objects.locked().get(pk=found.discrepancy_id)
        one = Repair.objects.locked().get(pk=found.pk)
        if one.state != RepairState.WAITING:
            raise RepairNotWaiting(f"Somebody decided meanwhile: this repair is {one.state}.")
        one.refuse(actor=actor, reason=reason.strip(), at=timezone.now())
        one.store()
        one.items.filter(live=True).update(live=False)
        return repair_view(one)
