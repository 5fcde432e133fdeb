from django.db import connection
from django.utils import timezone

from ledger.services.reverse import reverse
from reconciliation.models import OpenItem, Repair
from reconciliation.states import RepairKind


def take_back_repair(*, repair: Repair, actor: str, reason: str) -> None:
    """This will reverse what a repair posted, under `<its key>:undone`, and open again the items that it cleared.

    An operation: needs an open transaction and the lock of its discrepancy; the caller says what becomes of that.
    Raises what the ledger refuses.
    """
    assert connection.in_atomic_block, "take_back_repair() is an operation"
    if repair.posted:
        reverse(business_key=f"{repair.posting_key}:undone", of=repair.posted, reason=reason[:300])
    keys = repair.item_keys()
    if keys:
        OpenItem.objects.open_again(keys, how=RepairKind.FORCE_MATCH)
        repair.items.filter(live=True).update(live=False)
    repair.undo(actor=actor, reason=reason, at=timezone.now())
    repair.store()
