"""Hand a case to somebody with more authority."""

from django.db import transaction

from ledger import audit
from risk.errors import CaseAlreadyDecided, CaseClaimedByAnother, CaseNotFound
from risk.models import RiskCase
from risk.selectors import CaseView, case_key, case_view
from risk.states import CaseState


def escalate_case(*, case: str, actor: str, reason: str) -> CaseView:
    """This will put a case back into the queue, marked for somebody with more authority; its time keeps running.

    Use case; locks the case. Escalating twice changes nothing. Raises `CaseNotFound`, `CaseClaimedByAnother`,
    `CaseAlreadyDecided`.
    """
    with transaction.atomic(durable=True):
        row = RiskCase.objects.locked().filter(pk=case_key(case)).first()
        if row is None:
            raise CaseNotFound("There is no such case.", param="case")
        if row.state == CaseState.ESCALATED:
            return case_view(row)
        if row.state not in (CaseState.OPEN, CaseState.ASSIGNED):
            raise CaseAlreadyDecided(f"This case is closed: {row.state}.")
        if row.assignee and row.assignee != actor:
            raise CaseClaimedByAnother(
                f"{row.assignee} took this case; take the next one.", assignee=row.assignee
            )
        audit.attribute(actor=actor, reason=reason)
        row.escalate(actor=actor, reason=reason)
        row.save(update_fields=["state", "assignee", "claimed_at", "reason", "senior", "escalated_by"])
        return case_view(row)
