from django.db import transaction

from ledger import audit
from reconciliation.cases import repair_view
from reconciliation.errors import ReasonMissing, RepairNotUndoable
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, Repair
from reconciliation.services.take_back_repair import take_back_repair
from reconciliation.states import CLOSED, OUTWARD


def undo_repair(*, repair: str, actor: str, reason: str) -> RepairView:
    """This will take a repair or a forced match back: reverse what it posted, and open again what it closed.

    Only the last one that stands can be undone. Owns its transaction; locks the discrepancies by key, then the repair.
    Raises `ReasonMissing`, `RepairNotFound`, `RepairNotUndoable`, and what the ledger refuses.
    """
    if not reason.strip():
        raise ReasonMissing("Say why: the reason is kept with the repair.", param="reason")
    found = Repair.objects.by_public_id(repair)
    if found.kind in OUTWARD:
        raise RepairNotUndoable("Payments did this with the provider: nothing of it can be undone here.")
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        rows = Discrepancy.objects.with_items(found.discrepancy_id, found.item_keys())
        one = Repair.objects.locked().get(pk=found.pk)
        latest = Repair.objects.filter(discrepancy=found.discrepancy_id).standing()
        last = latest.exclude(kind__in=OUTWARD).first()
        if last is None or last.pk != one.pk:
            raise RepairNotUndoable("Only the last repair that stands can be undone: look at it again.")
        closed_at = one.done_at
        take_back_repair(repair=one, actor=actor, reason=reason.strip())
        for row in rows:
            if row.state in CLOSED and row.closed_at == closed_at:
                row.reopen(actor=actor)
                row.store()
        return repair_view(one)
