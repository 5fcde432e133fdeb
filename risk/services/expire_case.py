"""Close a case that no person will decide any more."""

from django.db import connection
from django.utils import timezone

from ledger import audit
from risk.errors import CaseAlreadyDecided, CaseNotFound
from risk.models import RiskCase
from risk.selectors import CaseView, case_key, case_view
from risk.states import LIVE_CASE, CaseState


def expire_case(*, case: str, reason: str = "nobody decided in time") -> CaseView:
    """This will close a live case as EXPIRED: its time is over, or its payment was cancelled or lapsed.

    Operation: needs an open transaction; locks the case (after the payment). An expired case stays as it is.
    Raises `CaseNotFound`, `CaseAlreadyDecided`.
    """
    assert connection.in_atomic_block, "expire_case() belongs to the transaction that gives the payment up"
    row = RiskCase.objects.locked().filter(pk=case_key(case)).first()
    if row is None:
        raise CaseNotFound("There is no such case.", param="case")
    if row.state == CaseState.EXPIRED:
        return case_view(row)
    if row.state not in LIVE_CASE:
        raise CaseAlreadyDecided(f"{row.closed_by} decided this case before: {row.state}.")
    audit.attribute(actor="system", reason=reason)
    row.expire(reason=reason, at=timezone.now())
    row.save(update_fields=["state", "closed_by", "reason", "closed_at"])
    return case_view(row)
