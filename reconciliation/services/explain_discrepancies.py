from django.db import connection
from django.db.models import Q
from django.utils import timezone

from reconciliation.models import Discrepancy, Repair
from reconciliation.models.discrepancy import DiscrepancyQuerySet
from reconciliation.services.take_back_repair import take_back_repair
from reconciliation.states import CLOSED, OUTWARD, DiscrepancyState, RepairState

_SYSTEM = "system"


def explain_discrepancies(*, rows: DiscrepancyQuerySet, reason: str) -> int:
    """This will close as "system" what a file, or our books, explain by now; `reason` names the file.

    To be called in the transaction that cleared their open items or put a corrected file in the place of theirs. What
    was posted for them meanwhile (suspense, fees, write-offs) is reversed, a match by hand is taken apart, and what
    waits for a second person is turned down. Needs an open transaction; what nobody touched is one statement, the
    others are locked by key. Calling it again changes nothing. Returns how many it closed.
    """
    assert connection.in_atomic_block, (
        "explain_discrepancies() belongs to the transaction of what explains them"
    )
    explained = rows.explain_open(actor=_SYSTEM, reason=reason, at=timezone.now())
    posted = Repair.objects.standing().exclude(posted="")
    settled = Q(state=DiscrepancyState.RESOLVED.value) & ~Q(pk__in=posted.values("discrepancy"))
    keys = list(rows.exclude(settled).order_by("pk").values_list("pk", flat=True))
    for row in Discrepancy.objects.locked().filter(pk__in=keys):
        explained += _explain(row, reason)
    return explained


def _explain(row: Discrepancy, reason: str) -> int:
    now = timezone.now()
    for waiting in row.repairs.filter(state=RepairState.WAITING.value):
        waiting.refuse(actor=_SYSTEM, reason=reason, at=now)
        waiting.store()
        waiting.items.filter(live=True).update(live=False)
    standing = list(row.repairs.standing().exclude(kind__in=OUTWARD))
    for repair in standing:
        take_back_repair(repair=repair, actor=_SYSTEM, reason=reason)
    if row.state in CLOSED and not standing:
        return 0
    row.explain(actor=_SYSTEM, reason=reason, at=now)
    row.store()
    return 1
