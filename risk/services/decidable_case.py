"""Which case a person may decide just now."""

from datetime import datetime

from django.db import connection

from risk.errors import CaseAlreadyDecided, CaseClaimedByAnother, CaseExpired, CaseNotFound
from risk.models import RiskCase
from risk.selectors import case_key
from risk.services.may_decide import may_decide
from risk.states import LIVE_CASE, CaseState


def decidable_case(*, case: str, actor: str, senior: bool, at: datetime) -> RiskCase:
    """This will lock a case that waits for `actor`'s decision; an unclaimed one is whoever's comes first.

    Operation: needs an open transaction; locks the case (after the payment). Raises `CaseNotFound`,
    `CaseAlreadyDecided`, `CaseClaimedByAnother`, `CaseExpired`, `CaseNeedsSenior`, `CaseIsOwn`.
    """
    assert connection.in_atomic_block, "decidable_case() belongs to the transaction that moves the payment"
    row = RiskCase.objects.locked().filter(pk=case_key(case)).first()
    if row is None:
        raise CaseNotFound("There is no such case.", param="case")
    if row.state == CaseState.EXPIRED or (row.state in LIVE_CASE and row.decide_by <= at):
        raise CaseExpired("Nobody decided in time, so the payment is given up. The customer may pay again.")
    if row.state not in LIVE_CASE:
        raise CaseAlreadyDecided(
            f"{row.closed_by} decided this case before: {row.state}.", decided_by=row.closed_by
        )
    if row.assignee and row.assignee != actor:
        raise CaseClaimedByAnother(
            f"{row.assignee} took this case; take the next one.", assignee=row.assignee
        )
    may_decide(case=row, actor=actor, senior=senior)
    return row
