"""Take a case from the queue."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from risk.errors import CaseAlreadyDecided, CaseClaimedByAnother, CaseExpired, CaseNotFound
from risk.models import RiskCase
from risk.selectors import CaseView, case_key, case_view
from risk.services.may_decide import may_decide
from risk.states import LIVE_CASE, CaseState


def claim_case(*, case: str, actor: str, senior: bool = False) -> CaseView:
    """This will make `actor` the one who decides; claiming one's own case again changes nothing.

    Use case; locks the case. `senior` says that `actor` may decide what was escalated. Raises `CaseNotFound`,
    `CaseClaimedByAnother`, `CaseAlreadyDecided`, `CaseExpired`, `CaseNeedsSenior`, `CaseIsOwn`.
    """
    with transaction.atomic(durable=True):
        row = RiskCase.objects.locked().filter(pk=case_key(case)).first()
        if row is None:
            raise CaseNotFound("There is no such case.", param="case")
        now = timezone.now()
        if row.state == CaseState.EXPIRED or (row.state in LIVE_CASE and row.decide_by <= now):
            raise CaseExpired("Nobody decided in time, so the payment is given up.")
        if row.state not in LIVE_CASE:
            raise CaseAlreadyDecided(f"{row.closed_by} decided this case before: {row.state}.")
        if row.assignee and row.assignee != actor:
            raise CaseClaimedByAnother(
                f"{row.assignee} took this case; take the next one.", assignee=row.assignee
            )
        may_decide(case=row, actor=actor, senior=senior)
        if not row.assignee:
            audit.attribute(actor=actor, reason="claimed")
            row.claim(actor=actor, at=now)
            row.save(update_fields=["state", "assignee", "claimed_at"])
        return case_view(row)
