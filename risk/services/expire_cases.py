"""Close the cases whose time is over."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from django.utils import timezone

from ledger import audit
from risk.models import RiskCase
from risk.selectors import CaseView, case_view
from risk.states import CaseKind


def expire_cases(
    *, now: datetime | None = None, most: int = 100, kinds: Collection[CaseKind] = (CaseKind.HOLD,)
) -> list[CaseView]:
    """This will close every case of these `kinds` that is past `decide_by` as EXPIRED and return them, for their
    payments to be voided.

    Operation: needs an open transaction; locks the cases and skips those that somebody is deciding right now. A
    caller that must lock payments first (the usual order) takes `selectors.due_cases` and `expire_case` instead.
    """
    assert connection.in_atomic_block, "expire_cases() belongs to the transaction that gives the payments up"
    moment = now or timezone.now()
    audit.attribute(actor="system", reason="nobody decided in time")
    due = (
        RiskCase.objects.live()
        .filter(decide_by__lte=moment, kind__in=kinds)
        .select_related("decision__policy")
    )
    rows = list(due.locked(skip_locked=True)[:most])
    for row in rows:
        row.expire(reason="nobody decided in time", at=moment)
        row.save(update_fields=["state", "closed_by", "reason", "closed_at"])
    return [case_view(row) for row in rows]
