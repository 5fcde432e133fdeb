from django.db import connection
from django.db.models import Q
from django.utils import timezone

from reconciliation.models import Discrepancy, Repair, StatementFile
from reconciliation.services.take_back_repair import take_back_repair
from reconciliation.states import CLOSED, OUTWARD, DiscrepancyState, RepairKind, RepairState

_SYSTEM = "system"
# These were cleared by people, who say themselves what becomes of the discrepancy.
_BY_PEOPLE = [RepairKind.FORCE_MATCH.value, "repaired"]


def explain_discrepancies(*, file: StatementFile) -> int:
    """This will close what a statement explains: discrepancies of other files whose open items it cleared, and those
    of the statement in whose place it came, which it tells again itself where they are still so.

    To be called by the matching of `file`, in its transaction, after it has cleared items and stored `supersedes`. It
    closes as "system" and names the file. What was posted for them meanwhile (suspense, fees, write-offs) is reversed,
    and what waits for a second person is turned down. Needs an open transaction; locks the discrepancies that people
    have touched, by key; the others are one statement. Calling it again changes nothing. Returns how many it closed.
    """
    assert connection.in_atomic_block, "explain_discrepancies() belongs to the matching of the file"
    now = timezone.now()
    reason = f"Explained by the {file.channel} {file.kind} statement of {file.day_on}, {file.public_id}"
    cleared = Q(open_item__cleared_file=file) & ~Q(open_item__how__in=_BY_PEOPLE)
    superseded = Q(file=file.supersedes_id) if file.supersedes_id else Q(pk__in=[])
    found = Discrepancy.objects.filter(cleared | superseded).exclude(file=file)
    explained = found.explain_open(actor=_SYSTEM, reason=reason, at=now)
    untouched = Q(state=DiscrepancyState.RESOLVED.value) & ~Q(
        repairs__in=Repair.objects.standing().exclude(posted="")
    )
    keys = list(found.exclude(untouched).values_list("pk", flat=True))
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
